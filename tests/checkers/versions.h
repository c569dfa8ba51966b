// Do the versions and timestamps that clients were told agree with each other and with real time?
//
//  - A version of a key has one value, and a written value has one version.
//  - A write acknowledged before another was called has the smaller version.
//  - A read is exactly as of its timestamp: no known version lies between what it answered and the timestamp.
//    This holds for reads of any replica too: a stale read says how stale it is.
//  - A linearizable read is as of a timestamp not below any write acknowledged before its call.
//  - What is stored at the end (Function::kVersions) holds every acknowledged write exactly once, under
//    its version; nothing twice; and nothing that failed or was never written.
//
// Anomalies: version-conflict, versions-go-back, inexact-read (not as of its timestamp), stale-timestamp, lost-write,
// and phantom-version (stored, but written less often or never).
#pragma once

#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

Finding check_versions(const std::vector<Operation>& operations);

}  // namespace meridian::check
