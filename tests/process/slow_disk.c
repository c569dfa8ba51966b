// Preloaded into a node: what it writes to regular files goes at so many bytes a second, read again and again from the
// file that SLOW_DISK names. No such file, or 0 in it: as fast as the disk is. A write takes its time before it returns,
// whichever thread writes, so a sync finds it slow, too.
//
//   LD_PRELOAD=libslow_disk.so SLOW_DISK=/tmp/n1.rate meridian node …; echo 1000000 >/tmp/n1.rate
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static double rate, read_at, free_at;  // bytes a second; seconds on the monotonic clock

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_rate(void) {
  const char* path = getenv("SLOW_DISK");
  FILE* file = path != NULL ? fopen(path, "r") : NULL;
  double bytes = 0;
  if (file != NULL) {
    if (fscanf(file, "%lf", &bytes) != 1) bytes = 0;
    fclose(file);
  }
  rate = bytes;
}

// Writes stand in one queue, as at a disk.
static void take_time(int fd, ssize_t bytes) {
  struct stat status;
  if (bytes <= 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  pthread_mutex_lock(&mutex);
  const double began = now();
  if (began - read_at > 0.05) {
    read_rate();
    read_at = began;
  }
  double until = began;
  if (rate > 0) {
    if (free_at < began) free_at = began;
    free_at += (double)bytes / rate;
    until = free_at;
  } else {
    free_at = began;
  }
  pthread_mutex_unlock(&mutex);
  while (until > now()) {
    pthread_mutex_lock(&mutex);
    if (now() - read_at > 0.05) {
      read_rate();
      read_at = now();
    }
    const int healed = rate <= 0;
    pthread_mutex_unlock(&mutex);
    if (healed) return;
    const struct timespec pause = {0, 10 * 1000 * 1000};
    nanosleep(&pause, NULL);
  }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void* data, size_t size) {
  static __typeof__(&write) real;
  if (real == NULL) real = REAL(write);
  const ssize_t written = real(fd, data, size);
  take_time(fd, written);
  return written;
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  static __typeof__(&writev) real;
  if (real == NULL) real = REAL(writev);
  const ssize_t written = real(fd, parts, count);
  take_time(fd, written);
  return written;
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  static __typeof__(&pwrite) real;
  if (real == NULL) real = REAL(pwrite);
  const ssize_t written = real(fd, data, size, at);
  take_time(fd, written);
  return written;
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  static __typeof__(&pwrite64) real;
  if (real == NULL) real = REAL(pwrite64);
  const ssize_t written = real(fd, data, size, at);
  take_time(fd, written);
  return written;
}
