#include "tools/ctl/importer.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

namespace meridian::ctl {

namespace {

// The cluster no longer remembers what it did with the id, and will not do it any more. Done or not, the batch may be
// written anew: nothing of it can come in behind a later value of the same key. No code says so, only a text does.
bool is_forgotten(const sdk::Error& error) {
  const auto says_so = [](const std::string& text) { return text.find("is older than the window of") != text.npos; };
  return error.code() == sdk::ErrorCode::kUnknownOutcome &&
         (says_so(error.message()) || std::ranges::any_of(error.causes(), says_so));
}

}  // namespace

Importer::Importer(sdk::Client client, sdk::CallOptions call, Options options, Position begin, OnBad on_bad)
    : client_(std::move(client)),
      call_(std::move(call)),
      options_(options),
      on_bad_(std::move(on_bad)),
      acknowledged_(begin),
      read_(begin) {}

sdk::Result<void> Importer::add(Record record, std::uint64_t next_line) {
  const bool full = open_.writes.size() >= options_.batch_records ||
                    open_.writes.bytes() + record.key.size() + record.value.size() > options_.batch_bytes;
  if (!open_.writes.empty() && (full || open_keys_.contains(record.key))) {
    if (auto sent = send(); !sent) return sent;
  }
  if (keys_under_way_.contains(record.key)) {
    if (auto settled = settle(0); !settled) return settled;
  }
  open_keys_.insert(record.key);
  open_.lines.push_back(record.line);
  open_.writes.put(std::move(record.key), std::move(record.value));
  read_.offset = record.end_offset;
  read_.line = next_line;
  ++read_.records;
  open_.end = read_;
  return {};
}

sdk::Result<void> Importer::skip(std::uint64_t end_offset, std::uint64_t next_line) {
  read_.offset = end_offset;
  read_.line = next_line;
  ++read_.skipped;
  if (open_.writes.empty() && under_way_.empty()) {
    acknowledged_ = read_;
  } else {
    (open_.writes.empty() ? under_way_.back() : open_).end = read_;
  }
  return {};
}

sdk::Result<void> Importer::finish() {
  if (!open_.writes.empty()) {
    if (auto sent = send(); !sent) return sent;
  }
  return settle(0);
}

void Importer::drain() {
  open_ = Batch();
  open_keys_.clear();
  if (auto settled = settle(0); !settled) {
    // The first one that failed is where to go on; the answers of the others do not matter any more.
    for (Batch& batch : under_way_) {
      if (batch.answer.valid()) (void)batch.answer.get();
    }
    under_way_.clear();
  }
}

sdk::CallOptions Importer::call_of(const Batch& batch) const {
  sdk::CallOptions call = call_;
  if (batch.id) call.request_id(*batch.id);
  return call;
}

sdk::Result<void> Importer::send() {
  auto id = client_.new_request_id();
  if (!id) return std::move(id).error();
  open_.id = *id;
  open_.answer = client_.write_batch_async(open_.writes, call_of(open_));
  keys_under_way_.merge(open_keys_);
  open_keys_.clear();
  under_way_.push_back(std::move(open_));
  open_ = Batch();
  return settle(options_.in_flight - 1);
}

sdk::Result<void> Importer::settle(std::size_t left) {
  while (under_way_.size() > left) {
    if (auto settled = settle_first(); !settled) return settled;
  }
  return {};
}

sdk::Result<void> Importer::settle_first() {
  Batch& batch = under_way_.front();
  // After a failure it stays first, without a future: it was not acknowledged.
  if (!batch.answer.valid()) return sdk::Error(sdk::ErrorCode::kFailedPrecondition, "an earlier batch failed");
  auto written = batch.answer.get();
  if (!written) written = retry(batch, std::move(written).error());
  if (!written) {
    if (written.error().code() != sdk::ErrorCode::kInvalidArgument) return std::move(written).error();
    if (auto done = write_singly(batch); !done) return done;
  }
  for (const auto& [key, value] : batch.writes.mutations()) keys_under_way_.erase(key);
  acknowledged_ = batch.end;
  under_way_.pop_front();
  return {};
}

sdk::Result<sdk::WriteResult> Importer::retry(Batch& batch, sdk::Error error) {
  const auto give_up_at = std::chrono::steady_clock::now() + options_.retry_for;
  bool refused = error.is_definite();  // every attempt under this id, certainly
  std::chrono::milliseconds pause(100);
  for (;;) {
    using enum sdk::ErrorCode;
    const bool worth_it = error.code() == kUnavailable || error.code() == kBusy || error.code() == kDeadlineExceeded ||
                          error.code() == kUnknownOutcome;
    if (!worth_it || std::chrono::steady_clock::now() + pause >= give_up_at) return error;
    std::this_thread::sleep_for(std::max(pause, error.retry_after()));
    pause = std::min(pause * 2, std::chrono::milliseconds(5'000));
    if (refused || is_forgotten(error)) {
      auto id = client_.new_request_id();
      if (id) batch.id = *id;
      refused = id.ok();
    }
    auto written = client_.write_batch(batch.writes, call_of(batch));
    if (written) return written;
    error = std::move(written).error();
    refused = refused && error.is_definite();
  }
}

sdk::Result<void> Importer::write_singly(Batch& batch) {
  std::uint64_t bad = 0;
  for (std::size_t i = 0; i < batch.lines.size(); ++i) {
    const auto& [key, value] = batch.writes.mutations()[i];
    Batch single;
    auto id = client_.new_request_id();
    if (!id) return std::move(id).error();
    single.id = *id;
    single.writes.put(key, value.value_or(""));
    auto written = client_.write_batch(single.writes, call_of(single));
    if (!written) written = retry(single, std::move(written).error());
    if (written) continue;
    if (written.error().code() != sdk::ErrorCode::kInvalidArgument) return std::move(written).error();
    on_bad_(batch.lines[i], written.error().message());
    if (!options_.skip_bad) {
      return sdk::Error(sdk::ErrorCode::kInvalidArgument, fmt::format("line {} is refused", batch.lines[i]));
    }
    ++bad;
  }
  // Counted as read when the batch was filled; so for it and all that follow.
  const auto recount = [bad](Position& position) {
    position.records -= bad;
    position.skipped += bad;
  };
  recount(read_);
  for (Batch& each : under_way_) recount(each.end);
  if (!open_.writes.empty()) recount(open_.end);
  return {};
}

}  // namespace meridian::ctl
