// The orderly end of a process, within a bound. Main thread only.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/types.h"

namespace meridian::server {

// Runs work on a thread of its own. Answers the exit code once it is done. A second SIGTERM or SIGINT, or the
// bound, ends the process at once with kExitFailed: nothing acknowledged is lost by that.
int end_orderly(std::function<Result<>()> work, Duration bound);

// A part can no longer trust what it has (a failed fsync, a corrupt file): says so and ends the process at once.
[[noreturn]] void end_at_once(const Error& error);

}  // namespace meridian::server
