// Product chunks: a batch of random pixels chosen so that every expert meets the same number of samples, all of them in
// one small chunk of the batch. What a trainer of narrow networks needs to update an expert as soon as its gradient is
// known; for all others a way of drawing pixels like any other.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/network_spec.h"

namespace loe {

/// Column, row and frame (0 in a picture) of a pixel.
struct PixelPlace {
  int32_t x = 0;
  int32_t y = 0;
  int32_t t = 0;
  bool operator==(const PixelPlace&) const = default;
};

/// How a batch of pixels is drawn, as a function of network, size of the signal, batch size, seed and step.
///
/// Nested cells: along each axis a level's expert is the digit floor(x / s) mod N of the pixel's index x, where the
/// cells s of the levels are whole pixels and the next coarser level's s is a multiple of s N. Then x is a number of
/// mixed radix: one digit for each level that tells experts apart on that axis, and free digits for what no level sees
/// (places inside the finest cell, gaps between levels, repetitions of the coarsest tile). Digits can be chosen
/// independently. The box of all digits may be larger than the signal; samples that fall outside are left out.
///
/// A batch of step r has n_chunks() chunks of chunk_samples() draws. With n_l the experts of level l that occur:
/// * order_l, a uniform random permutation of them: Fisher and Yates from the back, element i exchanged with
///   to_bounded(word, i + 1), words of random_words(seed, RandomStream::Samples, r, lane (l + 1) 2^24 + block), four
///   a block, i descending from n_l - 1 to 1.
/// * Chunk c of C takes the experts of places c n_l / C .. (c + 1) n_l / C - 1 (rounded down) of order_l. A level with
///   fewer experts than chunks is shared: every chunk takes all of them, order_l turned by c places.
/// * Sample s of M in a chunk belongs to expert floor(rank_l(s) S / M) of the chunk's S, rank_l(s) = g_l s mod M, where
///   g of the first such level is 1 and of the k-th after it the next number from floor(M frac(sqrt(p_k))) on without
///   common divisor with M, p_k the k-th prime: fixed lists of rows, as evenly spread over pairs and triples of experts
///   as a lattice can be.
/// * Its free digits are word number s of the chunk, to_bounded() by their count: words of random_words(seed, Samples,
///   r, lane block), block (c M + s) / 4.
/// Each digit of each sample is uniform and they are independent, so every pixel is equally likely; samples of one
/// batch are not independent of each other: every expert has its share. In a network that tells no experts apart the
/// axes are the digits: sample number k of the batch takes words d k .. d k + d - 1 of those that free digits have, one
/// for each of its d axes; such samples are independent. Given that an expert of a level that is not
/// shared meets all its samples of a step in one chunk, its gradient by the batch is complete when that chunk is.
class ProductChunks {
 public:
  /// Experts of one level in one chunk. The rows of group i, exactly first[i + 1] - first[i] of them, are
  /// rows[padded_first[i]] .., followed by repetitions of the last up to a multiple of kRowPadding.
  struct Groups {
    int n = 0;                        ///< S
    std::vector<uint16_t> of_sample;  ///< [M] group of each sample
    std::vector<int> first;           ///< [n + 1]
    std::vector<int> padded_first;    ///< [n + 1]
    std::vector<uint16_t> rows;       ///< ascending within a group
    int n_rows(int group) const { return first[group + 1] - first[group]; }
    int n_padded_rows(int group) const { return padded_first[group + 1] - padded_first[group]; }
  };
  static constexpr int kRowPadding = 16;

  struct Level {
    int layer = 0;                    ///< index in NetworkSpec::layers
    std::vector<int> experts;         ///< that occur in the signal, ascending
    std::vector<PixelPlace> origins;  ///< first pixel of each one's first cell
    bool is_shared = false;
    std::array<Groups, 2> groups;  ///< of chunks with n_l / C experts, rounded down and up
  };

  /// A step's random choices.
  struct Round {
    uint64_t seed = 0;
    int64_t step = 0;
    std::vector<std::vector<int>> order;  ///< [level] indices into Level::experts
  };

  /// Why the pixels of a signal of this size (width, height, frames) cannot be drawn so for this network, or "". The
  /// grids are compared with route_index() at every coordinate: what is drawn is what is routed.
  static std::string why_not(const NetworkSpec& spec, const std::array<int64_t, 3>& size);

  /// batch_size, 1..2^26, is rounded down to whole chunks, at least one sample each. Error(Unsupported) with why_not().
  ProductChunks(const NetworkSpec& spec, const std::array<int64_t, 3>& size, int64_t batch_size);

  const std::array<int64_t, 3>& size() const { return size_; }
  int n_dims() const { return n_dims_; }
  int n_chunks() const { return n_chunks_; }
  int chunk_samples() const { return chunk_samples_; }
  int64_t n_draws() const { return int64_t{n_chunks_} * chunk_samples_; }
  /// Whether no draw can fall outside the signal.
  bool fills_signal() const { return fills_signal_; }
  /// Levels with more than one expert in the signal, in the order of the layers.
  const std::vector<Level>& levels() const { return levels_; }
  /// The groups of a level in a chunk, and the expert of one as an index in Level::experts.
  const Groups& groups(int level, int chunk) const;
  int expert(const Round& round, int level, int chunk, int group) const;

  Round draw_round(uint64_t seed, int64_t step) const;
  /// The chunk's samples in order, places [chunk_samples()]. Those outside the signal lie beyond its end on some axis.
  void draw_chunk(const Round& round, int chunk, std::span<PixelPlace> places) const;
  bool is_inside(const PixelPlace& place) const {
    return place.x < size_[0] && place.y < size_[1] && place.t < size_[2];
  }

 private:
  int first_place(int level, int chunk) const;
  void draw_anywhere(const Round& round, int chunk, std::span<PixelPlace> places) const;

  std::array<int64_t, 3> size_;
  int n_dims_;
  int n_chunks_ = 1;
  int chunk_samples_ = 1;
  bool fills_signal_ = true;
  std::vector<Level> levels_;
  std::vector<PixelPlace> free_;  ///< what the free digits add, by their number; empty if no level is known
};

/// A batch drawn as product chunks, for a backend that can make use of it: one round. Valid as long as its source is.
class ProductSamples {
 public:
  virtual ~ProductSamples() = default;
  virtual const ProductChunks& chunks() const = 0;
  virtual uint64_t seed() const = 0;
  virtual int64_t step() const = 0;
  /// No value of the signal is larger in size; infinity if that is not known, or if some are not numbers.
  virtual float largest_value() const = 0;
  /// Values of pixels inside the signal as floats; targets [n places, n_channels]. Thread-safe.
  virtual void read(std::span<const PixelPlace> places, float* targets) const = 0;
  /// Told by who draws the chunks how many of the step's draws lie inside the signal, so that SampleSource::n_samples()
  /// need not draw them once more to count them. Not thread-safe.
  virtual void note_inside(int64_t n_inside) const = 0;
};

}  // namespace loe
