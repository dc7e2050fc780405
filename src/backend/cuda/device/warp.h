// Exchange between the 32 lanes of a warp. All lanes must take part.
#pragma once

#include "backend/cuda/device/kernel.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

#ifdef __CUDACC__

/// The value of lane `from`.
template <typename T>
LOE_DEVICE T shuffle(T value, int from) {
  return __shfl_sync(kAllLanes, value, from);
}
/// The value of the lane `distance` below; its own for the first `distance` lanes.
template <typename T>
LOE_DEVICE T shuffle_up(T value, int distance) {
  return __shfl_up_sync(kAllLanes, value, distance);
}
/// The value of lane (own index) ^ mask.
template <typename T>
LOE_DEVICE T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(kAllLanes, value, mask);
}
/// Bit i: lane i's condition.
LOE_DEVICE unsigned ballot(bool condition) {
  return __ballot_sync(kAllLanes, condition);
}
/// Bit i: lane i has the same value.
LOE_DEVICE unsigned match(int value) {
  return __match_any_sync(kAllLanes, value);
}
LOE_DEVICE int count_bits(unsigned bits) {
  return __popc(bits);
}

#else

template <typename T>
inline T shuffle(T value, int from, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(value, {file, line});
  return block.shown<T>(from & (kLanes - 1));
}
template <typename T>
inline T shuffle_up(T value, int distance, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(value, {file, line});
  const int from = block.fiber().index % kLanes - distance;
  return from < 0 ? value : block.shown<T>(from);
}
template <typename T>
inline T shuffle_xor(T value, int mask, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(value, {file, line});
  return block.shown<T>((block.fiber().index ^ mask) & (kLanes - 1));
}
inline unsigned ballot(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(condition, {file, line});
  unsigned bits = 0;
  for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<unsigned>(block.shown<bool>(lane)) << lane;
  return bits;
}
inline unsigned match(int value, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host::Block& block = host::Block::current();
  block.show(value, {file, line});
  unsigned bits = 0;
  for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<unsigned>(block.shown<int>(lane) == value) << lane;
  return bits;
}
inline int count_bits(unsigned bits) {
  return __builtin_popcount(bits);
}

#endif

/// Of lanes below the own one.
LOE_DEVICE unsigned lanes_below() {
  return (1U << lane_index()) - 1;
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
