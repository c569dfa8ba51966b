// What an EventLoop sleeps in, and whose events it handles when it wakes: where there are sockets, their library's
// own way to wait (base/grpc/reactor.h), so that a message that arrives wakes one thread and not two.
#pragma once

#include "base/types.h"

namespace meridian {

class Reactor {
 public:
  virtual ~Reactor() = default;

  // The calling thread is the loop's from now on, until detach(). One loop at a time.
  virtual void attach() = 0;
  virtual void detach() = 0;
  // On the loop's thread: handles what has happened, or waits, at most so long, for something to happen or for a
  // wake(). Zero: does not wait. Duration::max(): for ever. May return early, for nothing.
  virtual void wait(Duration at_most) = 0;
  // Ends the wait() that goes on, or the next one. Any thread.
  virtual void wake() = 0;
};

}  // namespace meridian
