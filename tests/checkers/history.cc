#include "tests/checkers/history.h"

#include <istream>
#include <ostream>
#include <unordered_map>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace meridian::check {

namespace json = boost::json;

namespace {

constexpr std::string_view kTypes[] = {"invoke", "ok", "fail", "info"};
constexpr std::string_view kFunctions[] = {"read", "write", "cas", "remove", "batch", "scan", "versions"};

template <class Enum, std::size_t N>
bool parse_name(std::string_view name, const std::string_view (&names)[N], Enum* out) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) {
      *out = static_cast<Enum>(i);
      return true;
    }
  }
  return false;
}

json::value to_value(const Value& value) {
  if (!value) return nullptr;
  return json::string(*value);
}

json::value value_of(const Event& event) {
  const bool ok = event.type == EventType::kOk;
  switch (event.f) {
    case Function::kRead: return ok ? to_value(event.value) : json::value();
    case Function::kWrite: return to_value(event.value);
    case Function::kCas: return json::array{to_value(event.expected), to_value(event.value)};
    case Function::kRemove: return nullptr;
    case Function::kBatch:
    case Function::kScan: {
      if (event.f == Function::kScan && !ok) return nullptr;
      json::object object;
      for (const auto& [key, value] : event.values) object[key] = to_value(value);
      return object;
    }
    case Function::kVersions: {
      json::array array;
      for (const auto& [version, value] : event.stored) array.push_back(json::array{version, to_value(value)});
      return array;
    }
  }
  return nullptr;
}

json::object to_object(const Event& e) {
  json::object o;
  o["index"] = e.index;
  o["time"] = e.time_us;
  o["process"] = e.process;
  o["type"] = kTypes[static_cast<int>(e.type)];
  o["f"] = kFunctions[static_cast<int>(e.f)];
  if (e.f != Function::kBatch) o["key"] = e.key;
  if (e.f == Function::kScan) o["end"] = e.end;
  o["value"] = value_of(e);
  if (e.version != 0) o["version"] = e.version;
  if (!e.versions.empty()) {
    json::object versions;
    for (const auto& [key, version] : e.versions) versions[key] = version;
    o["versions"] = std::move(versions);
  }
  if (e.timestamp != 0) o["timestamp"] = e.timestamp;
  if (e.f == Function::kRead || e.f == Function::kScan) o["level"] = e.linearizable ? "linearizable" : "any-replica";
  if (e.node != 0) o["node"] = e.node;
  if (!e.role.empty()) o["role"] = e.role;
  if (!e.error.empty()) o["error"] = e.error;
  return o;
}

Value parse_value(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  return std::string(value.as_string());
}

void parse_payload(const json::value& value, Event* e) {
  switch (e->f) {
    case Function::kRead:
    case Function::kWrite: e->value = parse_value(value); break;
    case Function::kCas:
      e->expected = parse_value(value.as_array().at(0));
      e->value = parse_value(value.as_array().at(1));
      break;
    case Function::kRemove: break;
    case Function::kBatch:
    case Function::kScan:
      if (value.is_null()) break;
      for (const auto& [key, entry] : value.as_object()) e->values[std::string(key)] = parse_value(entry);
      break;
    case Function::kVersions:
      if (value.is_null()) break;
      for (const auto& entry : value.as_array()) {
        e->stored.emplace_back(entry.as_array().at(0).to_number<std::uint64_t>(), parse_value(entry.as_array().at(1)));
      }
      break;
  }
}

void write_edn_value(const json::value& value, std::string* out) {
  if (value.is_object()) {
    *out += '{';
    bool first = true;
    for (const auto& [key, entry] : value.as_object()) {
      if (!std::exchange(first, false)) *out += ", ";
      *out += json::serialize(json::string(key)) + ' ';
      write_edn_value(entry, out);
    }
    *out += '}';
  } else if (value.is_array()) {
    *out += '[';
    bool first = true;
    for (const auto& entry : value.as_array()) {
      if (!std::exchange(first, false)) *out += ' ';
      write_edn_value(entry, out);
    }
    *out += ']';
  } else if (value.is_null()) {
    *out += "nil";
  } else {
    *out += json::serialize(value);
  }
}

}  // namespace

std::string to_json(const Event& event) { return json::serialize(to_object(event)); }

std::string to_edn(const Event& event) {
  std::string out = "{";
  for (const auto& [key, value] : to_object(event)) {
    if (out.size() > 1) out += ", ";
    out += ':' + std::string(key) + ' ';
    if (key == "type" || key == "f" || key == "level" || key == "role") {
      out += ':' + std::string(value.as_string());
    } else {
      write_edn_value(value, &out);
    }
  }
  return out + '}';
}

