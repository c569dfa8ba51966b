#include "tests/process/writer.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <meridian/task.h>
#include <boost/json.hpp>

namespace meridian::process_test {

using check::Event;
using check::EventType;
using check::Function;

namespace {

constexpr int kGenerationSeconds = 4;  // keys are shared for so long, which bounds the checker's search
constexpr double kRepeatAnswered = 0.02;
constexpr int kRepeatUnknown = 3;

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool condition_failed(const sdk::CompareAndSetResult& answer) { return !answer.succeeded; }
bool condition_failed(const sdk::WriteResult&) { return false; }

std::string name(sdk::Role role) { return std::string(sdk::to_string(role)); }

}  // namespace

Writer::Writer(sdk::Client client, WriterOptions options, std::uint64_t first_index, std::uint64_t first_process)
    : client_(std::move(client)),
      options_(std::move(options)),
      started_us_(monotonic_us()),
      out_(options_.history, std::ios::app),
      random_(options_.seed),
      next_index_(first_index),
      next_process_(first_process) {
  for (std::size_t i = 0; i < options_.workers; ++i) idle_.push_back(next_process_++);
}

void Writer::run(const volatile bool& stop) {
  const std::int64_t end = started_us_ + static_cast<std::int64_t>(options_.seconds * 1e6);
  std::uint64_t begun = 0;
  for (std::int64_t now = started_us_; now < end && !stop; now = monotonic_us()) {
    const double due = options_.rate == 0 ? 1e18 : options_.rate * static_cast<double>(now - started_us_) / 1e6;
    std::unique_lock lock(mutex_);
    // Open loop: what could not begin in time, all workers being busy, is not made up for.
    if (idle_.empty() && options_.rate != 0) begun = std::max(begun, static_cast<std::uint64_t>(due));
    if (idle_.empty() || static_cast<double>(begun) >= due) {
      changed_.wait_for(lock, std::chrono::milliseconds(1));
      continue;
    }
    lock.unlock();
    ++begun;
    start_one();
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
  out_.flush();
}

void Writer::start_one() {
  std::unique_lock lock(mutex_);
  const std::uint64_t process = idle_.back();
  idle_.pop_back();
  ++open_;
  const std::uint64_t kind = options_.mix == "puts" ? 0 : random_() % 100;
  if (kind < 55 || (kind >= 65 && kind < 69)) {
    Event event{.f = Function::kWrite,
                .key = kind < 35 ? fmt::format("u/{}/{:06}-{:08}", options_.name, process, next_value_) : draw_key()};
    if (kind >= 65) {
      event.f = Function::kRemove;
    } else {
      event.value = new_value(process);
    }
    const std::string stored = event.value ? pad(*event.value) : "";
    lock.unlock();
    const bool remove = event.f == Function::kRemove;
    return write(process, event,
                 [this, key = event.key, stored, remove](Options options) {
                   return remove ? client_.remove_async(key, options) : client_.put_async(key, stored, options);
                 })
        .detach();
  }
  if (kind < 61) {
    Event event{.f = Function::kCas, .key = draw_key(), .value = new_value(process)};
    event.expected = known_[event.key];
    lock.unlock();
    return compare(process, std::move(event)).detach();
  }
  const std::string of = generation();
  const std::string key =
      kind < 75 && !acknowledged_.empty() ? acknowledged_[random_() % acknowledged_.size()] : draw_key();
  lock.unlock();
  if (kind < 65) return batch(process, of).detach();
  if (kind >= 94) return scan(process, of, kind < 97).detach();
  read(process, key, kind < 87, nullptr).detach();
}

// ---- Reads

sdk::Task<void> Writer::read(std::uint64_t process, std::string key, bool linearizable, const Judge* judge) {
  Event event{.f = Function::kRead, .key = key, .linearizable = linearizable};
  invoke(process, event);
  const auto level = linearizable ? sdk::Consistency::kLinearizable : sdk::Consistency::kAnyReplica;
  auto answer = co_await client_.get_async(key, Options().consistency(level));
  if (!answer) {
    if (judge != nullptr) violate(fmt::format("{} could not be read: {}", key, answer.error().to_string()));
    co_return fail(process, std::move(event), answer.error(), false);
  }
  {
    std::lock_guard lock(mutex_);
    if (answer->found) event.value = unpad(std::move(answer->value));
    if (linearizable && known_.contains(key)) known_[key] = event.value;
  }
  if (judge != nullptr) {
    if (std::string wrong = (*judge)(key, event.value); !wrong.empty()) violate(std::move(wrong));
  }
  event.version = answer->version;
  event.timestamp = answer->info.timestamp;
  event.node = answer->info.node_id;
  event.role = name(answer->info.role);
  event.type = EventType::kOk;
  complete(process, std::move(event));
}

sdk::Task<void> Writer::scan(std::uint64_t process, std::string prefix, bool linearizable) {
  Event event{.f = Function::kScan, .key = prefix + "/", .end = prefix + "0", .linearizable = linearizable};
  invoke(process, event);
  const auto level = linearizable ? sdk::Consistency::kLinearizable : sdk::Consistency::kAnyReplica;
  auto pages =
      client_.scan(sdk::ScanRange::prefix(event.key), sdk::ScanOptions().page_size(5), Options().consistency(level));
  while (!pages.done()) {
    auto page = co_await pages.next_page_async();
    if (!page) co_return fail(process, std::move(event), page.error(), false);
    std::lock_guard lock(mutex_);
    for (sdk::Entry& entry : page->entries) {
      event.values[entry.key] = unpad(std::move(entry.value));
      event.versions[entry.key] = entry.version;
    }
    event.node = page->info.node_id;
    event.role = name(page->info.role);
  }
  event.timestamp = pages.timestamp();
  event.type = EventType::kOk;
  complete(process, std::move(event));
}

std::vector<std::string> Writer::read_all(const std::vector<std::string>& keys, const Judge& judge) {
  for (const std::string& key : keys) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !idle_.empty(); });
    const std::uint64_t process = idle_.back();
    idle_.pop_back();
    ++open_;
    lock.unlock();
    read(process, key, true, &judge).detach();
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
  out_.flush();
  return violations_;
}

