// Encodings of one axis, remembered by the bits of the coordinate.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cpu/isa/kernels.h"
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
  /// The same rounded to bf16, for encodings with sines: out [input.encoding_width(n_dims)]. A row of Table 5's network
  /// is 108 bytes copied, where rounding a row of f32 took as long as all else of its encoding.
  void encode(const float* p, bf16* out);

 private:
  static constexpr int kEntryBits = 13;
  static constexpr int kEntries = 1 << kEntryBits;
  /// Where the values of a coordinate start.
  std::size_t find_values(int axis, float coordinate);
  template <class T>
  void copy_values(const std::vector<T>& values, const float* p, T* out);

  InputSpec axis_input_;  ///< the encoding of one coordinate
  int n_dims_;
  int n_raw_;    ///< raw coordinates per axis: 0 or 1
  int n_waves_;  ///< sines and cosines per axis
  std::vector<uint32_t> keys_;
  std::vector<uint8_t> is_used_;
  std::vector<float> values_;
  std::vector<bf16> rounded_;  ///< values_ as bf16
};

}  // namespace loe::cpu
