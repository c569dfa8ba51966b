// The JSON form of a history, one event a line.
#include <charconv>
#include <istream>
#include <ostream>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "tests/checkers/history.h"
#include "tests/checkers/history_edn.h"

namespace meridian::check {

namespace json = boost::json;

namespace {

constexpr std::string_view kTypes[] = {"invoke", "ok", "fail", "info"};
constexpr std::string_view kFunctions[] = {"read",     "write", "cas",      "remove",    "batch",        "scan",
                                           "versions", "add",   "read-set", "increment", "read-counter", "txn"};

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

// Elements of sets and lists are text; those that are integers are written as such.
json::value to_element(const std::string& element) {
  if (const auto number = as_integer(element)) return *number;
  return json::string(element);
}

json::array to_elements(const std::vector<std::string>& elements) {
  json::array array;
  for (const std::string& element : elements) array.push_back(to_element(element));
  return array;
}

json::array to_steps(const std::vector<MicroOp>& ops) {
  json::array array;
  for (const MicroOp& op : ops) {
    if (op.append) {
      array.push_back(json::array{"append", op.key, to_element(op.element)});
    } else {
      array.push_back(json::array{"r", op.key, op.list ? json::value(to_elements(*op.list)) : json::value()});
    }
  }
  return array;
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
    case Function::kAdd: return event.value ? to_element(*event.value) : json::value();
    case Function::kReadSet: return ok ? json::value(to_elements(event.elements)) : json::value();
    case Function::kIncrement: return event.number;
    case Function::kReadCounter: return ok ? json::value(event.number) : json::value();
    case Function::kTxn: return to_steps(event.ops);
  }
  return nullptr;
}

bool reads(Function f) {
  return f == Function::kRead || f == Function::kScan || f == Function::kReadSet || f == Function::kReadCounter;
}

json::object to_object(const Event& e) {
  json::object o;
  o["index"] = e.index;
  o["time"] = e.time_us;
  o["process"] = e.process;
  o["type"] = to_string(e.type);
  o["f"] = to_string(e.f);
  if (e.f != Function::kBatch && e.f != Function::kTxn) o["key"] = e.key;
  if (e.f == Function::kScan) o["end"] = e.end;
  o["value"] = value_of(e);
  if (e.version != 0) o["version"] = e.version;
  if (!e.versions.empty()) {
    json::object versions;
    for (const auto& [key, version] : e.versions) versions[key] = version;
    o["versions"] = std::move(versions);
  }
  if (e.timestamp != 0) o["timestamp"] = e.timestamp;
  if (reads(e.f) || (e.f == Function::kTxn && !e.linearizable)) {
    o["level"] = e.linearizable ? "linearizable" : "any-replica";
  }
  if (e.session != 0) o["session"] = e.session;
  if (e.node != 0) o["node"] = e.node;
  if (!e.role.empty()) o["role"] = e.role;
  if (!e.error.empty()) o["error"] = e.error;
  return o;
}

std::string parse_text(const json::value& value) {
  if (value.is_int64()) return std::to_string(value.get_int64());
  return std::string(value.as_string());
}

Value parse_value(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  return parse_text(value);
}

std::vector<std::string> parse_elements(const json::value& value) {
  std::vector<std::string> elements;
  for (const json::value& element : value.as_array()) elements.push_back(parse_text(element));
  return elements;
}

std::optional<std::string> parse_step(const json::value& value, MicroOp* op) {
  const json::array& step = value.as_array();
  op->append = step.at(0).as_string() == "append";
  if (!op->append && step.at(0).as_string() != "r") return "a step of a txn is append or r";
  op->key = parse_text(step.at(1));
  if (op->append) {
    op->element = parse_text(step.at(2));
  } else if (!step.at(2).is_null()) {
    op->list = parse_elements(step.at(2));
  }
  return std::nullopt;
}

std::optional<std::string> parse_payload(const json::value& value, Event* e) {
  const bool needed = e->f == Function::kCas || e->f == Function::kAdd || e->f == Function::kIncrement ||
                      e->f == Function::kTxn || (e->f == Function::kReadCounter && e->type == EventType::kOk);
  if (value.is_null()) {
    if (needed) return "a value is missing";
    return std::nullopt;
  }
  switch (e->f) {
    case Function::kRead:
    case Function::kWrite:
    case Function::kAdd: e->value = parse_value(value); break;
    case Function::kCas:
      e->expected = parse_value(value.as_array().at(0));
      e->value = parse_value(value.as_array().at(1));
      break;
    case Function::kRemove: break;
    case Function::kBatch:
    case Function::kScan:
      for (const auto& [key, entry] : value.as_object()) e->values[std::string(key)] = parse_value(entry);
      break;
    case Function::kVersions:
      for (const auto& entry : value.as_array()) {
        e->stored.emplace_back(entry.as_array().at(0).to_number<std::uint64_t>(), parse_value(entry.as_array().at(1)));
      }
      break;
    case Function::kReadSet: e->elements = parse_elements(value); break;
    case Function::kIncrement:
    case Function::kReadCounter: e->number = value.to_number<std::int64_t>(); break;
    case Function::kTxn:
      for (const auto& step : value.as_array()) {
        if (auto error = parse_step(step, &e->ops.emplace_back())) return error;
      }
      break;
  }
  return std::nullopt;
}

std::optional<std::string> parse_members(const json::object& o, Event* event) {
  event->index = o.at("index").to_number<std::uint64_t>();
  event->time_us = o.at("time").to_number<std::int64_t>();
  event->process = o.at("process").to_number<std::uint64_t>();
  if (!parse_name(o.at("type").as_string(), kTypes, &event->type)) return "unknown type";
  if (!parse_name(o.at("f").as_string(), kFunctions, &event->f)) return "unknown f";
  const auto text = [&](const char* name) {
    const json::value* member = o.if_contains(name);
    return member != nullptr ? parse_text(*member) : std::string();
  };
  const auto number = [&](const char* name) {
    const json::value* member = o.if_contains(name);
    return member != nullptr ? member->to_number<std::uint64_t>() : 0;
  };
  event->key = text("key");
  event->end = text("end");
  const json::value* value = o.if_contains("value");
  if (auto error = parse_payload(value != nullptr ? *value : json::value(), event)) return error;
  event->version = number("version");
  if (const json::value* versions = o.if_contains("versions")) {
    for (const auto& [key, version] : versions->as_object()) {
      event->versions[std::string(key)] = version.to_number<std::uint64_t>();
    }
  }
  event->timestamp = number("timestamp");
  event->linearizable = text("level") != "any-replica";
  event->session = number("session");
  event->node = number("node");
  event->role = text("role");
  event->error = text("error");
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Function f) { return kFunctions[static_cast<int>(f)]; }
std::string_view to_string(EventType type) { return kTypes[static_cast<int>(type)]; }

std::string to_json(const Event& event) { return json::serialize(to_object(event)); }

std::optional<std::string> parse_json(std::string_view line, Event* event) {
  *event = {};
  try {  // Boost.JSON reports a missing member and a wrong type by exceptions
    return parse_members(json::parse(json::string_view(line.data(), line.size())).as_object(), event);
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::optional<std::string> read_history(std::istream& in, History* history) {
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.starts_with("//")) continue;
    Event event;
    if (auto error = parse_json(line, &event)) return fmt::format("line {}: {}", number, *error);
    history->events.push_back(std::move(event));
  }
  return std::nullopt;
}

void write_history(const History& history, std::ostream& out) {
  for (const Event& event : history.events) out << to_json(event) << '\n';
}

}  // namespace meridian::check
