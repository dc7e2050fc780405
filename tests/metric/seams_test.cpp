#include "loe/metric/seams.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

struct Size {
  int width;
  int height;
  int n_channels;
  int n_chunks;
};

using ErrorAt = std::function<double(int x, int y, int c)>;

/// A target of eighths, so that prediction - target is the error exactly if that is a multiple of 1/1024.
SeamStats measure(const Size& size, const ErrorAt& error) {
  SeamMeter meter(size.width, size.height, size.n_channels, size.n_chunks);
  std::vector<float> prediction(size.width * size.n_channels);
  std::vector<float> target(prediction.size());
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      for (int c = 0; c < size.n_channels; ++c) {
        const int at = x * size.n_channels + c;
        target[at] = static_cast<float>((3 * x + 5 * y + c) % 8) / 8;
        prediction[at] = target[at] + static_cast<float>(error(x, y, c));
      }
    }
    meter.add_row(prediction.data(), target.data());
  }
  return meter.stats();
}

TEST(Seams, ConstantErrorHasNoSeams) {
  const SeamStats stats = measure({16, 12, 3, 4}, [](int, int, int) { return -0.25; });
  EXPECT_DOUBLE_EQ(stats.border_mse, 0.0625);
  EXPECT_DOUBLE_EQ(stats.interior_mse, 0.0625);
  EXPECT_EQ(stats.border_jump, 0);
  EXPECT_EQ(stats.interior_jump, 0);
  EXPECT_EQ(stats.chunk_mse, std::vector<double>(16, 0.0625));
  EXPECT_EQ(stats.chunk_spread_db, 0);
}

TEST(Seams, ErrorAtTheBordersOnly) {
  // 8 x 8 in 2 x 2 chunks: the inner borders are between 3 and 4. 28 pixels touch them, 16 pairs cross them; of the
  // 112 - 16 others, 4 x 6 lead from the band of width 2 to the inside.
  const auto touches = [](int at) { return at == 3 || at == 4; };
  const SeamStats stats = measure({8, 8, 1, 2}, [&](int x, int y, int) { return touches(x) || touches(y) ? 0.5 : 0; });
  EXPECT_DOUBLE_EQ(stats.border_mse, 0.25);
  EXPECT_EQ(stats.interior_mse, 0);
  EXPECT_EQ(stats.border_jump, 0);
  EXPECT_DOUBLE_EQ(stats.interior_jump, 24 * 0.5 / 96);
  EXPECT_DOUBLE_EQ(stats.chunk_mse[0], 7 * 0.25 / 16);
  EXPECT_EQ(stats.chunk_spread_db, 0);
}

TEST(Seams, ChunksWithErrorsOfTheirOwn) {
  // Errors +-1/8 on a checkerboard of chunks, 1/4 in the first: a step across every border, none inside.
  const SeamStats stats = measure({8, 8, 2, 4}, [](int x, int y, int) {
    return x < 2 && y < 2 ? 0.25 : (x / 2 + y / 2) % 2 == 0 ? 0.125 : -0.125;
  });
  // 12 borders of 2 pixels along each axis: 48 pairs, 4 of them at the first chunk.
  EXPECT_DOUBLE_EQ(stats.border_jump, (44 * 0.25 + 4 * 0.375) / 48);
  EXPECT_EQ(stats.interior_jump, 0);
  std::vector<double> chunk_mse(16, 0.015625);
  chunk_mse[0] = 0.0625;
  EXPECT_EQ(stats.chunk_mse, chunk_mse);
  // One of 16 values differs by s: standard deviation s sqrt(15) / 16.
  EXPECT_NEAR(stats.chunk_spread_db, 10 * std::log10(4.0) * std::sqrt(15.0) / 16, 1e-12);
}

TEST(Seams, ChunksAreOrderedRowByRowAndThoseWithoutErrorHaveNoDecibels) {
  const SeamStats stats = measure({4, 4, 1, 2}, [](int x, int y, int) { return x >= 2 && y < 2 ? 0.5 : 0; });
  EXPECT_EQ(stats.chunk_mse, (std::vector<double>{0, 0.25, 0, 0}));
  EXPECT_EQ(stats.chunk_spread_db, 0);
  const SeamStats two = measure({4, 4, 1, 2}, [](int x, int y, int) { return y >= 2 ? 0 : x >= 2 ? 0.5 : 0.25; });
  EXPECT_NEAR(two.chunk_spread_db, 10 * std::log10(4.0) / 2, 1e-12);
}

TEST(Seams, EveryChannelCounts) {
  const SeamStats stats = measure({4, 4, 2, 2}, [](int x, int, int c) { return c == 1 ? (x >= 2 ? 0.5 : -0.5) : 0; });
  // Half of the 8 pairs across a border are side by side; they jump by 1 in one of two channels.
  EXPECT_DOUBLE_EQ(stats.border_jump, 0.25);
  EXPECT_DOUBLE_EQ(stats.border_mse, 0.125);
}

struct Mean {
  double sum = 0;
  int n = 0;
  void add(double value) {
    sum += value;
    ++n;
  }
  double value() const { return n == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / n; }
};

