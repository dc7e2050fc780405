// SIGINT, SIGTERM and SIGHUP as a flag.
#pragma once

#include <atomic>

namespace loe::app {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP sets requested(); a second one kills the process as usual.
/// A signal that was ignored before (nohup) stays ignored. At most one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static const std::atomic<bool>& requested();
};

}  // namespace loe::app
