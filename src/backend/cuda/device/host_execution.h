// Kernels on the CPU, for tests: the threads of a block are fibers of one thread, run one after another in a chosen
// order from barrier to barrier. What would be undefined on a GPU is an error here (divergent or missed barriers, warp
// operations without all lanes, memory outside of a buffer) or shows as NaN (shared memory before it is written, copies
// before they are waited for) or as a result that depends on the order (a missing barrier).
//
// Slow, a few million context switches a second at most: meant for small problems.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// gcc's names; clang has others.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace loe::cuda::host {

inline constexpr int kWarpSize = 32;

/// What a GPU would not report.
class KernelError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// The order in which the threads of a block take their turns between two barriers.
enum class Order { Forward, Reverse, Shuffled };
struct Schedule {
  Order order = Order::Forward;
  uint64_t seed = 0;  ///< of Shuffled: another permutation every time
};
inline thread_local Schedule schedule;

/// A place in the source.
struct Place {
  const char* file = "";
  int line = 0;
  bool operator==(const Place& other) const { return line == other.line && std::strcmp(file, other.file) == 0; }
  std::string text() const {
    const char* const slash = std::strrchr(file, '/');
    return std::string(slash == nullptr ? file : slash + 1) + ":" + std::to_string(line);
  }
};

/// Shared arrays are static: all that exist are filled with NaN before every block.
struct SharedMemory {
  std::byte* data = nullptr;
  std::size_t n_bytes = 0;
};
inline std::vector<SharedMemory>& shared_memory() {
  static std::vector<SharedMemory> all;
  return all;
}
inline void poison(void* data, std::size_t n_bytes) {
  std::memset(data, 0xFF, n_bytes);  // NaN as f32, f64 and bf16; -1 as an integer
}
/// What the running launch asked for, see dynamic_memory.h.
inline thread_local SharedMemory dynamic_memory;

/// A copy that was issued and not yet waited for.
struct PendingCopy {
  std::byte* to;
  const std::byte* from;
  int n_valid;
  int n_bytes;
};

/// A product of matrices that was issued and not yet waited for.
struct PendingProduct {
  const float* sums;
  std::function<void()> run;
};

enum class ThreadState { Ready, AtBarrier, AtWarp, Done };

/// One thread of the block that runs.
struct Fiber {
  ThreadState state = ThreadState::Ready;
  Place place;
  int index = 0;
  int64_t n_warp_operations = 0;
  std::vector<std::vector<PendingCopy>> copies;       ///< groups, the last one open
  std::vector<std::vector<PendingProduct>> products;  ///< the same
  ucontext_t context{};                               ///< where it starts
  jmp_buf place_of_return;                            ///< where it goes on
  bool has_started = false;
  std::unique_ptr<char[]> stack;
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
#endif
#if defined(__SANITIZE_THREAD__)
  void* sanitizer_fiber = nullptr;
#endif
};

/// Fibers are kept from launch to launch: their stacks are what a block costs.
class FiberPool {
 public:
  ~FiberPool() { forget(); }
  std::span<Fiber> get(std::size_t n) {
    if (n > fibers_.size()) {
      forget();
      fibers_ = std::vector<Fiber>(n);
    }
    return std::span(fibers_).first(n);
  }

 private:
  void forget() {
#if defined(__SANITIZE_THREAD__)
    for (Fiber& fiber : fibers_) {
      if (fiber.sanitizer_fiber != nullptr) __tsan_destroy_fiber(fiber.sanitizer_fiber);
    }
#endif
  }
  std::vector<Fiber> fibers_;
};
inline FiberPool& fiber_pool() {
  static thread_local FiberPool pool;
  return pool;
}

/// Values that the lanes of a warp show each other: two sets, so that one lane may be an operation ahead.
struct WarpSlots {
  static constexpr int kBytes = 64;
  alignas(16) std::byte bytes[2][kWarpSize][kBytes];
};

class Block {
 public:
  static constexpr std::size_t kStackBytes = 128 * 1024;

