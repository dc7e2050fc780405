// Morton (Z-order) keys: the bits of two or three indices interleaved, so that a contiguous run of keys is compact in
// space. constexpr, so that code for other devices can call it.
#pragma once

#include <cstdint>

namespace loe {

/// Bit i of the low 16 bits of `value` moves to bit 2i.
constexpr uint32_t spread_bits(uint32_t value) {
  value &= 0xFFFFU;
  value = (value | (value << 8)) & 0x00FF00FFU;
  value = (value | (value << 4)) & 0x0F0F0F0FU;
  value = (value | (value << 2)) & 0x33333333U;
  return (value | (value << 1)) & 0x55555555U;
}

/// The reverse of spread_bits; odd bits are dropped.
constexpr uint32_t compact_bits(uint32_t value) {
  value &= 0x55555555U;
  value = (value | (value >> 1)) & 0x33333333U;
  value = (value | (value >> 2)) & 0x0F0F0F0FU;
  value = (value | (value >> 4)) & 0x00FF00FFU;
  return (value | (value >> 8)) & 0xFFFFU;
}

/// Key of a pixel, both indices in 0..65535: column in the even bits, row in the odd bits.
constexpr uint32_t morton_key(uint32_t column, uint32_t row) {
  return spread_bits(column) | (spread_bits(row) << 1);
}
constexpr uint32_t morton_column(uint32_t key) {
  return compact_bits(key);
}
constexpr uint32_t morton_row(uint32_t key) {
  return compact_bits(key >> 1);
}

/// Bit i of the low 21 bits of `value` moves to bit 3i.
constexpr uint64_t spread_bits_3(uint32_t value) {
  uint64_t bits = value & 0x1FFFFFU;
  bits = (bits | (bits << 32)) & 0x001F00000000FFFFU;
  bits = (bits | (bits << 16)) & 0x001F0000FF0000FFU;
  bits = (bits | (bits << 8)) & 0x100F00F00F00F00FU;
  bits = (bits | (bits << 4)) & 0x10C30C30C30C30C3U;
  return (bits | (bits << 2)) & 0x1249249249249249U;
}

/// The reverse of spread_bits_3; bits at other places than 3i are dropped.
constexpr uint32_t compact_bits_3(uint64_t bits) {
  bits &= 0x1249249249249249U;
  bits = (bits | (bits >> 2)) & 0x10C30C30C30C30C3U;
  bits = (bits | (bits >> 4)) & 0x100F00F00F00F00FU;
  bits = (bits | (bits >> 8)) & 0x001F0000FF0000FFU;
  bits = (bits | (bits >> 16)) & 0x001F00000000FFFFU;
  return static_cast<uint32_t>((bits | (bits >> 32)) & 0x1FFFFFU);
}

/// Key of a voxel, each index in 0..2^21 - 1: bit i of x, y and z becomes bit 3i, 3i + 1 and 3i + 2.
constexpr uint64_t morton_key_3(uint32_t x, uint32_t y, uint32_t z) {
  return spread_bits_3(x) | (spread_bits_3(y) << 1) | (spread_bits_3(z) << 2);
}
constexpr uint32_t morton_x_3(uint64_t key) {
  return compact_bits_3(key);
}
constexpr uint32_t morton_y_3(uint64_t key) {
  return compact_bits_3(key >> 1);
}
constexpr uint32_t morton_z_3(uint64_t key) {
  return compact_bits_3(key >> 2);
}

}  // namespace loe
