// Morton (Z-order) keys: the bits of column and row interleaved, so that a contiguous run of keys is compact in space.
#pragma once

#include <cstdint>

namespace loe {

/// Bit i of the low 16 bits of `value` moves to bit 2i.
inline uint32_t spread_bits(uint32_t value) {
  value &= 0xFFFFU;
  value = (value | (value << 8)) & 0x00FF00FFU;
  value = (value | (value << 4)) & 0x0F0F0F0FU;
  value = (value | (value << 2)) & 0x33333333U;
  return (value | (value << 1)) & 0x55555555U;
}

/// The reverse of spread_bits; odd bits are dropped.
inline uint32_t compact_bits(uint32_t value) {
  value &= 0x55555555U;
  value = (value | (value >> 1)) & 0x33333333U;
  value = (value | (value >> 2)) & 0x0F0F0F0FU;
  value = (value | (value >> 4)) & 0x00FF00FFU;
  return (value | (value >> 8)) & 0xFFFFU;
}

/// Key of a pixel, both indices in 0..65535: column in the even bits, row in the odd bits.
inline uint32_t morton_key(uint32_t column, uint32_t row) {
  return spread_bits(column) | (spread_bits(row) << 1);
}
inline uint32_t morton_column(uint32_t key) {
  return compact_bits(key);
}
inline uint32_t morton_row(uint32_t key) {
  return compact_bits(key >> 1);
}

}  // namespace loe
