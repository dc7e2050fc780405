// Kernels on the CPU: that what would be wrong on a GPU shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "backend/cuda/device/async_copy.h"
#include "backend/cuda/device/matrix.h"
#include "backend/cuda/device/warp.h"
#include "backend/cuda/schedules.h"

namespace loe::cuda {
namespace {

using test::for_each_schedule;

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const host::KernelError& error) {
    return error.what();
  }
  return "none";
}

void expect_error(const std::function<void()>& body, const std::string& part) {
  const std::string found = error_of(body);
  EXPECT_NE(found.find(part), std::string::npos) << found;
}

/// out[i] = in[n - 1 - i], through shared memory.
template <bool has_barrier>
void reverse_block(Buffer<const int> in, Buffer<int> out) {
  LOE_SHARED SharedArray<int, 64> shared;
  const int i = thread_index();
  const int64_t first = int64_t{block_index()} * 64;
  shared[i] = in[first + i];
  if constexpr (has_barrier) sync_block();
  out[first + i] = shared[63 - i];
}

std::vector<int> reversed(bool has_barrier) {
  std::vector<int> in(192);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
  std::vector<int> out(in.size());
  const Buffer<const int> from(in.data(), 192);
  const Buffer<int> to(out.data(), 192);
  if (has_barrier) {
    launch({}, 3, 64, reverse_block<true>, from, to);
  } else {
    launch({}, 3, 64, reverse_block<false>, from, to);
  }
  return out;
}

TEST(HostExecution, ABarrierMakesTheOrderOfThreadsIrrelevant) {
  for_each_schedule([] {
    const std::vector<int> out = reversed(true);
    for (int i = 0; i < 192; ++i) ASSERT_EQ(out[static_cast<std::size_t>(i)], i / 64 * 64 + 63 - i % 64);
  });
}

TEST(HostExecution, AMissingBarrierShows) {
  for_each_schedule([] {
    const std::vector<int> out = reversed(false);
    // What nobody has written yet, or what the block before left, is -1.
    EXPECT_EQ(std::count(out.begin(), out.end(), -1), 96);
  });
}

TEST(HostExecution, BarriersThatNotAllThreadsReachAreErrors) {
  static constexpr auto left = +[] {
    if (thread_index() == 5) return;
    sync_block();
  };
  static constexpr auto other = +[] {
    if (thread_index() < 32) {
      sync_block();
    } else {
      sync_block();
    }
  };
  static constexpr auto in_part_of_a_warp = +[] {
    if (lane_index() < 8) ballot(true);
  };
  static constexpr auto at_different_places = +[] {
    if (lane_index() < 8) {
      ballot(true);
    } else {
      shuffle(1, 0);
    }
  };
  static constexpr auto beside_a_barrier = +[] {
    if (lane_index() == 0) {
      sync_block();
    } else {
      sync_warp();
    }
  };
  for_each_schedule([] {
    expect_error([] { launch({}, 1, 64, left); }, "thread 5, which has ended");
    expect_error([] { launch({}, 1, 64, other); }, "host_execution_test.cpp");
    expect_error([] { launch({}, 1, 32, in_part_of_a_warp); }, "which has ended");
    expect_error([] { launch({}, 1, 32, at_different_places); }, "waits at host_execution_test.cpp");
    expect_error([] { launch({}, 1, 32, beside_a_barrier); }, "waits at host_execution_test.cpp");
  });
  expect_error([] { launch({}, 1, 33, left); }, "whole warps");
}

TEST(HostExecution, MemoryOutsideOfABufferIsAnError) {
  static constexpr auto shared = +[](int i) {
    LOE_SHARED SharedArray<float, 8> values;
    if (thread_index() == 31) values[i] = 1;
  };
  static constexpr auto global = +[](Buffer<float> values, int i) {
    if (thread_index() == 31) values[i] = 1;
  };
  launch({}, 1, 32, shared, 7);
  for (const int i : {-1, 8}) {
    expect_error([&] { launch({}, 1, 32, shared, i); }, "shared memory: expected an index below 8");
  }
  std::vector<float> values(8);
  const Buffer<float> buffer(values.data(), 8);
  launch({}, 1, 32, global, buffer, 7);
  EXPECT_EQ(values[7], 1);
  for (const int i : {-1, 8}) {
    expect_error([&] { launch({}, 1, 32, global, buffer, i); }, "global memory: expected indices below 8");
  }
}