// ---- Writes

sdk::Task<void> Writer::write(std::uint64_t process, Event event,
                              std::function<sdk::Future<sdk::WriteResult>(Options)> send) {
  return mutate<sdk::WriteResult>(process, std::move(event), std::move(send));
}

sdk::Task<void> Writer::compare(std::uint64_t process, Event event) {
  const auto expected = event.expected ? sdk::Expected::value(pad(*event.expected)) : sdk::Expected::absent();
  return mutate<sdk::CompareAndSetResult>(
      process, event, [this, key = event.key, expected, stored = pad(*event.value)](Options options) {
        return client_.compare_and_set_async(key, expected, sdk::Desired::value(stored), options);
      });
}

sdk::Task<void> Writer::batch(std::uint64_t process, std::string generation) {
  Event event{.f = Function::kBatch};
  sdk::WriteBatch writes;
  {
    std::lock_guard lock(mutex_);
    for (int i = 0; i < 3; ++i) {
      const std::string key =
          fmt::format("{}/{:02}", generation, random_() % static_cast<std::uint64_t>(options_.keys));
      if (event.values.contains(key)) continue;
      const std::string value = new_value(process);
      event.values[key] = value;
      writes.put(key, pad(value));
    }
  }
  return mutate<sdk::WriteResult>(process, std::move(event), [this, writes](Options options) {
    return client_.write_batch_async(writes, options);
  });
}

// A write is one id from its first attempt to its last; unknown outcomes are asked for again under it.
template <class Answer>
sdk::Task<void> Writer::mutate(std::uint64_t process, Event event, std::function<sdk::Future<Answer>(Options)> send) {
  invoke(process, event);
  const std::int64_t invoked_us = started_us_ + event.time_us;
  auto id = co_await client_.new_request_id_async();
  if (!id) co_return fail(process, std::move(event), id.error(), false);
  const Options options = Options().request_id(*id);
  auto answer = co_await send(options);
  // Once unknown, no later error makes it known; only an answer does.
  bool unknown = false;
  for (int i = 0; !answer && (unknown = unknown || !answer.error().is_definite()) && i < kRepeatUnknown; ++i) {
    answer = co_await send(options);
  }
  if (!answer) co_return fail(process, std::move(event), answer.error(), unknown);
  const bool condition = condition_failed(*answer);
  event.version = answer->version;
  event.type = condition ? EventType::kFail : EventType::kOk;
  if (condition) event.error = "condition";
  {
    std::lock_guard lock(mutex_);
    if (!condition) acks_.emplace_back(invoked_us, monotonic_us());
    if (!condition && known_.contains(event.key)) known_[event.key] = event.value;
    if (event.key.starts_with("u/")) acknowledged_.push_back(event.key);
  }
  const bool repeat = chance(kRepeatAnswered);
  const auto first = *answer;
  if (repeat) {
    auto again = co_await send(options);
    if (again && (again->version != first.version || condition_failed(*again) != condition)) {
      violate(fmt::format("{} with id {} was answered with version {} and then {}", event.key, id->to_string(),
                          first.version, again->version));
    }
  }
  complete(process, std::move(event));
}

