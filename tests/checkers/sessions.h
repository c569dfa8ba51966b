// What a session promises (Terry et al., PDIS 1994), for operations of one session that followed each other in time:
//
//   monotonic-reads        a read is not older than an earlier read of the key
//   read-your-writes       nor than an earlier write of it
//   monotonic-writes       a write is newer than an earlier write of the key
//   writes-follow-reads    and than what was read of it before
// The names are those of the promise that was broken. How old something is tell the versions that were answered; of a
// list, how many elements it has. An answer without a version says nothing.
#pragma once

#include <vector>

#include "tests/checkers/finding.h"

namespace meridian::check {

Finding check_sessions(const std::vector<Operation>& operations);

}  // namespace meridian::check
