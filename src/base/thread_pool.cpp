#include "loe/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#if defined(__linux__)
#include <sched.h>
#endif

#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxThreads = 1024;

/// How long a thread polls before it sleeps. Waking a sleeper takes a system call and 5 to 50 us, as long as a whole
/// tile of samples; the loops of one training step follow each other within a few us, so polling hides that cost,
/// while an idle pool is asleep before anyone notices.
constexpr std::chrono::microseconds kSpinTime(20);

inline void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Polls until condition() holds or kSpinTime is over; the condition's last value.
template <class Condition>
bool spin_until(const Condition& condition) {
  // Reading the clock costs about 25 ns, a pause up to 40 ns: look at the clock only now and then.
  constexpr int kPollsPerClock = 16;
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int poll = 0; poll < kPollsPerClock; ++poll) {
      if (condition()) {
        return true;
      }
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return condition();
}

}  // namespace

/// Workers are guests of a loop: whoever arrives while it is open takes part, whoever wakes too late goes back to
/// sleep, so that a loop never waits for a thread that the operating system has not scheduled yet.
struct ThreadPool::Impl {
  // gate: one word that says whether a loop is open and how many workers are inside.
  //   bits 0..11 workers inside, bit 12 closed, bit 13 stop, bits 14..31 loop number (may wrap: it only wakes
  //   sleepers).
  static constexpr uint32_t kInsideMask = (1U << 12) - 1;
  static constexpr uint32_t kClosed = 1U << 12;
  static constexpr uint32_t kStop = 1U << 13;
  static constexpr uint32_t kLoop = 1U << 14;
  static_assert(kMaxThreads <= static_cast<int>(kInsideMask));

  alignas(64) std::atomic<uint32_t> gate{kClosed};
  alignas(64) std::atomic<int64_t> next{0};        ///< first index not handed out yet
  alignas(64) std::atomic<uint32_t> n_emptied{0};  ///< loops whose last worker left after closing
  // Written by the caller while the gate is closed and nobody is inside; read by workers after entering.
  int64_t n_items = 0;
  const std::function<void(int64_t, int)>* task = nullptr;

  std::atomic<bool> busy{false};
  std::mutex failure_mutex;
  std::exception_ptr failure;
  std::vector<std::thread> workers;

  void run_items(int worker);
  void work(int worker);
  bool enter(uint32_t seen);
  void leave();
  void open_loop();
  void close_loop();
  void stop();
};

namespace {
/// The pool whose task this thread is running, to catch nested loops.
thread_local const void* current_pool = nullptr;
}  // namespace

void ThreadPool::Impl::run_items(int worker) {
  const void* outer_pool = current_pool;
  current_pool = this;
  try {
    for (int64_t index = next.fetch_add(1, std::memory_order_relaxed); index < n_items;
         index = next.fetch_add(1, std::memory_order_relaxed)) {
      (*task)(index, worker);
    }
  } catch (...) {
    next.store(n_items, std::memory_order_relaxed);
    const std::lock_guard<std::mutex> lock(failure_mutex);
    if (!failure) {
      failure = std::current_exception();
    }
  }
  current_pool = outer_pool;
}

