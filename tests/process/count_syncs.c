// Preloaded into a node: counts what it does to the files of its log, in two 64-bit numbers at the start of the file
// that COUNT_SYNCS names (16 bytes at least, made by the reader): writes, and syncs that have succeeded. Whoever maps
// the file sees them change.
//
//   LD_PRELOAD=libcount_syncs.so COUNT_SYNCS=/tmp/n1.counts meridian node …
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
  _Atomic uint64_t writes, syncs;
};
static struct counts* counts;

__attribute__((constructor)) static void map_counts(void) {
  const char* path = getenv("COUNT_SYNCS");
  const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* mapped = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) counts = mapped;
}

static int of_the_log(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (counts == NULL || length <= 0) return 0;
  path[length] = '\0';
  return strstr(path, "/log/") != NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  static __typeof__(&pwrite64) real;
  if (real == NULL) real = REAL(pwrite64);
  if (of_the_log(fd)) counts->writes++;
  return real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  static __typeof__(&pwrite) real;
  if (real == NULL) real = REAL(pwrite);
  if (of_the_log(fd)) counts->writes++;
  return real(fd, data, size, at);
}

int fdatasync(int fd) {
  static __typeof__(&fdatasync) real;
  if (real == NULL) real = REAL(fdatasync);
  const int result = real(fd);
  if (result == 0 && of_the_log(fd)) counts->syncs++;
  return result;
}
