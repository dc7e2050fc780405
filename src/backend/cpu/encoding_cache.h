// Encodings of one axis, remembered by the bits of the coordinate.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/backend/network_spec.h"

namespace loe::cpu {

/// Samples of a picture share their coordinates: a 512 x 512 grid has 512 values per axis, so almost every sine is a
/// copy of an earlier one (a tile of 256 neighbouring pixels has 32 distinct values). 8192 entries serve Table 1's
/// picture, where 1,024 left every second sine to be computed anew (1% of a step). A direct-mapped table per axis saves
/// that cost. Samples along rays share nothing: for them a value costs a doubling, and is within 2^-44 of encode()'s
/// before both are rounded to float. A pure function of the coordinate, whatever was asked before.
class EncodingCache {
 public:
  EncodingCache(const InputSpec& input, int n_dims);
  /// gamma(p) for one sample: p [n_dims] -> out [input.encoding_width(n_dims)].
  void encode(const float* p, float* out);

 private:
  static constexpr int kEntryBits = 13;
  static constexpr int kEntries = 1 << kEntryBits;
  const float* axis_values(int axis, float coordinate);

  InputSpec axis_input_;  ///< the encoding of one coordinate
  int n_dims_;
  int n_raw_;    ///< raw coordinates per axis: 0 or 1
  int n_waves_;  ///< sines and cosines per axis
  std::vector<uint32_t> keys_;
  std::vector<uint8_t> is_used_;
  std::vector<float> values_;
};

}  // namespace loe::cpu
