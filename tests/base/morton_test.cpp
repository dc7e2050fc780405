// Morton keys against interleaving bit by bit.
#include "base/morton.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace loe {
namespace {

/// Bit i of `value` at bit `step` i, one bit at a time.
uint64_t spread_slowly(uint32_t value, int step, int n_bits) {
  uint64_t spread = 0;
  for (int i = 0; i < n_bits; ++i) {
    spread |= static_cast<uint64_t>((value >> i) & 1U) << (step * i);
  }
  return spread;
}

/// Each single bit of n_bits, all of them, and a few thousand numbers in between.
std::vector<uint32_t> some_indices(int n_bits) {
  const uint32_t mask = (1U << n_bits) - 1;
  std::vector<uint32_t> values = {0, mask};
  for (int i = 0; i < n_bits; ++i) {
    values.push_back(1U << i);
  }
  for (uint32_t i = 0; i < 4000; ++i) {
    values.push_back((i * 2654435761U) & mask);
  }
  return values;
}

TEST(Morton, TwoIndicesInterleaveAndComeBack) {
  for (const uint32_t value : some_indices(16)) {
    const uint32_t other = (value * 40503U + 7) & 0xFFFFU;
    const uint32_t key = morton_key(value, other);
    ASSERT_EQ(key, spread_slowly(value, 2, 16) | (spread_slowly(other, 2, 16) << 1));
    ASSERT_EQ(morton_column(key), value);
    ASSERT_EQ(morton_row(key), other);
  }
}

TEST(Morton, ThreeIndicesInterleaveAndComeBack) {
  for (const uint32_t value : some_indices(21)) {
    const uint32_t y = (value * 40503U + 7) & 0x1FFFFFU;
    const uint32_t z = (value * 69069U + 5) & 0x1FFFFFU;
    const uint64_t key = morton_key_3(value, y, z);
    ASSERT_EQ(key, spread_slowly(value, 3, 21) | (spread_slowly(y, 3, 21) << 1) | (spread_slowly(z, 3, 21) << 2));
    ASSERT_EQ(morton_x_3(key), value);
    ASSERT_EQ(morton_y_3(key), y);
    ASSERT_EQ(morton_z_3(key), z);
  }
}

TEST(Morton, BitsBeyondTheRangeAreDropped) {
  EXPECT_EQ(spread_bits(0x10001U), 1U);
  EXPECT_EQ(spread_bits_3(0x200001U), 1U);
  EXPECT_EQ(compact_bits(2U), 0U);
  EXPECT_EQ(compact_bits_3(6U), 0U);
}

TEST(Morton, AnAlignedCubeIsOneRunOfKeys) {
  // The 4 x 4 x 4 voxels of the block at (8, 4, 12) hold 64 consecutive keys.
  const uint64_t first = morton_key_3(8, 4, 12);
  std::vector<bool> seen(64);
  for (uint32_t i = 0; i < 64; ++i) {
    const uint64_t offset = morton_key_3(8 + (i & 3U), 4 + ((i >> 2U) & 3U), 12 + (i >> 4U)) - first;
    ASSERT_LT(offset, 64U);
    EXPECT_FALSE(seen[offset]);
    seen[offset] = true;
  }
}

}  // namespace
}  // namespace loe
