#include "base/grpc/grpc_log.h"

#include <grpc/support/log.h>

#include "base/log.h"

namespace meridian {

void take_over_grpc_log() {
  gpr_set_log_function([](gpr_log_func_args* args) {
    // Of connections that break it speaks as of errors.
    if (args->severity == GPR_LOG_SEVERITY_ERROR) {
      LOG_WARNING("gRPC", {{"says", args->message}, {"file", args->file}, {"line", args->line}});
    } else {
      LOG_DEBUG("gRPC", {{"says", args->message}});
    }
  });
}

}  // namespace meridian