TEST(HostExecution, SharedMemoryIsNaNAtTheStartOfEveryBlock) {
  static constexpr auto kernel = +[](Buffer<float> out) {
    LOE_SHARED SharedArray<float, 32> shared;
    out[block_index() * 32 + thread_index()] = shared[thread_index()];
    shared[thread_index()] = 1;
  };
  std::vector<float> out(64);
  launch({}, 2, 32, kernel, Buffer<float>(out.data(), 64));
  EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](float value) { return std::isnan(value); }));
}

TEST(HostExecution, WarpOperations) {
  static constexpr auto kernel = +[](Buffer<int> out) {
    const int i = thread_index();
    const int lane = lane_index();
    // Several in a row: a lane may be one operation ahead.
    const int from = shuffle(10 * i, lane + 1);
    const int up = shuffle_up(i, 3);
    const int other = shuffle_xor(i, 5);
    const unsigned odd = ballot(lane % 2 == 1);
    const unsigned same = match(lane / 7);
    out[5 * i] = from;
    out[5 * i + 1] = up;
    out[5 * i + 2] = other;
    out[5 * i + 3] = static_cast<int>(odd);
    out[5 * i + 4] = count_bits(same) * 100 + count_bits(same & lanes_below());
  };
  for_each_schedule([] {
    std::vector<int> out(5 * 64);
    launch({}, 1, 64, kernel, Buffer<int>(out.data(), 5 * 64));
    for (int i = 0; i < 64; ++i) {
      const int* const found = out.data() + 5 * i;
      const int lane = i % 32;
      ASSERT_EQ(found[0], 10 * (i / 32 * 32 + (lane + 1) % 32));
      ASSERT_EQ(found[1], lane < 3 ? i : i - 3);
      ASSERT_EQ(found[2], i / 32 * 32 + (lane ^ 5));
      ASSERT_EQ(static_cast<unsigned>(found[3]), 0xAAAAAAAAU);
      ASSERT_EQ(found[4], (lane < 28 ? 7 : 4) * 100 + lane % 7);
    }
  });
}

TEST(HostExecution, CopiesAreThereWhenTheyWereWaitedFor) {
  static constexpr auto kernel = +[](Buffer<const float> in, Buffer<float> out) {
    LOE_SHARED SharedArray<float, 8 * 32> shared;
    const int i = thread_index();
    copy_16_bytes(&shared[8 * i], in, 4 * i, 4);
    commit_copies();
    copy_16_bytes(&shared[8 * i + 4], in, 4 * i, 3);
    commit_copies();
    out[4 * i] = shared[8 * i];  // not yet
    wait_copies<1>();
    out[4 * i + 1] = shared[8 * i + 3];
    out[4 * i + 2] = shared[8 * i + 4];  // not yet
    wait_copies<0>();
    out[4 * i + 3] = shared[8 * i + 6] + shared[8 * i + 7];  // the last one is filled with zero
  };
  alignas(16) float in[128];
  for (int i = 0; i < 128; ++i) in[i] = static_cast<float>(i);
  std::vector<float> out(128);
  launch({}, 1, 32, kernel, Buffer<const float>(in, 128), Buffer<float>(out.data(), 128));
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_TRUE(std::isnan(out[4 * i]));
    EXPECT_EQ(out[4 * i + 1], in[4 * i + 3]);
    EXPECT_TRUE(std::isnan(out[4 * i + 2]));
    EXPECT_EQ(out[4 * i + 3], in[4 * i + 2]);
  }
  static constexpr auto beyond = +[](Buffer<const float> from) {
    LOE_SHARED SharedArray<float, 4> shared;
    copy_16_bytes(&shared[0], from, 124, 4);
  };
  launch({}, 1, 32, beyond, Buffer<const float>(in, 128));
  expect_error([&] { launch({}, 1, 32, beyond, Buffer<const float>(in, 127)); }, "global memory");
  expect_error([&] { launch({}, 1, 32, beyond, Buffer<const float>(in + 1, 128)); }, "multiples of 16 bytes");
}

