// What gRPC itself has to say goes to our log: its own way to standard error waits for whoever reads that.
#pragma once

namespace meridian {

// For the whole process, which is ours: a user's of the SDK is not.
void take_over_grpc_log();

}  // namespace meridian
