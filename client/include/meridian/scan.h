// Scanner: a range of keys read in pages, all as of one timestamp, whatever is written meanwhile.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

#include <meridian/config.h>
#include <meridian/future.h>
#include <meridian/result.h>
#include <meridian/types.h>

MERIDIAN_SDK_BEGIN

namespace detail {
class ScanState;
}

// Made by Client::scan(). Entry by entry:
//
//   auto scan = client.scan(meridian::ScanRange::prefix("user/"));
//   for (const meridian::Entry& entry : scan) std::cout << entry.key << "\n";
//   if (auto status = scan.status(); !status) std::cerr << status.error().to_string() << "\n";
//
// or page by page:
//
//   while (!scan.done()) {
//     auto page = scan.next_page();              // or: co_await scan.next_page_async()
//     if (!page) return page.error();
//     for (const auto& entry : page->entries) ...
//   }
//
// Move-only. Not thread-safe. One page at a time; do not mix the two ways. The timeout of the
// CallOptions holds for each page.
class Scanner {
 public:
  explicit Scanner(std::shared_ptr<detail::ScanState> state);
  Scanner(Scanner&&) noexcept = default;
  Scanner& operator=(Scanner&&) noexcept = default;

  // The next page; may be empty although more follows. After the last one: an empty page with `last`
  // set. An error leaves the scan where it was: asking again repeats the page. Errors: as Client::get(),
  // and kInvalidArgument for a page size over 10,000, kOutOfRange when the scan took so long that its
  // timestamp is no longer retained.
  Result<ScanPage> next_page();
  // The Scanner may be gone before the answer. kFailedPrecondition: the page before is still under way.
  Future<ScanPage> next_page_async();

  // The last page was read, or the limit reached.
  bool done() const;

  // The one timestamp of all pages. 0 before the first answer.
  std::uint64_t timestamp() const;

  // After a range-for: whether it reached the end, or why it stopped early.
  Result<void> status() const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const Entry*;
    using reference = const Entry&;

    Iterator() = default;
    explicit Iterator(Scanner* scanner) : scanner_(scanner) {}
    const Entry& operator*() const { return scanner_->page_.entries[scanner_->position_]; }
    const Entry* operator->() const { return &**this; }
    Iterator& operator++() {
      if (!scanner_->advance()) scanner_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.scanner_ == b.scanner_; }

   private:
    Scanner* scanner_ = nullptr;  // null: the end
  };
  // Fetches pages as it goes, waiting for each. Valid until the next one; the Scanner must stay in place.
  Iterator begin();
  Iterator end() { return Iterator(); }

 private:
  // To the next entry, over pages; false at the end or after an error.
  bool advance();
  bool advance_over_empty();
  std::shared_ptr<detail::ScanState> state_;
  ScanPage page_;
  std::size_t position_ = 0;
};

MERIDIAN_SDK_END