TEST(HostExecution, Bf16RoundsToNearestEven) {
  EXPECT_EQ(to_float(to_bf16(1.0F)), 1.0F);
  EXPECT_EQ(to_float(to_bf16(1.0F + 0x1p-8F)), 1.0F);
  EXPECT_EQ(to_float(to_bf16(1.0F + 3 * 0x1p-8F)), 1.0F + 0x1p-6F);
  EXPECT_EQ(to_float(to_bf16(-1.0F - 0x1.02p-8F)), -1.0F - 0x1p-7F);
  EXPECT_TRUE(std::isinf(to_float(to_bf16(3.4e38F))));
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::nanf("")))));
}

/// D = A B + 1 from row-major operands of small integers, which are exact.
void multiply_tf32_kernel(Buffer<const float> a, Buffer<const float> b, Buffer<float> d) {
  const int g = lane_index() / 4;
  const int i = lane_index() % 4;
  const uint32_t left[4] = {to_tf32(a[g * 8 + i]), to_tf32(a[(g + 8) * 8 + i]), to_tf32(a[g * 8 + i + 4]),
                            to_tf32(a[(g + 8) * 8 + i + 4])};
  const uint32_t right[2] = {to_tf32(b[i * 8 + g]), to_tf32(b[(i + 4) * 8 + g])};
  float sum[4] = {1, 1, 1, 1};
  multiply_tf32(sum, left, right);
  for (int part = 0; part < 4; ++part) d[(g + part / 2 * 8) * 8 + 2 * i + part % 2] = sum[part];
}

/// The same with operands from shared memory: A as it lies, B [16, 8] transposed while it is loaded.
void multiply_bf16_kernel(Buffer<const float> a, Buffer<const float> b, Buffer<float> d) {
  LOE_SHARED SharedArray<Bf16, 16 * 16> left;
  LOE_SHARED SharedArray<Bf16, 16 * 16> right;
  const int lane = lane_index();
  for (int i = lane; i < 256; i += 32) left[i] = to_bf16(a[i]);
  for (int i = lane; i < 256; i += 32) right[i] = to_bf16(i % 16 < 8 ? b[i / 16 * 8 + i % 16] : 0);
  sync_warp();
  uint32_t x[4];
  uint32_t y[4];
  load_matrices(x, &left[(lane % 8 + lane / 8 % 2 * 8) * 16 + lane / 16 * 8]);
  load_matrices_transposed(y, &right[(lane % 8 + lane / 8 % 2 * 8) * 16 + lane / 16 * 8]);
  float sum[4] = {1, 1, 1, 1};
  const uint32_t first[2] = {y[0], y[1]};
  multiply_bf16(sum, x, first);
  const int g = lane / 4;
  const int i = lane % 4;
  for (int part = 0; part < 4; ++part) d[(g + part / 2 * 8) * 8 + 2 * i + part % 2] = sum[part];
}

TEST(HostExecution, MatrixInstructionsMultiplyMatrices) {
  for_each_schedule([] {
    for (const int depth : {8, 16}) {
      std::vector<float> a(static_cast<std::size_t>(16 * depth));
      std::vector<float> b(static_cast<std::size_t>(depth * 8));
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 37 % 19) - 9);
      for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 23 % 17) - 8);
      std::vector<float> d(128);
      launch({}, 1, 32, depth == 8 ? multiply_tf32_kernel : multiply_bf16_kernel,
             Buffer<const float>(a.data(), 16 * depth), Buffer<const float>(b.data(), 8 * depth),
             Buffer<float>(d.data(), 128));
      for (int row = 0; row < 16; ++row) {
        for (int column = 0; column < 8; ++column) {
          float expected = 1;
          for (int k = 0; k < depth; ++k) {
            expected += a[static_cast<std::size_t>(row * depth + k)] * b[static_cast<std::size_t>(k * 8 + column)];
          }
          ASSERT_EQ(d[static_cast<std::size_t>(row * 8 + column)], expected) << depth << " " << row << " " << column;
        }
      }
    }
  });
}

}  // namespace
}  // namespace loe::cuda
