// Options and arguments whose text means one exact value, or is refused with the value and the limit in the message.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace meridian::ctl {

// A whole number, in decimal (parse_decimal, text.h). Its default is the target's value; 0 is not shown as one.
CLI::Option* add_number(CLI::App& app, const std::string& name, std::uint64_t& target, std::uint64_t min,
                        std::uint64_t max, const std::string& help);

// As add_number(), where 0 stands for none and is taken as such.
CLI::Option* add_number(CLI::App& app, const std::string& name, std::uint64_t& target, const std::string& help);

// A timestamp of an answer: the number, or the time as it is shown. A time stands for the end of its microsecond, for
// what was shown beside it may have been later in it than its start.
CLI::Option* add_timestamp(CLI::App& app, const std::string& name, std::uint64_t& target, const std::string& help);

}  // namespace meridian::ctl