/// The formulas of docs/metrics.md on a whole picture, with every pair of pixels' neighbours looked up.
SeamStats plain_seams(const Size& size, const ErrorAt& error) {
  const auto chunk_of = [&](int at, int extent) {
    int chunk = 0;
    while (at >= (chunk + 1) * extent / size.n_chunks) ++chunk;
    return chunk;
  };
  const auto chunk = [&](int x, int y) { return chunk_of(y, size.height) * size.n_chunks + chunk_of(x, size.width); };
  Mean border;
  Mean interior;
  Mean border_jump;
  Mean interior_jump;
  std::vector<Mean> chunks(size.n_chunks * size.n_chunks);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      bool touches = false;
      for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
        if (x + dx < 0 || x + dx >= size.width || y + dy < 0 || y + dy >= size.height) continue;
        const bool crosses = chunk(x, y) != chunk(x + dx, y + dy);
        touches = touches || crosses;
        for (int c = 0; c < size.n_channels; ++c) {  // each pair twice: the mean stays
          (crosses ? border_jump : interior_jump).add(std::abs(error(x, y, c) - error(x + dx, y + dy, c)));
        }
      }
      for (int c = 0; c < size.n_channels; ++c) {
        const double square = error(x, y, c) * error(x, y, c);
        (touches ? border : interior).add(square);
        chunks[chunk(x, y)].add(square);
      }
    }
  }
  SeamStats stats{border.value(), interior.value(), border_jump.value(), interior_jump.value(), {}, 0};
  Mean decibels;
  Mean squares;
  for (const Mean& mean : chunks) stats.chunk_mse.push_back(mean.value());
  for (const double mse : stats.chunk_mse) decibels.add(10 * std::log10(mse));
  for (const double mse : stats.chunk_mse) squares.add(std::pow(10 * std::log10(mse) - decibels.value(), 2));
  stats.chunk_spread_db = std::sqrt(squares.value());
  return stats;
}

TEST(Seams, EqualsPlainFormula) {
  const auto expect_near = [](double value, double plain) {
    EXPECT_EQ(std::isnan(value), std::isnan(plain));
    if (!std::isnan(plain)) {
      EXPECT_NEAR(value, plain, 1e-13 * (1 + std::abs(plain)));
    }
  };
  // Sizes that n divides and that it does not, chunks of one and two pixels, one chunk, one row.
  for (const Size& size : {Size{12, 8, 1, 4},
                           {13, 7, 3, 4},
                           {31, 29, 2, 5},
                           {7, 7, 1, 7},
                           {6, 9, 1, 3},
                           {5, 6, 1, 4},
                           {9, 5, 2, 1},
                           {17, 1, 1, 1},
                           {1, 1, 4, 1}}) {
    SCOPED_TRACE(std::to_string(size.width) + " x " + std::to_string(size.height) + " in " +
                 std::to_string(size.n_chunks));
    std::mt19937 engine(size.width * 100 + size.height);
    std::vector<double> errors(size.width * size.height * size.n_channels);
    for (double& value : errors) value = static_cast<int>(engine() % 511) - 255;
    const ErrorAt error = [&](int x, int y, int c) {
      return errors[(y * size.width + x) * size.n_channels + c] / 1024;
    };
    const SeamStats stats = measure(size, error);
    const SeamStats plain = plain_seams(size, error);
    expect_near(stats.border_mse, plain.border_mse);
    expect_near(stats.interior_mse, plain.interior_mse);
    expect_near(stats.border_jump, plain.border_jump);
    expect_near(stats.interior_jump, plain.interior_jump);
    ASSERT_EQ(stats.chunk_mse.size(), plain.chunk_mse.size());
    for (std::size_t i = 0; i < plain.chunk_mse.size(); ++i) expect_near(stats.chunk_mse[i], plain.chunk_mse[i]);
    EXPECT_NEAR(stats.chunk_spread_db, plain.chunk_spread_db, 1e-11);
  }
}

TEST(Seams, NotANumberIsSeen) {
  const SeamStats stats = measure({8, 8, 1, 2}, [](int x, int y, int) { return x == 0 && y == 0 ? NAN : 0.5; });
  EXPECT_TRUE(std::isnan(stats.interior_mse));
  EXPECT_TRUE(std::isnan(stats.chunk_mse[0]));
  EXPECT_TRUE(std::isnan(stats.chunk_spread_db));
  EXPECT_FALSE(std::isnan(stats.border_mse));
}

void expect_error(const std::function<void()>& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "no error: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Seams, Errors) {
  expect_error([] { SeamMeter(0, 4, 1, 1); }, "[metric] picture");
  expect_error([] { SeamMeter(4, -1, 1, 1); }, "[metric] picture");
  expect_error([] { SeamMeter(4, 4, 0, 1); }, "[metric] picture");
  expect_error([] { SeamMeter(4, 4, 1, 0); }, "n_chunks: expected 1..4");
  expect_error([] { SeamMeter(9, 4, 1, 5); }, "n_chunks: expected 1..4");

  SeamMeter meter(4, 2, 1, 2);
  const std::vector<float> row(4);
  expect_error([&] { (void)meter.stats(); }, "rows: expected 2 (height), got 0");
  meter.add_row(row.data(), row.data());
  expect_error([&] { (void)meter.stats(); }, "rows: expected 2 (height), got 1");
  meter.add_row(row.data(), row.data());
  EXPECT_EQ(meter.stats().border_mse, 0);
  expect_error([&] { meter.add_row(row.data(), row.data()); }, "one more");
  EXPECT_EQ(meter.stats().border_mse, 0);
}

}  // namespace
}  // namespace loe
