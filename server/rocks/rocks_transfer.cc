#include "server/rocks/rocks_transfer.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>

#include "base/check.h"
#include "base/keys.h"
#include "server/rocks/rocks_options.h"
#include "server/rocks/rocks_status.h"

namespace meridian {

namespace {

constexpr std::uint64_t kMaxIngestedTables = 6;  // fewer than start a compaction (rocks_options.cc)

// A sequence of tables of bounded size, each optionally with the deletion of the interval it stands for.
class TableSequence {
 public:
  TableSequence(const RocksOptions& options, std::uint64_t table_bytes, std::string directory, std::string_view stem)
      : table_bytes_(table_bytes),
        table_options_(make_transfer_options(options)),
        directory_(std::move(directory)),
        stem_(stem) {}

  const ExportedFiles& files() const { return files_; }

  // Until end_range, what is put replaces all of [start, end).
  void begin_range(std::string start) { deleted_from_ = std::move(start); }

  Result<> put(const rocksdb::Slice& key, const rocksdb::Slice& value) {
    if (writer_ && writer_->FileSize() >= table_bytes_) RETURN_IF_ERROR(finish(key));
    RETURN_IF_ERROR(open());
    ++files_.keys;
    return to_result(writer_->Put(key, value), "write a table");
  }

  Result<> end_range(const std::string& end) {
    RETURN_IF_ERROR(open());
    RETURN_IF_ERROR(finish(end));
    deleted_from_.reset();
    return {};
  }

  // Closes the table being written, if any. The next one starts at `next`.
  Result<> finish(const rocksdb::Slice& next) {
    if (!writer_) return {};
    if (deleted_from_) {
      RETURN_IF_ERROR(to_result(writer_->DeleteRange(*deleted_from_, next), "write a table"));
      deleted_from_ = next.ToString();
    }
    rocksdb::ExternalSstFileInfo info;
    RETURN_IF_ERROR(to_result(writer_->Finish(&info), "finish a table"));
    files_.bytes += info.file_size;
    writer_.reset();
    return {};
  }

 private:
  Result<> open() {
    if (writer_) return {};
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), table_options_);
    const std::string path = fmt::format("{}/{}{:06}.sst", directory_, stem_, files_.paths.size());
    // What a crash left here may be a table of the database under a second name: never written over.
    const auto removed = table_options_.env->DeleteFile(path);
    if (!removed.ok() && table_options_.env->FileExists(path).ok()) return to_result(removed, "remove an old table");
    files_.paths.push_back(path);
    return to_result(writer_->Open(path), "create a table");
  }

  const std::uint64_t table_bytes_;
  const rocksdb::Options table_options_;
  const std::string directory_;
  const std::string_view stem_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  std::optional<std::string> deleted_from_;
  ExportedFiles files_;
};

// The keys of the received tables in order, overrides in their places.
class ReceivedKeys {
 public:
  ReceivedKeys(const RocksOptions& options, std::vector<std::pair<std::string, std::string>> overrides)
      : options_(make_transfer_options(options)) {
    for (auto& [key, value] : overrides) overrides_[std::move(key)] = std::move(value);
    override_ = overrides_.begin();
  }

  Result<> open(const std::vector<std::string>& paths) {
    rocksdb::ReadOptions read;
    read.total_order_seek = true;
    read.fill_cache = false;
    read.readahead_size = 2 << 20;
    for (const auto& path : paths) {
      Table table;
      table.reader = std::make_unique<rocksdb::SstFileReader>(options_);
      const std::string what = fmt::format("read the table {}", path);
      RETURN_IF_ERROR(to_result(table.reader->Open(path), what));
      table.keys.reset(table.reader->NewIterator(read));
      table.keys->SeekToFirst();
      RETURN_IF_ERROR(to_result(table.keys->status(), what));
      if (table.keys->Valid()) tables_.push_back(std::move(table));
    }
    std::sort(tables_.begin(), tables_.end(),
              [](const Table& a, const Table& b) { return a.keys->key().compare(b.keys->key()) < 0; });
    return {};
  }

  // The first key that was not taken yet and its value; nullopt at the end.
  std::optional<std::pair<rocksdb::Slice, rocksdb::Slice>> peek() const {
    const bool overrides = override_ != overrides_.end();
    if (at_ == tables_.size() && !overrides) return std::nullopt;
    if (at_ < tables_.size() && (!overrides || tables_[at_].keys->key().compare(override_->first) < 0)) {
      return std::pair(tables_[at_].keys->key(), tables_[at_].keys->value());
    }
    return std::pair(rocksdb::Slice(override_->first), rocksdb::Slice(override_->second));
  }