std::optional<std::string> parse_json(std::string_view line, Event* event) {
  *event = {};
  try {  // Boost.JSON reports a missing member and a wrong type by exceptions
    const json::value parsed = json::parse(json::string_view(line.data(), line.size()));
    const json::object& o = parsed.as_object();
    event->index = o.at("index").to_number<std::uint64_t>();
    event->time_us = o.at("time").to_number<std::int64_t>();
    event->process = o.at("process").to_number<std::uint64_t>();
    if (!parse_name(o.at("type").as_string(), kTypes, &event->type)) return "unknown type";
    if (!parse_name(o.at("f").as_string(), kFunctions, &event->f)) return "unknown f";
    const auto text = [&](const char* name) {
      const json::value* member = o.if_contains(name);
      return member != nullptr ? std::string(member->as_string()) : std::string();
    };
    const auto number = [&](const char* name) {
      const json::value* member = o.if_contains(name);
      return member != nullptr ? member->to_number<std::uint64_t>() : 0;
    };
    event->key = text("key");
    event->end = text("end");
    if (const json::value* value = o.if_contains("value")) {
      const bool answerless = value->is_null() && event->f == Function::kCas;
      if (answerless) return "a cas has a value [expected, new]";
      parse_payload(*value, event);
    }
    event->version = number("version");
    if (const json::value* versions = o.if_contains("versions")) {
      for (const auto& [key, version] : versions->as_object()) {
        event->versions[std::string(key)] = version.to_number<std::uint64_t>();
      }
    }
    event->timestamp = number("timestamp");
    event->linearizable = text("level") != "any-replica";
    event->node = number("node");
    event->role = text("role");
    event->error = text("error");
  } catch (const std::exception& e) {
    return e.what();
  }
  return std::nullopt;
}

void History::add(Event event) {
  event.index = events.size();
  events.push_back(std::move(event));
}

std::optional<std::string> read_history(std::istream& in, History* history) {
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    Event event;
    if (auto error = parse_json(line, &event)) return fmt::format("line {}: {}", number, *error);
    history->events.push_back(std::move(event));
  }
  return std::nullopt;
}

void write_history(const History& history, std::ostream& out) {
  for (const Event& event : history.events) out << to_json(event) << '\n';
}

void write_edn(const History& history, std::ostream& out) {
  for (const Event& event : history.events) out << to_edn(event) << '\n';
}

std::optional<std::string> pair_operations(const History& history, std::vector<Operation>* operations) {
  std::unordered_map<std::uint64_t, std::size_t> open;  // by process
  for (std::size_t position = 0; position < history.events.size(); ++position) {
    const Event& event = history.events[position];
    const auto it = open.find(event.process);
    if (event.type == EventType::kInvoke) {
      if (it != open.end()) return fmt::format("event {}: process {} is still busy", event.index, event.process);
      open[event.process] = operations->size();
      Operation operation{.invoke = event, .complete = event, .called = position};
      operation.complete.type = EventType::kInfo;
      operations->push_back(std::move(operation));
      continue;
    }
    if (it == open.end()) return fmt::format("event {}: process {} has invoked nothing", event.index, event.process);
    Operation& operation = (*operations)[it->second];
    if (operation.invoke.f != event.f) {
      return fmt::format("event {}: answers another function than event {} asked", event.index, operation.invoke.index);
    }
    operation.complete = event;
    if (event.type != EventType::kInfo) operation.returned = position;
    open.erase(it);
  }
  return std::nullopt;
}

std::string describe(const Value& value) { return value ? *value : "absent"; }

std::string describe(const Operation& operation) {
  const Event& in = operation.invoke;
  const Event& out = operation.complete;
  std::string what;
  switch (in.f) {
    case Function::kRead: what = "read " + in.key + (operation.ok() ? " -> " + describe(out.value) : ""); break;
    case Function::kWrite: what = "write " + in.key + " = " + describe(in.value); break;
    case Function::kCas:
      what = fmt::format("cas {} from {} to {}", in.key, describe(in.expected), describe(in.value));
      break;
    case Function::kRemove: what = "remove " + in.key; break;
    case Function::kBatch:
      what = "batch";
      for (const auto& [key, value] : in.values) what += fmt::format(" {} = {}", key, describe(value));
      break;
    case Function::kScan:
      what = fmt::format("scan [{}, {})", in.key, in.end);
      for (const auto& [key, value] : out.values) what += fmt::format(" {} = {}", key, describe(value));
      break;
    case Function::kVersions: what = "versions of " + in.key; break;
  }
  std::string line = fmt::format("#{} process {} {} [{:.3f} ms .. ", in.index, in.process, what, in.time_us / 1e3);
  line += operation.returned == Operation::kNever ? "?]" : fmt::format("{:.3f} ms]", out.time_us / 1e3);
  line += ' ' + std::string(kTypes[static_cast<int>(out.type)]);
  if (out.version != 0) line += fmt::format(" version {}", out.version);
  if (out.timestamp != 0) line += fmt::format(" as of {}", out.timestamp);
  if (out.node != 0) line += fmt::format(" by node {} {}", out.node, out.role);
  if (!out.error.empty()) line += ": " + out.error;
  return line;
}

}  // namespace meridian::check
