// A small pool of worker threads for data-parallel loops.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace loe {

/// Runs loops over independent items on a fixed number of threads.
///
/// Items are handed out dynamically, so which worker runs an item is not deterministic: callers that need the same
/// bits for any thread count must make the result of an item depend on its index alone, and combine results in
/// index order. One loop at a time; calling parallel_for from inside a task is a bug (asserted).
class ThreadPool {
 public:
  /// n_threads = 0 takes the number of cores this process may use. The calling thread is one of the workers.
  /// Throws Error(InvalidArgument) if n_threads < 0 or > 1024.
  explicit ThreadPool(int n_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int n_threads() const;

  /// Calls task(index, worker) once for every index in [0, n_items), worker in [0, n_threads()). Returns when all
  /// are done. If tasks throw, the remaining items are skipped and one of the exceptions is rethrown.
  void parallel_for(int64_t n_items, const std::function<void(int64_t index, int worker)>& task);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Cores this process may run on (its affinity mask), at least 1.
int n_usable_cores();

}  // namespace loe
