#include "base/grpc/reflection.h"

#include <dlfcn.h>

#include <string>

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

namespace meridian {

// The library serves by being loaded: linked, it could not be left out.
Result<> serve_reflection() {
  const std::string version = grpc::Version();
  const std::string library = "libgrpc++_reflection.so." + version.substr(0, version.rfind('.'));
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return {};
  return fail(ErrorCode::kFailedPrecondition, fmt::format("reflection cannot be served: {}", dlerror()));
}

}  // namespace meridian
