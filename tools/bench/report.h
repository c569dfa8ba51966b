// The result of a load as a table or as one line of JSON, in the fields of the other stores' load generators.
#pragma once

#include <string>

#include "tools/bench/load.h"

namespace meridian::bench {

std::string op_name(Op op);
std::string render_json(const LoadOptions& options, const LoadResult& result);
std::string render_table(const LoadOptions& options, const LoadResult& result);

}  // namespace meridian::bench
