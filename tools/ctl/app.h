// The command line of meridianctl as a whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/ctl/context.h"

namespace CLI {
class App;
}

namespace meridian::ctl {

// All commands; their actions go to context. The App refers to context.
std::shared_ptr<CLI::App> make_app(Context& context);

// Parses and does. Answers the exit code.
int run(int argc, const char* const* argv);

}  // namespace meridian::ctl