bool ThreadPool::Impl::enter(uint32_t seen) {
  while ((seen & kClosed) == 0) {
    if (gate.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void ThreadPool::Impl::leave() {
  const uint32_t before = gate.fetch_sub(1, std::memory_order_acq_rel);
  if ((before & kClosed) != 0 && (before & kInsideMask) == 1) {
    n_emptied.fetch_add(1, std::memory_order_release);
    n_emptied.notify_one();
  }
}

void ThreadPool::Impl::work(int worker) {
  uint32_t last_loop = 0;
  while (true) {
    uint32_t seen = 0;
    const auto has_news = [&] {
      seen = gate.load(std::memory_order_acquire);
      return (seen & kStop) != 0 || ((seen & kClosed) == 0 && seen / kLoop != last_loop);
    };
    if (!spin_until(has_news)) {
      while (!has_news()) {
        gate.wait(seen, std::memory_order_acquire);
      }
    }
    if ((seen & kStop) != 0) {
      return;
    }
    last_loop = seen / kLoop;
    if (enter(seen)) {
      run_items(worker);
      leave();
    }
  }
}

void ThreadPool::Impl::open_loop() {
  const uint32_t before = gate.load(std::memory_order_relaxed);
  gate.store((before & ~(kLoop - 1)) + kLoop, std::memory_order_release);
  gate.notify_all();
}

void ThreadPool::Impl::close_loop() {
  const uint32_t emptied_before = n_emptied.load(std::memory_order_relaxed);
  const uint32_t before = gate.fetch_or(kClosed, std::memory_order_acq_rel);
  if ((before & kInsideMask) == 0) {
    return;
  }
  const auto is_empty = [&] { return n_emptied.load(std::memory_order_acquire) != emptied_before; };
  if (!spin_until(is_empty)) {
    while (!is_empty()) {
      n_emptied.wait(emptied_before, std::memory_order_acquire);
    }
  }
}

void ThreadPool::Impl::stop() {
  gate.fetch_or(kStop, std::memory_order_release);
  gate.notify_all();
  for (std::thread& worker : workers) {
    worker.join();
  }
  workers.clear();
}

ThreadPool::ThreadPool(int n_threads) {
  if (n_threads < 0 || n_threads > kMaxThreads) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[thread_pool] n_threads: expected 0 (all cores) to {}, got {}", kMaxThreads, n_threads));
  }
  const int n = n_threads == 0 ? std::min(n_usable_cores(), kMaxThreads) : n_threads;
  impl_ = std::make_unique<Impl>();
  impl_->workers.reserve(n - 1);
  try {
    for (int worker = 1; worker < n; ++worker) {
      impl_->workers.emplace_back([impl = impl_.get(), worker] { impl->work(worker); });
    }
  } catch (const std::system_error& failure) {
    const size_t n_started = impl_->workers.size() + 1;
    impl_->stop();
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("[thread_pool] n_threads: expected {} threads, but the system stopped at {} ({}); use fewer", n,
                    n_started, failure.what()));
  }
}

ThreadPool::~ThreadPool() {
  impl_->stop();
}

int ThreadPool::n_threads() const {
  return static_cast<int>(impl_->workers.size()) + 1;
}

void ThreadPool::parallel_for(int64_t n_items, const std::function<void(int64_t index, int worker)>& task) {
  Impl& pool = *impl_;
  LOE_ASSERT(current_pool != &pool);
  if (n_items <= 0) {
    return;
  }
  LOE_ASSERT(!pool.busy.exchange(true, std::memory_order_acquire));
  pool.task = &task;
  pool.n_items = n_items;
  pool.next.store(0, std::memory_order_relaxed);
  const bool alone = pool.workers.empty() || n_items == 1;
  if (!alone) {
    pool.open_loop();
  }
  pool.run_items(0);
  if (!alone) {
    pool.close_loop();
  }
  const std::exception_ptr failure = std::exchange(pool.failure, nullptr);
  pool.busy.store(false, std::memory_order_release);
  if (failure) {
    std::rethrow_exception(failure);
  }
}

int n_usable_cores() {
#if defined(__linux__)
  // The default mask holds 1024 cores; larger machines need a larger one.
  for (int n_bits = 1024; n_bits <= (1 << 16); n_bits *= 2) {
    cpu_set_t* mask = CPU_ALLOC(n_bits);
    if (mask == nullptr) {
      break;
    }
    const size_t n_bytes = CPU_ALLOC_SIZE(n_bits);
    const int n_cores = sched_getaffinity(0, n_bytes, mask) == 0 ? CPU_COUNT_S(n_bytes, mask) : 0;
    CPU_FREE(mask);
    if (n_cores > 0) {
      return n_cores;
    }
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace loe