  Block(int n_threads, const std::function<void()>& body)
      : body_(body), warps_(static_cast<std::size_t>((std::max(n_threads, 0) + kWarpSize - 1) / kWarpSize)) {
    if (n_threads < 1 || n_threads > 1024 || n_threads % kWarpSize != 0) {
      throw KernelError("launch: expected whole warps and at most 1024 threads in a block, got " +
                        std::to_string(n_threads));
    }
    fibers_ = fiber_pool().get(static_cast<std::size_t>(n_threads));
    warp_order_.resize(warps_.size());
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Runs all threads of block number `index` to their end.
  void run(int index) {
    index_ = index;
    for (const SharedMemory& memory : shared_memory()) poison(memory.data, memory.n_bytes);
    if (dynamic_memory.n_bytes > 0) poison(dynamic_memory.data, dynamic_memory.n_bytes);
    for (std::size_t i = 0; i < fibers_.size(); ++i) start(fibers_[i], static_cast<int>(i));
    Block* const before = std::exchange(current_, this);
    std::exception_ptr error;
    try {
      while (turn()) {
      }
    } catch (...) {
      error = std::current_exception();
    }
    current_ = before;
    if (error) std::rethrow_exception(error);
  }

  /// The block that runs; a kernel's functions are called from nowhere else.
  static Block& current() { return *current_; }
  int index() const { return index_; }
  int n_threads() const { return static_cast<int>(fibers_.size()); }
  Fiber& fiber() { return *running_; }

  void barrier(Place place) { wait(ThreadState::AtBarrier, place); }

  /// Shows `value` to the other lanes; afterwards shown<Value>(lane) has theirs until the warp's operation after next.
  template <typename Value>
  void show(const Value& value, Place place) {
    static_assert(sizeof(Value) <= WarpSlots::kBytes);
    const int lane = running_->index % kWarpSize;
    std::memcpy(slots()[lane], &value, sizeof(Value));
    wait(ThreadState::AtWarp, place);
    ++running_->n_warp_operations;
  }
  template <typename Value>
  Value shown(int lane) const {
    Value value;
    WarpSlots& warp = const_cast<WarpSlots&>(warps_[static_cast<std::size_t>(running_->index / kWarpSize)]);
    std::memcpy(&value, warp.bytes[(running_->n_warp_operations - 1) % 2][lane], sizeof(Value));
    return value;
  }

 private:
  std::byte (*slots())[WarpSlots::kBytes] {
    return warps_[static_cast<std::size_t>(running_->index / kWarpSize)].bytes[running_->n_warp_operations % 2];
  }

  void start(Fiber& fiber, int index) {
    fiber.state = ThreadState::Ready;
    fiber.has_started = false;
    fiber.index = index;
    fiber.n_warp_operations = 0;
    fiber.copies.assign(1, {});
    fiber.products.assign(1, {});
    if (!fiber.stack) fiber.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &Block::entry, 0);
#if defined(__SANITIZE_THREAD__)
    if (fiber.sanitizer_fiber == nullptr) fiber.sanitizer_fiber = __tsan_create_fiber(0);
#endif
  }

  /// Where every fiber begins, and never returns from.
  static void entry() {
    Block& block = *current_;
    block.arrived(nullptr);
    try {
      block.body_();
    } catch (...) {
      block.error_ = std::current_exception();
    }
    block.running_->state = ThreadState::Done;
    block.leave(true);
  }

  void wait(ThreadState state, Place place) {
    running_->state = state;
    running_->place = place;
    leave(false);
  }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // The sanitizers take a long jump for one up the same stack.
  void switch_to(Fiber& fiber) {
    swapcontext(&scheduler_, &fiber.context);
  }
  void switch_from(Fiber& fiber) {
    swapcontext(&fiber.context, &scheduler_);
  }
  ucontext_t scheduler_{};
#else
  // Only a fiber's first turn by setcontext, the rest by _longjmp: the former asks the kernel for the signal mask,
  // which was half of the time of all tests.
  void switch_to(Fiber& fiber) {
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.has_started) _longjmp(fiber.place_of_return, 1);
    fiber.has_started = true;
    setcontext(&fiber.context);
  }
  void switch_from(Fiber& fiber) {
    if (_setjmp(fiber.place_of_return) == 0) _longjmp(scheduler_, 1);
  }
  jmp_buf scheduler_;
#endif

  /// From the scheduler into a fiber, until it waits or ends.
  void enter(Fiber& fiber) {
    running_ = &fiber;
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fiber.stack.get(), kStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
    scheduler_fiber_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber.sanitizer_fiber, 0);
