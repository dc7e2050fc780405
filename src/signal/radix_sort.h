// Sorting of Morton keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace loe {

/// LSD radix sort of the low n_bits of `keys`, ascending. The keys ARE the samples (a Morton key gives back its pixel),
/// so there is no payload to carry.
template <class Key>
void radix_sort(std::vector<Key>& keys, std::vector<Key>& scratch, int n_bits) {
  // 11 bits: three passes for the 32-bit keys of the largest picture, and the counts of a pass (8 KiB) stay in L1.
  constexpr int kDigitBits = 11;
  constexpr Key kDigitMask = (Key{1} << kDigitBits) - 1;
  scratch.resize(keys.size());
  for (int shift = 0; shift < n_bits; shift += kDigitBits) {
    std::array<uint32_t, kDigitMask + 1> start{};
    for (const Key key : keys) {
      ++start[(key >> shift) & kDigitMask];
    }
    uint32_t sum = 0;
    for (uint32_t& count : start) {
      const uint32_t n = count;
      count = sum;
      sum += n;
    }
    for (const Key key : keys) {
      scratch[start[(key >> shift) & kDigitMask]++] = key;
    }
    keys.swap(scratch);
  }
}

}  // namespace loe
