// RocksDB on our FileSystem port, so that its crashes are those of the simulated disk. One object is one
// incarnation of a process: after cut() nothing it still does reaches the disk, however long its threads take to end.
#pragma once

#include <memory>
#include <mutex>

#include <rocksdb/env.h>

#include "base/file.h"

namespace meridian {

class BackgroundJobs;

class FileSystemEnv {
 public:
  // fs need not be thread-safe: it is only used under mutex, which all incarnations share.
  // jobs: who runs RocksDB's background jobs; the clock is a virtual one then, and nothing sleeps. Null: threads do it.
  FileSystemEnv(FileSystem& fs, std::mutex& mutex, BackgroundJobs* jobs = nullptr);
  ~FileSystemEnv();

  rocksdb::Env* env();
  // Opening and reading fail from now on; what is written to open files goes nowhere, and nobody is told.
  void cut();

 private:
  class Adapter;
  class WholeEnv;
  std::shared_ptr<Adapter> adapter_;
  std::unique_ptr<WholeEnv> env_;
};

}  // namespace meridian
