#include "tests/checkers/history_edn.h"

#include <charconv>
#include <ostream>
#include <set>

#include <fmt/format.h>

namespace meridian::check {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string scalar(std::string_view text) { return as_integer(text) ? std::string(text) : quoted(text); }

std::string scalar_or_nil(const Value& value) { return value ? scalar(*value) : "nil"; }

template <class List, class Each>
std::string joined(const List& list, std::string_view separator, Each each) {
  std::string out;
  for (const auto& item : list) {
    if (!out.empty()) out += separator;
    out += each(item);
  }
  return out;
}

std::string vector_of(const std::vector<std::string>& elements) {
  return '[' + joined(elements, " ", [](const std::string& e) { return scalar(e); }) + ']';
}

std::string step(const MicroOp& op) {
  if (op.append) return fmt::format("[:append {} {}]", scalar(op.key), scalar(op.element));
  return fmt::format("[:r {} {}]", scalar(op.key), op.list ? vector_of(*op.list) : "nil");
}

std::string value_of(const Event& e) {
  const bool ok = e.type == EventType::kOk;
  switch (e.f) {
    case Function::kRead: return ok ? scalar_or_nil(e.value) : "nil";
    case Function::kWrite:
    case Function::kAdd: return scalar_or_nil(e.value);
    case Function::kCas: return fmt::format("[{} {}]", scalar_or_nil(e.expected), scalar_or_nil(e.value));
    case Function::kRemove: return "nil";
    case Function::kBatch:
    case Function::kScan:
      if (e.f == Function::kScan && !ok) return "nil";
      return '{' +
             joined(e.values, ", ", [](const auto& v) { return quoted(v.first) + ' ' + scalar_or_nil(v.second); }) +
             '}';
    case Function::kVersions:
      return '[' +
             joined(e.stored, " ",
                    [](const auto& v) { return fmt::format("[{} {}]", v.first, scalar_or_nil(v.second)); }) +
             ']';
    case Function::kReadSet: return ok ? vector_of(e.elements) : "nil";
    case Function::kIncrement: return std::to_string(e.number);
    case Function::kReadCounter: return ok ? std::to_string(e.number) : "nil";
    case Function::kTxn: return '[' + joined(e.ops, " ", step) + ']';
  }
  return "nil";
}

std::string_view name_of(Function f) {
  switch (f) {
    case Function::kReadSet:
    case Function::kReadCounter: return "read";
    case Function::kIncrement: return "add";
    default: return to_string(f);
  }
}

// What of the event concerns the register: nothing, or read, write or cas.
bool project(Event& e, const std::string& key) {
  const auto becomes = [&](Function f, Value value) {
    e.f = f;
    e.key = key;
    e.value = std::move(value);
    e.values.clear();
    e.versions.clear();
    e.end.clear();
    return true;
  };
  switch (e.f) {
    case Function::kRead: return e.linearizable && e.key == key;
    case Function::kWrite:
    case Function::kCas: return e.key == key;
    case Function::kRemove: return e.key == key && becomes(Function::kWrite, std::nullopt);
    case Function::kBatch: {
      const auto it = e.values.find(key);
      return it != e.values.end() && becomes(Function::kWrite, Value(it->second));
    }
    case Function::kScan: {
      if (!e.linearizable || key < e.key || (!e.end.empty() && key >= e.end)) return false;
      const auto it = e.values.find(key);
      return becomes(Function::kRead, it == e.values.end() ? std::nullopt : Value(it->second));
    }
    default: return false;
  }
}

}  // namespace

std::optional<std::int64_t> as_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || std::to_string(number) != text) return std::nullopt;
  return number;
}

std::string to_edn(const Event& e) {
  std::string out = fmt::format("{{:type :{}, :f :{}, :value {}, :process {}, :time {}, :index {}", to_string(e.type),
                                name_of(e.f), value_of(e), e.process, e.time_us * 1000, e.index);
  if (e.f != Function::kBatch && e.f != Function::kTxn) out += ", :key " + scalar(e.key);
  if (e.f == Function::kScan) out += ", :end " + quoted(e.end);
  if (e.version != 0) out += fmt::format(", :version {}", e.version);
  if (!e.versions.empty()) {
    out += ", :versions {" +
           joined(e.versions, ", ", [](const auto& v) { return fmt::format("{} {}", quoted(v.first), v.second); }) +
           '}';
  }
  if (e.timestamp != 0) out += fmt::format(", :timestamp {}", e.timestamp);
  if (!e.linearizable) out += ", :level :any-replica";
  if (e.session != 0) out += fmt::format(", :session {}", e.session);
  if (e.node != 0) out += fmt::format(", :node {}", e.node);
  if (!e.role.empty()) out += ", :role :" + e.role;
  if (!e.error.empty()) out += ", :error " + quoted(e.error);
  return out + '}';
}

void write_edn(const History& history, std::ostream& out) {
  std::uint64_t index = 0;
  for (Event event : history.events) {
    if (event.f == Function::kVersions) continue;
    event.index = index++;
    out << to_edn(event) << '\n';
  }
}

History project_register(const History& history, const std::string& key) {
  History projected;
  std::set<std::uint64_t> busy;  // an answer is kept if its call was
  for (Event event : history.events) {
    const bool invoke = event.type == EventType::kInvoke;
    if (!invoke && !busy.contains(event.process)) continue;
    if (!project(event, key)) continue;
    if (invoke) {
      busy.insert(event.process);
    } else {
      busy.erase(event.process);
    }
    projected.add(std::move(event));
  }
  return projected;
}

}  // namespace meridian::check