// ---- What is recorded

void Writer::invoke(std::uint64_t process, Event& event) {
  std::lock_guard lock(mutex_);
  event.process = process;
  event.type = EventType::kInvoke;
  record(event);
}

void Writer::complete(std::uint64_t process, Event event) {
  std::lock_guard lock(mutex_);
  ++counts_[event.type == EventType::kOk ? "ok" : event.type == EventType::kFail ? "fail" : "info"];
  record(event);
  // After an unknown outcome a process is never used again: its operation may still happen.
  idle_.push_back(event.type == EventType::kInfo ? next_process_++ : process);
  --open_;
  changed_.notify_all();
}

void Writer::fail(std::uint64_t process, Event event, const sdk::Error& error, bool unknown) {
  event.type = unknown ? EventType::kInfo : EventType::kFail;
  event.error = error.to_string();
  {
    std::lock_guard lock(mutex_);
    const auto [it, first] = errors_.emplace(sdk::to_string(error.code()), 0);
    ++it->second;
    if (first) fmt::print(stderr, "first {}: {}\n", it->first, event.error);
  }
  complete(process, std::move(event));
}

void Writer::violate(std::string what) {
  std::lock_guard lock(mutex_);
  violations_.push_back(std::move(what));
}

bool Writer::chance(double p) {
  std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<>()(random_) < p;
}

void Writer::record(Event& event) {
  event.index = next_index_++;
  event.time_us = monotonic_us() - started_us_;
  out_ << to_json(event) << '\n';
}

// ---- Keys and values

std::string Writer::generation() const {
  return fmt::format("s/{}/{:05}", options_.name, (monotonic_us() - started_us_) / 1'000'000 / kGenerationSeconds);
}

std::string Writer::draw_key() {
  std::string key = fmt::format("{}/{:02}", generation(), random_() % static_cast<std::uint64_t>(options_.keys));
  known_.emplace(key, std::nullopt);
  return key;
}

std::string Writer::new_value(std::uint64_t process) {
  return fmt::format("v{}.{}.{}", process, next_value_++, options_.value_bytes);
}

// A name and, after it, as many bytes as its last part says, so that a damaged value is noticed.
std::string Writer::pad(const std::string& text) {
  const std::size_t bytes = std::strtoull(text.c_str() + text.rfind('.') + 1, nullptr, 10);
  std::string out = text + '|';
  const std::size_t sum = std::hash<std::string>{}(text);
  if (bytes > out.size()) out.append(bytes - out.size(), static_cast<char>('a' + sum % 26));
  return out;
}

std::string Writer::unpad(std::string stored) {
  std::string text = stored.substr(0, stored.find('|'));
  if (pad(text) != stored) violations_.push_back("a damaged value was read: " + stored.substr(0, 100));
  return text;
}

std::string Writer::summary() const {
  std::lock_guard lock(mutex_);
  boost::json::object out;
  for (const char* name : {"ok", "fail", "info"}) out[name] = counts_.contains(name) ? counts_.at(name) : 0;
  boost::json::object errors;
  for (const auto& [code, count] : errors_) errors[code] = count;
  out["errors"] = std::move(errors);
  out["violations"] = boost::json::array(violations_.begin(), violations_.end());
  boost::json::array acks;
  for (const auto& [invoked, answered] : acks_) acks.push_back(boost::json::array{invoked, answered});
  out["started_us"] = started_us_;
  out["acks"] = std::move(acks);
  return boost::json::serialize(out);
}

}  // namespace meridian::process_test
