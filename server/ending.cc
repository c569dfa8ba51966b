#include "server/ending.h"

#include <unistd.h>

#include <chrono>
#include <future>

#include "base/line_output.h"
#include "base/log.h"
#include "server/process.h"

namespace meridian::server {

int end_orderly(std::function<Result<>()> work, Duration bound) {
  const MonoTime deadline = process_now() + bound;
  auto done = std::async(std::launch::async, std::move(work));
  while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    const ProcessEvent event = wait_for_event(Duration(10'000));
    if (event != ProcessEvent::kTerminate && process_now() < deadline) continue;
    LOG_WARNING("ending at once",
                {{"why", event == ProcessEvent::kTerminate ? "a second signal" : "the orderly end takes too long"}});
    _exit(kExitFailed);
  }
  const Result<> result = done.get();
  if (result) return kExitOk;
  LOG_ERROR("the end was not orderly", {{"error", result.error()}});
  return kExitFailed;
}

void end_at_once(const Error& error) {
  LOG_ERROR("nothing can be trusted any more, ending", {{"error", error}});
  LineOutput::standard_error().write(fmt::format("meridian: fatal: {}\n", error.to_string()));
  _exit(kExitFailed);
}

}  // namespace meridian::server
