#include "meridian/scan.h"

#include <algorithm>
#include <utility>

#include "client/grpc/scan_state.h"

namespace meridian::sdk {
namespace detail {

ScanState::ScanState(std::shared_ptr<Connection> connection, ScanRange range, ScanOptions scan_options,
                     CallOptions options)
    : connection_(std::move(connection)), options_(std::move(options)), limit_(scan_options.limit()) {
  request_.set_keyspace(options_.keyspace());
  request_.set_start(range.start_key());
  request_.set_end(range.end_key());
  request_.set_prefix(range.key_prefix());
  request_.set_reverse(scan_options.is_reverse());
  request_.set_keys_only(scan_options.is_keys_only());
  // The same on every page, as the protocol asks; what goes beyond the limit is dropped here.
  std::uint64_t page = scan_options.page_size();
  if (limit_ > 0) page = std::min(page, limit_);
  request_.set_limit(static_cast<std::uint32_t>(page));
  *request_.mutable_options() = read_options(options_);
}

Future<ScanPage> ScanState::next_page() {
  v1::ScanRequest request;
  {
    std::lock_guard lock(mutex_);
    if (done_) {
      ScanPage page;
      page.last = true;
      return ready<ScanPage>(std::move(page));
    }
    if (page_under_way_) {
      return ready<ScanPage>(Error(ErrorCode::kFailedPrecondition, "the page before is still under way"));
    }
    page_under_way_ = true;
    error_.reset();
    request = request_;
  }
  auto answered = std::make_shared<FutureState<ScanPage>>();
  connection_
      ->call<v1::ScanResponse>(v1::kScan, std::move(request), options_,
                               [](v1::ScanResponse&& response) { return std::move(response); })
      .then([self = shared_from_this(), answered](Result<v1::ScanResponse> response) {
        if (response) return answered->set(self->accept(std::move(*response)));
        self->page_failed(response.error());
        answered->set(std::move(response).error());
      });
  return Future<ScanPage>(std::move(answered));
}

ScanPage ScanState::accept(v1::ScanResponse&& response) {
  ScanPage page;
  std::lock_guard lock(mutex_);
  page_under_way_ = false;
  page.info = to_public(response.info());
  if (timestamp_ == 0) timestamp_ = page.info.timestamp;
  const auto received = static_cast<std::uint64_t>(response.entries_size());
  const std::uint64_t wanted = limit_ == 0 ? received : std::min(received, limit_ - delivered_);
  page.entries.reserve(wanted);
  for (std::uint64_t i = 0; i < wanted; ++i) {
    auto& entry = *response.mutable_entries(static_cast<int>(i));
    page.entries.emplace_back(std::move(*entry.mutable_key()), std::move(*entry.mutable_value()), entry.version());
  }
  delivered_ += wanted;
  done_ = response.next_page_token().empty() || (limit_ != 0 && delivered_ == limit_);
  request_.set_page_token(std::move(*response.mutable_next_page_token()));
  page.last = done_;
  return page;
}

void ScanState::page_failed(const Error& error) {
  std::lock_guard lock(mutex_);
  page_under_way_ = false;
  error_ = error;
}

bool ScanState::done() const {
  std::lock_guard lock(mutex_);
  return done_;
}

std::uint64_t ScanState::timestamp() const {
  std::lock_guard lock(mutex_);
  return timestamp_;
}

Result<void> ScanState::status() const {
  std::lock_guard lock(mutex_);
  return error_ ? Result<void>(*error_) : Result<void>();
}

}  // namespace detail

Scanner::Scanner(std::shared_ptr<detail::ScanState> state) : state_(std::move(state)) {}

Future<ScanPage> Scanner::next_page_async() { return state_->next_page(); }
Result<ScanPage> Scanner::next_page() { return next_page_async().get(); }
bool Scanner::done() const { return state_->done(); }
std::uint64_t Scanner::timestamp() const { return state_->timestamp(); }
Result<void> Scanner::status() const { return state_->status(); }

Scanner::Iterator Scanner::begin() {
  page_ = ScanPage();
  position_ = 0;
  Iterator first(this);
  return advance_over_empty() ? first : end();
}

bool Scanner::advance() {
  ++position_;
  return advance_over_empty();
}

bool Scanner::advance_over_empty() {
  while (position_ >= page_.entries.size()) {
    if (state_->done()) return false;
    Result<ScanPage> page = next_page();
    if (!page) return false;  // status() says why
    page_ = std::move(*page);
    position_ = 0;
  }
  return true;
}

}  // namespace meridian::sdk
