#include "loe/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

class ThreadPoolOf : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolOf, RunsEveryItemOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.n_threads(), GetParam());
  for (const int64_t n_items : {0, 1, 2, 3, 64, 1000}) {
    std::vector<std::atomic<int>> n_runs(n_items);
    std::atomic<bool> worker_in_range = true;
    pool.parallel_for(n_items, [&](int64_t index, int worker) {
      n_runs[index].fetch_add(1);
      if (worker < 0 || worker >= GetParam()) {
        worker_in_range = false;
      }
    });
    EXPECT_TRUE(worker_in_range);
    for (int64_t index = 0; index < n_items; ++index) {
      ASSERT_EQ(n_runs[index], 1) << "item " << index << " of " << n_items;
    }
  }
}

TEST_P(ThreadPoolOf, NeverSharesAWorkerNumber) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> n_inside(GetParam());
  std::atomic<bool> shared = false;
  pool.parallel_for(300, [&](int64_t, int worker) {
    if (n_inside[worker].fetch_add(1) != 0) {
      shared = true;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    n_inside[worker].fetch_sub(1);
  });
  EXPECT_FALSE(shared);
}

// Many short loops, some after a pause long enough for the workers to fall asleep: what one loop writes, the next
// reads, so a worker that strays into the wrong loop, or a lost wake-up, shows.
TEST_P(ThreadPoolOf, LoopsFollowEachOther) {
  ThreadPool pool(GetParam());
  std::vector<int64_t> values(37, 0);
  constexpr int kLoops = 2000;
  for (int loop = 0; loop < kLoops; ++loop) {
    pool.parallel_for(static_cast<int64_t>(values.size()), [&](int64_t index, int) { values[index] += index + loop; });
    if (loop % 100 == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  for (size_t index = 0; index < values.size(); ++index) {
    EXPECT_EQ(values[index], static_cast<int64_t>(index) * kLoops + int64_t{kLoops} * (kLoops - 1) / 2);
  }
}

TEST_P(ThreadPoolOf, RethrowsAndStaysUsable) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> n_runs = 0;
    const auto failing_loop = [&] {
      pool.parallel_for(1000000, [&](int64_t index, int) {
        ++n_runs;
        if (index == 5) {
          throw std::runtime_error("item 5");
        }
        std::this_thread::sleep_for(std::chrono::microseconds(1));
      });
    };
    EXPECT_THROW(failing_loop(), std::runtime_error);
    EXPECT_LT(n_runs, 1000000) << "the items after a failure are skipped";
  }
  std::atomic<int> n_runs = 0;
  pool.parallel_for(100, [&](int64_t, int) { ++n_runs; });
  EXPECT_EQ(n_runs, 100);
}

TEST_P(ThreadPoolOf, OneExceptionOfManyArrives) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.parallel_for(50, [](int64_t, int) { throw Error(ErrorKind::Cancelled, "stop"); }), Error);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, testing::Range(1, 8));

TEST(ThreadPool, UsesSeveralThreads) {
  ThreadPool pool(2);
  // Item 0 waits for item 1, so the loop only ends if two workers run at once.
  std::atomic<bool> second_ran = false;
  std::atomic<bool> met = false;
  pool.parallel_for(2, [&](int64_t index, int) {
    if (index == 1) {
      second_ran = true;
      return;
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!second_ran && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    met = second_ran.load();
  });
  EXPECT_TRUE(met);
}

TEST(ThreadPool, CountsItsThreads) {
  EXPECT_GE(n_usable_cores(), 1);
  EXPECT_EQ(ThreadPool().n_threads(), n_usable_cores());
  EXPECT_THROW(ThreadPool(-1), Error);
  EXPECT_THROW(ThreadPool(1025), Error);
}

TEST(ThreadPool, PoolsAreIndependent) {
  ThreadPool outer(2);
  std::atomic<int> n_runs = 0;
  outer.parallel_for(4, [&](int64_t, int) {
    ThreadPool inner(2);
    inner.parallel_for(8, [&](int64_t, int) { ++n_runs; });
  });
  EXPECT_EQ(n_runs, 32);
}

TEST(ThreadPool, NestedLoopIsABugOfOurs) {
  ThreadPool pool(2);
  try {
    pool.parallel_for(2, [&](int64_t, int) { pool.parallel_for(2, [](int64_t, int) {}); });
    ADD_FAILURE() << "a nested loop ran";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Internal);
    EXPECT_NE(std::string(error.what()).find("internal error"), std::string::npos) << error.what();
  }
  std::atomic<int> n_runs = 0;
  pool.parallel_for(8, [&](int64_t, int) { ++n_runs; });
  EXPECT_EQ(n_runs, 8) << "the pool survives";
}

}  // namespace
}  // namespace loe