#endif
    switch_to(fiber);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
    running_ = nullptr;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  /// From a fiber back to the scheduler.
  void leave([[maybe_unused]] bool is_last) {
    Fiber& fiber = *running_;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(is_last ? nullptr : &fiber.fake_stack, scheduler_stack_, scheduler_stack_bytes_);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(scheduler_fiber_, 0);
#endif
    switch_from(fiber);
#if defined(__SANITIZE_ADDRESS__)
    arrived(fiber.fake_stack);
#endif
  }
  void arrived([[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &scheduler_stack_, &scheduler_stack_bytes_);
#endif
  }

  /// Every warp goes on as far as it can without the others, or shuffled sometimes less far; then the block is let on.
  /// False: all threads are done.
  bool turn() {
    bool has_moved = false;
    permute(warp_order_);
    for (const int warp : warp_order_) {
      const std::size_t first = static_cast<std::size_t>(warp) * kWarpSize;
      do {
        permute(lane_order_);
        for (const int lane : lane_order_) {
          Fiber& fiber = fibers_[first + static_cast<std::size_t>(lane)];
          if (fiber.state != ThreadState::Ready) continue;
          enter(fiber);
          has_moved = true;
        }
      } while (let_on(first, kWarpSize, ThreadState::AtWarp) && !is_paused());
    }
    has_moved |= let_on(0, fibers_.size(), ThreadState::AtBarrier);
    const auto is_done = [](const Fiber& fiber) { return fiber.state == ThreadState::Done; };
    if (std::all_of(fibers_.begin(), fibers_.end(), is_done)) return false;
    if (!has_moved) fail_stuck();
    return true;
  }

  /// Lets threads first .. first + n - 1 on if all of them are in `state`, which must be at one place.
  bool let_on(std::size_t first, std::size_t n, ThreadState state) {
    for (std::size_t i = first; i < first + n; ++i) {
      if (fibers_[i].state != state) return false;
    }
    for (std::size_t i = first; i < first + n; ++i) {
      if (fibers_[i].place != fibers_[first].place) {
        fail("thread " + std::to_string(i) + " waits at " + fibers_[i].place.text() + ", thread " +
             std::to_string(first) + " at " + fibers_[first].place.text());
      }
      fibers_[i].state = ThreadState::Ready;
    }
    return true;
  }

  [[noreturn]] void fail_stuck() const {
    const auto waiting = std::find_if(fibers_.begin(), fibers_.end(),
                                      [](const Fiber& fiber) { return fiber.state != ThreadState::Done; });
    for (const Fiber& fiber : fibers_) {
      if (fiber.state == waiting->state && fiber.place == waiting->place) continue;
      const bool is_gone = fiber.state == ThreadState::Done;
      fail("thread " + std::to_string(waiting->index) + " waits at " + waiting->place.text() + " for thread " +
           std::to_string(fiber.index) + ", which " + (is_gone ? "has ended" : "waits at " + fiber.place.text()));
    }
    fail("no thread can go on");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw KernelError("block " + std::to_string(index_) + ": " + what);
  }

  void permute(std::vector<int>& order) {
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    if (schedule.order == Order::Reverse) std::reverse(order.begin(), order.end());
    if (schedule.order != Order::Shuffled) return;
    for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[draw() % (i + 1)]);
  }
  bool is_paused() {
    return schedule.order == Order::Shuffled && draw() % 8 == 0;
  }
  /// splitmix64
  uint64_t draw() {
    uint64_t z = (schedule.seed + (++n_drawn_) * 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  inline static thread_local Block* current_ = nullptr;
  const std::function<void()>& body_;
  std::span<Fiber> fibers_;
  std::vector<WarpSlots> warps_;
  std::vector<int> warp_order_;
  std::vector<int> lane_order_ = std::vector<int>(kWarpSize);
  Fiber* running_ = nullptr;
  std::exception_ptr error_;
  int index_ = 0;
  uint64_t n_drawn_ = 0;
#if defined(__SANITIZE_ADDRESS__)
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_bytes_ = 0;
#endif
#if defined(__SANITIZE_THREAD__)
  void* scheduler_fiber_ = nullptr;
#endif
};

/// All blocks of a launch, one after another, in the order that `schedule` gives to threads (forward if shuffled).
inline void run_blocks(int64_t n_blocks, int n_threads, const std::function<void()>& body) {
  Block block(n_threads, body);
  for (int64_t i = 0; i < n_blocks; ++i) {
    block.run(static_cast<int>(schedule.order == Order::Reverse ? n_blocks - 1 - i : i));
  }
}

}  // namespace loe::cuda::host
