#include "server/rocks/table_space.h"

#include <string>

namespace meridian {

namespace {

class WithTableSpace final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "meridian.WithTableSpace"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* out,
                                    rocksdb::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewWritableFile(path, options, out, context);
    if (!status.ok() || !path.ends_with(".sst")) return status;
    auto reserved = (*out)->Allocate(0, kTableSpaceBytes, options.io_options, context);
    if (!reserved.IsNoSpace()) return status;
    out->reset();
    DeleteFile(path, options.io_options, context).PermitUncheckedError();
    return reserved;
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> with_table_space(const std::shared_ptr<rocksdb::FileSystem>& base) {
  return std::make_shared<WithTableSpace>(base);
}

}  // namespace meridian
