#include "server/rocks/counting_cache.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/cache.h>

namespace meridian {

namespace {

thread_local std::uint64_t t_misses = 0;

class CountingCache final : public rocksdb::Cache {
 public:
  explicit CountingCache(std::shared_ptr<rocksdb::Cache> cache) : cache_(std::move(cache)) {}

  const char* Name() const override { return "meridian.CountingCache"; }
  rocksdb::Status Insert(const rocksdb::Slice& key, void* value, std::size_t charge, DeleterFn deleter, Handle** handle,
                         Priority priority) override {
    return cache_->Insert(key, value, charge, deleter, handle, priority);
  }
  rocksdb::Status Insert(const rocksdb::Slice& key, void* value, const CacheItemHelper* helper, std::size_t charge,
                         Handle** handle, Priority priority) override {
    return cache_->Insert(key, value, helper, charge, handle, priority);
  }
  Handle* Lookup(const rocksdb::Slice& key, rocksdb::Statistics* stats) override {
    return counted(cache_->Lookup(key, stats));
  }
  Handle* Lookup(const rocksdb::Slice& key, const CacheItemHelper* helper, const CreateCallback& create,
                 Priority priority, bool wait, rocksdb::Statistics* stats) override {
    return counted(cache_->Lookup(key, helper, create, priority, wait, stats));
  }
  bool Ref(Handle* handle) override { return cache_->Ref(handle); }
  bool Release(Handle* handle, bool erase_if_last_ref) override { return cache_->Release(handle, erase_if_last_ref); }
  bool Release(Handle* handle, bool useful, bool erase_if_last_ref) override {
    return cache_->Release(handle, useful, erase_if_last_ref);
  }
  bool IsReady(Handle* handle) override { return cache_->IsReady(handle); }
  void Wait(Handle* handle) override { cache_->Wait(handle); }
  void WaitAll(std::vector<Handle*>& handles) override { cache_->WaitAll(handles); }
  void* Value(Handle* handle) override { return cache_->Value(handle); }
  void Erase(const rocksdb::Slice& key) override { cache_->Erase(key); }
  std::uint64_t NewId() override { return cache_->NewId(); }
  void SetCapacity(std::size_t capacity) override { cache_->SetCapacity(capacity); }
  void SetStrictCapacityLimit(bool strict) override { cache_->SetStrictCapacityLimit(strict); }
  bool HasStrictCapacityLimit() const override { return cache_->HasStrictCapacityLimit(); }
  std::size_t GetCapacity() const override { return cache_->GetCapacity(); }
  std::size_t GetUsage() const override { return cache_->GetUsage(); }
  std::size_t GetUsage(Handle* handle) const override { return cache_->GetUsage(handle); }
  std::size_t GetOccupancyCount() const override { return cache_->GetOccupancyCount(); }
  std::size_t GetTableAddressCount() const override { return cache_->GetTableAddressCount(); }
  std::size_t GetPinnedUsage() const override { return cache_->GetPinnedUsage(); }
  std::size_t GetCharge(Handle* handle) const override { return cache_->GetCharge(handle); }
  DeleterFn GetDeleter(Handle* handle) const override { return cache_->GetDeleter(handle); }
  void DisownData() override { cache_->DisownData(); }
  void ApplyToAllEntries(const std::function<void(const rocksdb::Slice&, void*, std::size_t, DeleterFn)>& callback,
                         const ApplyToAllEntriesOptions& options) override {
    cache_->ApplyToAllEntries(callback, options);
  }
  void EraseUnRefEntries() override { cache_->EraseUnRefEntries(); }
  std::string GetPrintableOptions() const override { return cache_->GetPrintableOptions(); }

 private:
  static Handle* counted(Handle* handle) {
    if (handle == nullptr) ++t_misses;
    return handle;
  }
  std::shared_ptr<rocksdb::Cache> cache_;
};

}  // namespace

std::shared_ptr<rocksdb::Cache> make_counting_cache(std::size_t capacity_bytes) {
  rocksdb::LRUCacheOptions options;
  options.capacity = capacity_bytes;
  options.high_pri_pool_ratio = 0.3;
  return std::make_shared<CountingCache>(rocksdb::NewLRUCache(options));
}

std::uint64_t cache_misses_of_this_thread() { return t_misses; }

}  // namespace meridian
