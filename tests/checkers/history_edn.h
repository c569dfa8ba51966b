// A history in the form that Jepsen's checkers (Knossos, Elle, set-full, counter) read: one EDN map a line.
//
//   {:type :ok, :f :txn, :value [[:append "k" 1] [:r "k" [1]]], :process 0, :time 1000, :index 3}
//
// Functions have the names that those checkers expect: add and read for sets and counters. Text that is an integer is
// written as one. Stored versions are no operation of a client and left out, so positions are counted anew.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "tests/checkers/history.h"

namespace meridian::check {

std::string to_edn(const Event& event);
void write_edn(const History& history, std::ostream& out);

// The register of one key, as Knossos judges it (only read, write and cas): a batch or scan is taken apart, a removal
// writes nil, a condition that failed is a failed cas, and reads of any replica are left out.
History project_register(const History& history, const std::string& key);

// The integer whose only decimal form the text is.
std::optional<std::int64_t> as_integer(std::string_view text);

}  // namespace meridian::check
