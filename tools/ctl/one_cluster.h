// Several proxies stand for each other only if they are of one cluster: the SDK spreads calls over them, and a write
// would go to whichever was picked.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <meridian/client.h>

namespace meridian::ctl {

// kInvalidArgument names two proxies and their clusters. Asks all at once; one that is silent is waited for no longer
// than a moment behind the first that answers, and patience at most: then nothing is known of it, and that is no error.
sdk::Result<void> check_one_cluster(const std::vector<std::string>& proxies, std::chrono::milliseconds patience);

}  // namespace meridian::ctl
