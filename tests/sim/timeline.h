// The end of a run as a picture: processes as rows, messages as arrows, faults as bands. Filled by the world's parts
// where a run asks for it; not part of the run's hash.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace meridian::sim {

class Timeline {
 public:
  // The last so many messages; what else happened in their time.
  explicit Timeline(std::size_t messages = 3000) : most_(messages) {}

  enum class Kind : std::uint8_t { kOneWay, kRequest, kResponse };
  static constexpr std::int64_t kLost = -1;
  // arrives: kLost if it never does.
  void message(std::int64_t sent, std::int64_t arrives, const std::string& from, const std::string& to, Kind kind,
               std::uint32_t method);
  // Something holds for a row from now on, until end() of the same; an empty row: for all of them.
  void begin(std::int64_t now, const std::string& row, const std::string& what);
  void end(std::int64_t now, const std::string& row, const std::string& what);
  void note(std::int64_t now, std::string text);

  // A page of its own, with nothing from elsewhere.
  std::string html(const std::string& title, const std::string& failure) const;

 private:
  struct Message {
    std::int64_t sent, arrives;
    std::string from, to;
    Kind kind;
    std::uint32_t method;
  };
  struct Band {
    std::int64_t from, to;  // INT64_MAX: still
    std::string row, what;
  };
  struct Note {
    std::int64_t at;
    std::string text;
  };
  const std::size_t most_;
  std::deque<Message> messages_;
  std::vector<Band> bands_;
  std::vector<Note> notes_;
};

}  // namespace meridian::sim