  Result<> take() {
    const auto front = peek();
    CHECK(front.has_value());
    const bool overridden = override_ != overrides_.end() && front->first.data() == override_->first.data();
    if (at_ < tables_.size() && tables_[at_].keys->key() == front->first) RETURN_IF_ERROR(advance());
    if (overridden) ++override_;
    return {};
  }

 private:
  struct Table {
    std::unique_ptr<rocksdb::SstFileReader> reader;
    std::unique_ptr<rocksdb::Iterator> keys;
  };

  Result<> advance() {
    auto& keys = *tables_[at_].keys;
    const std::string passed = keys.key().ToString();
    keys.Next();
    RETURN_IF_ERROR(to_result(keys.status(), "read a received table"));
    if (keys.Valid()) return {};
    ++at_;
    if (at_ < tables_.size() && tables_[at_].keys->key().compare(passed) <= 0) {
      return fail(ErrorCode::kCorruption, "received tables overlap");
    }
    return {};
  }

  const rocksdb::Options options_;
  std::vector<Table> tables_;
  std::size_t at_ = 0;
  std::map<std::string, std::string> overrides_;
  std::map<std::string, std::string>::const_iterator override_;
};

// Sorted, none empty, none touching another, all with an end.
std::vector<KeyRange> normalized(std::vector<KeyRange> ranges) {
  for (auto& range : ranges) {
    if (range.end.empty()) range.end = last_key_bound();
  }
  std::erase_if(ranges, [](const KeyRange& range) { return range.end <= range.start; });
  std::sort(ranges.begin(), ranges.end(), [](const KeyRange& a, const KeyRange& b) { return a.start < b.start; });
  std::vector<KeyRange> out;
  for (auto& range : ranges) {
    if (!out.empty() && range.start <= out.back().end)
      out.back().end = std::max(out.back().end, std::move(range.end));
    else
      out.push_back(std::move(range));
  }
  return out;
}

}  // namespace

std::string_view last_key_bound() {
  static const std::string bound(16, '\xff');
  return bound;
}

Result<ExportedFiles> export_tables(rocksdb::DB& db, const RocksOptions& options, const std::vector<KeyRange>& ranges,
                                    const rocksdb::Snapshot* snapshot, const std::string& directory) {
  TableSequence tables(options, options.export_file_bytes, directory, "export-");
  for (const auto& range : normalized(ranges)) {
    const rocksdb::Slice start = to_slice(range.start), end = to_slice(range.end);
    rocksdb::ReadOptions read;
    read.snapshot = snapshot;
    read.iterate_lower_bound = &start;
    read.iterate_upper_bound = &end;
    read.total_order_seek = true;
    read.fill_cache = false;
    read.readahead_size = 2 << 20;
    const std::unique_ptr<rocksdb::Iterator> it(db.NewIterator(read));
    for (it->SeekToFirst(); it->Valid(); it->Next()) RETURN_IF_ERROR(tables.put(it->key(), it->value()));
    RETURN_IF_ERROR(to_result(it->status(), "read what is exported"));
    // A table that spanned the gap to the next range would overlap what lies between.
    RETURN_IF_ERROR(tables.finish({}));
  }
  return tables.files();
}

Result<std::vector<std::string>> write_replacing_tables(const RocksOptions& options, std::vector<KeyRange> ranges,
                                                        const std::vector<std::string>& paths,
                                                        std::vector<std::pair<std::string, std::string>> overrides,
                                                        const std::string& directory) {
  // An override is inside of a range as a rule; elsewhere it replaces just its own key.
  for (const auto& [key, value] : overrides) ranges.push_back({key, key_after(key)});
  ReceivedKeys received(options, std::move(overrides));
  RETURN_IF_ERROR(received.open(paths));

  // Each comes with the deletion of what it replaces, so over old data RocksDB puts all of them on level 0: few tables,
  // or writes would stop until they are compacted.
  std::uint64_t bytes = 0;
  for (const std::string& path : paths) {
    std::uint64_t size = 0;
    RETURN_IF_ERROR(to_result(make_transfer_options(options).env->GetFileSize(path, &size),
                              "ask for the size of a received table"));
    bytes += size;
  }
  TableSequence tables(options, std::max<std::uint64_t>(options.export_file_bytes, bytes / kMaxIngestedTables),
                       directory, "ingest-");
  auto next = received.peek();
  for (const auto& range : normalized(std::move(ranges))) {
    tables.begin_range(range.start);
    for (; next && next->first.compare(range.end) < 0; next = received.peek()) {
      if (next->first.compare(range.start) < 0) break;
      RETURN_IF_ERROR(tables.put(next->first, next->second));
      RETURN_IF_ERROR(received.take());
    }
    RETURN_IF_ERROR(tables.end_range(range.end));
  }
  if (next) return fail(ErrorCode::kCorruption, "a received table holds a key outside of the ranges");
  return tables.files().paths;
}

}  // namespace meridian
