// `meridian local`: a whole cluster on this machine, its nodes in this process or one child process each.
// An empty directory becomes a new cluster; a directory with one is opened again. Main thread only.
#pragma once

#include "server/config.h"

namespace meridian::server {

// Runs until SIGTERM or SIGINT. Answers the exit code.
int run_local(const LocalConfig& config);

// The shape of the cluster is kept in DIR/local.toml: opened with another one it is refused, naming the
// flags, since the nodes would not find each other. Records it where nothing was.
Result<> check_local_shape(const LocalConfig& config);

}  // namespace meridian::server
