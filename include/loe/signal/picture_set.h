// A set of pictures of one size, for training a generator and for comparing two sets.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace loe {

/// n RGB pictures of R x R pixels and 8 bits, in a fixed order, never changed once made. Copies share the pixels.
/// Every function may be called from several threads at a time.
///
/// A picture is row-major with channels interleaved: value (x, y, c) is element (y R + x) 3 + c, and stands for
/// value / 255 (as in Image).
class PictureSet {
 public:
  PictureSet() = default;
  /// Takes [n, R, R, 3] values. Error(InvalidArgument) unless R is in 1..65536 and n whole pictures are there.
  PictureSet(int resolution, std::vector<uint8_t> pixels);
  /// The same over memory of any owner (a mapped file): `pixels` points to n R R 3 values.
  PictureSet(int resolution, int64_t n_pictures, std::shared_ptr<const uint8_t> pixels);

  int resolution() const { return resolution_; }
  int64_t size() const { return n_pictures_; }
  /// 3 R^2.
  int64_t values_per_picture() const { return int64_t{3} * resolution_ * resolution_; }

  /// [R, R, 3]. Error(InvalidArgument) unless index is in [0, size()).
  std::span<const uint8_t> picture(int64_t index) const;
  /// The same, copied to out [R, R, 3].
  void read(int64_t index, uint8_t* out) const;

  /// 64 bits that depend on resolution, number, order and every value: two sets with equal hashes are the same set,
  /// but for a chance of 2^-64 (no defence against forgery). Same on every machine. Reads all values, about 4 GB/s.
  uint64_t content_hash() const;

 private:
  int resolution_ = 0;
  int64_t n_pictures_ = 0;
  std::shared_ptr<const uint8_t> pixels_;
};

}  // namespace loe
