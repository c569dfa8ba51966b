// gRPC's reflection, for tools that ask a server for its services. It takes a thread for each of its callers, so it is
// served only where somebody asked for it.
#pragma once

#include "base/result.h"

namespace meridian {

// For every server that is made from now on in this process. kFailedPrecondition: gRPC's library of it is not installed.
Result<> serve_reflection();

}  // namespace meridian
