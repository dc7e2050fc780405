#include "backend/cpu/encoding_cache.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "backend/cpu/bf16.h"
#include "backend/network_builders.h"
#include "loe/backend/encoding.h"

namespace loe {
namespace {

/// Half a unit in the last place of either value, and what the doublings may lose before it.
double tolerance(float value) {
  const double ulp = std::nextafter(std::abs(value), std::numeric_limits<float>::infinity()) - std::abs(value);
  return ulp + 0x1p-44;
}

void expect_the_encoding(const InputSpec& input, int n_dims, const std::vector<float>& coords) {
  cpu::EncodingCache cache(input, n_dims);
  const std::size_t width = static_cast<std::size_t>(input.encoding_width(n_dims));
  std::vector<float> expected(width);
  std::vector<float> found(width);
  int n_different = 0;
  int n_values = 0;
  for (std::size_t at = 0; at < coords.size(); at += static_cast<std::size_t>(n_dims)) {
    encode(input, n_dims, coords.data() + at, expected.data());
    cache.encode(coords.data() + at, found.data());
    for (std::size_t i = 0; i < width; ++i, ++n_values) {
      ASSERT_NEAR(found[i], expected[i], tolerance(expected[i])) << "value " << i << " of sample " << at;
      n_different += std::abs(expected[i]) > 0.1F && found[i] != expected[i] ? 1 : 0;
    }
  }
  // Two roundings to float part ways where 2^-44 next to a tie decide. Not counted: values near 0, of which 2^-44 is a
  // part that shows (floats in [-1, 1] at the highest frequency hit the zeros of sines and cosines).
  EXPECT_LT(n_different, n_values / 1000);
}

TEST(EncodingCache, IsTheEncodingWithinTheRoundingOfItsDoublings) {
  for (const int n_frequencies : {1, 8, 9, 10, 13, 24}) {
    for (const double scale : {1.0, std::numbers::pi, 2 * std::numbers::pi}) {
      const InputSpec input = {.n_frequencies = n_frequencies, .frequency_scale = scale};
      expect_the_encoding(input, 3, test::random_floats(3 * 500, -1, 1, 17));
    }
  }
}

TEST(EncodingCache, InBf16IsTheSameRounded) {
  for (const bool has_raw : {false, true}) {
    const InputSpec input = {.n_frequencies = 7, .include_coordinates = has_raw};
    cpu::EncodingCache cache(input, 2);
    cpu::EncodingCache other(input, 2);
    const std::vector<float> coords = test::random_floats(2 * 300, -1, 1, 5);
    std::vector<float> values(static_cast<std::size_t>(input.encoding_width(2)));
    std::vector<cpu::bf16> rounded(values.size());
    for (std::size_t at = 0; at < coords.size(); at += 2) {
      cache.encode(coords.data() + at, rounded.data());
      other.encode(coords.data() + at, values.data());
      for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(rounded[i], cpu::round_to_bf16(values[i]));
    }
  }
}

TEST(EncodingCache, AtTheZerosOfItsSines) {
  std::vector<float> coords;
  for (int i = -64; i <= 64; ++i) coords.push_back(static_cast<float>(i) / 64);
  const InputSpec input = {.n_frequencies = 13, .frequency_scale = std::numbers::pi};
  cpu::EncodingCache cache(input, 1);
  std::vector<float> expected(static_cast<std::size_t>(input.encoding_width(1)));
  std::vector<float> found(expected.size());
  for (const float p : coords) {
    encode(input, 1, &p, expected.data());
    cache.encode(&p, found.data());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance(expected[i])) << p;
  }
}

TEST(EncodingCache, AnswersTheSameWhateverWasAskedBefore) {
  const InputSpec input = {.n_frequencies = 10, .coordinate_range = {-1, 1}};
  const std::vector<float> coords = test::random_floats(3 * 9000, 0, 1, 5);  // more than a table has entries
  cpu::EncodingCache used(input, 3);
  std::vector<float> first(static_cast<std::size_t>(input.encoding_width(3)));
  std::vector<float> again(first.size());
  for (std::size_t at = 0; at < coords.size(); at += 3) used.encode(coords.data() + at, again.data());
  for (std::size_t at = 0; at < coords.size(); at += 3 * 50) {
    cpu::EncodingCache fresh(input, 3);
    fresh.encode(coords.data() + at, first.data());
    used.encode(coords.data() + at, again.data());
    EXPECT_EQ(first, again);
  }
}

}  // namespace
}  // namespace loe
