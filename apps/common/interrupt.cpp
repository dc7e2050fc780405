#include "interrupt.h"

#include <csignal>

namespace loe::app {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
std::atomic<bool> requested_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void set_all(void (*handler)(int)) {
  for (const int signal : kSignals) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

void on_signal(int) {
  requested_flag.store(true, std::memory_order_relaxed);
  set_all(SIG_DFL);  // sigaction is async-signal-safe
}

}  // namespace

InterruptGuard::InterruptGuard() {
  requested_flag.store(false);
  set_all(on_signal);
}

InterruptGuard::~InterruptGuard() {
  set_all(SIG_DFL);
}

const std::atomic<bool>& InterruptGuard::requested() {
  return requested_flag;
}

}  // namespace loe::app
