#include "page_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>

#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/io/image_file.h"
#include "paper_kind.h"

namespace loe::app {
namespace {

struct Size {
  int width;
  int height;
};

Size shrunk_size(int width, int height, int max_side) {
  const int longest = std::max(width, height);
  if (longest <= max_side) return {width, height};
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(int64_t{side} * max_side / longest)); };
  return {scaled(width), scaled(height)};
}

/// First source pixel of box i.
int box_begin(int i, int n_boxes, int size) {
  return static_cast<int>(int64_t{i} * size / n_boxes);
}

/// read_row(y, out) fills [width, n_values]. Returns [size.height, size.width, n_values].
std::vector<float> box_average(int width, int height, int n_values, Size size,
                               const std::function<void(int, float*)>& read_row) {
  const auto row_values = static_cast<std::size_t>(size.width) * static_cast<std::size_t>(n_values);
  std::vector<float> averages(row_values * static_cast<std::size_t>(size.height));
  std::vector<float> row(static_cast<std::size_t>(width) * static_cast<std::size_t>(n_values));
  std::vector<double> sums(row_values);
  for (int j = 0; j < size.height; ++j) {
    const int begin = box_begin(j, size.height, height);
    const int end = box_begin(j + 1, size.height, height);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int y = begin; y < end; ++y) {
      read_row(y, row.data());
      for (int i = 0; i < size.width; ++i) {
        for (int x = box_begin(i, size.width, width); x < box_begin(i + 1, size.width, width); ++x) {
          for (int c = 0; c < n_values; ++c) sums[std::size_t(i) * n_values + c] += row[std::size_t(x) * n_values + c];
        }
      }
    }
    for (std::size_t k = 0; k < row_values; ++k) {
      const int i = static_cast<int>(k) / n_values;
      const int columns = box_begin(i + 1, size.width, width) - box_begin(i, size.width, width);
      averages[static_cast<std::size_t>(j) * row_values + k] =
          static_cast<float>(sums[k] / (static_cast<double>(columns) * (end - begin)));
    }
  }
  return averages;
}

/// IEC 61966-2-1, clipped to [0, 1]; NaN is 0.
float srgb_of_linear(float value) {
  const float v = value > 0 ? std::min(value, 1.0F) : 0.0F;
  return v <= 0.0031308F ? 12.92F * v : 1.055F * std::pow(v, 1 / 2.4F) - 0.055F;
}

void require_error_map(const Image& map) {
  if (map.n_channels() != 3) {
    throw Error(ErrorKind::Format,
                fmt::format("[paper] error map: expected 3 channels, got {}; run the fit again", map.n_channels()));
  }
}

/// Errors of `count` pixels from (x, y) rightwards. row: room for their colours.
void read_errors(const Image& map, int x, int y, int count, std::vector<float>& row, float* errors) {
  row.resize(static_cast<std::size_t>(count) * 3);
  map.read_row(x, y, count, row.data());
  for (int i = 0; i < count; ++i) errors[i] = error_of_color(&row[static_cast<std::size_t>(i) * 3]);
}

/// error_color's sum of channels grows with t: t of each sum, in steps of 1/255 of one channel.
using SumTable = std::array<float, 3 * 255 + 1>;

SumTable make_sum_table() {
  constexpr int kSamples = 20000;
  SumTable table{};
  std::size_t next = 0;
  for (int i = 0; i <= kSamples; ++i) {
    const double t = static_cast<double>(i) / kSamples;
    const std::array<float, 3> color = error_color(t);
    const float sum = (color[0] + color[1] + color[2]) * 255;
    for (; next < table.size() && static_cast<float>(next) <= sum; ++next) table[next] = static_cast<float>(t);
  }
  for (; next < table.size(); ++next) table[next] = 1;
  return table;
}

/// Runs `read` and keeps what went wrong.
void attempt(RunPictures& pictures, const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    pictures.problems.push_back(error.what());
  }
}

/// A run without a folder, and says so.
bool is_unknown(const std::string& folder, RunPictures& pictures) {
  if (folder.empty()) pictures.problems.push_back("no run folder is known");
  return folder.empty();
}

/// Longest side of a shrunk stack of frames, so that none of them is larger than kPageSide: boxes then end where
/// frames do.
int stack_side(const Image& stack, int n_frames) {
  const int n = std::max(n_frames, 1);
  const int frame_height = std::max(stack.height() / n, 1);
  const int longest = std::max(stack.width(), stack.height());
  if (std::max(stack.width(), frame_height) <= kPageSide) return longest;
  // Whole pixels of a frame's height, times the number of frames.
  const int height =
      std::max(1, static_cast<int>(int64_t{frame_height} * kPageSide / std::max(stack.width(), frame_height)));
  return longest == stack.height() ? height * n : kPageSide;
}

}  // namespace

Image shrink_frames(const Image& stack, int n_frames) {
  return shrink_picture(stack, stack_side(stack, n_frames));
}

Image shrink_picture(const Image& image, int max_side) {
  const Size size = shrunk_size(image.width(), image.height(), max_side);
  const int n_channels = image.n_channels();
  const bool is_linear = !is_integer_picture(image.type());
  const auto read_row = [&](int y, float* out) {
    image.read_row(0, y, image.width(), out);
    // An infinite or undefined value would spoil its whole box.
    for (int64_t i = 0; is_linear && i < int64_t{image.width()} * n_channels; ++i) {
      out[i] = out[i] > 0 ? std::min(out[i], 1.0F) : 0.0F;
    }
  };
  std::vector<float> values = box_average(image.width(), image.height(), n_channels, size, read_row);
  const bool has_alpha = n_channels % 2 == 0;
  for (std::size_t i = 0; is_linear && i < values.size(); ++i) {
    const bool is_alpha = has_alpha && i % std::size_t(n_channels) == std::size_t(n_channels) - 1;
    if (!is_alpha) values[i] = srgb_of_linear(values[i]);
  }
  Image small(size.width, size.height, n_channels, PixelType::U8);
  for (int y = 0; y < size.height; ++y) {
    small.write_row(0, y, size.width, &values[std::size_t(y) * std::size_t(size.width) * std::size_t(n_channels)]);
  }
  return small;
}

float error_of_color(const float* rgb) {
  static const SumTable table = make_sum_table();
  const float sum = (rgb[0] + rgb[1] + rgb[2]) * 255;
  const auto index = static_cast<std::size_t>(std::clamp(std::round(sum), 0.0F, static_cast<float>(table.size() - 1)));
  return table[index] * static_cast<float>(kErrorMapScale);
}

ErrorValues shrink_errors(const Image& map, int max_side) {
  require_error_map(map);
  const Size size = shrunk_size(map.width(), map.height(), max_side);
  std::vector<float> row;
  const auto read_row = [&](int y, float* out) { read_errors(map, 0, y, map.width(), row, out); };
  return {size.width, size.height, box_average(map.width(), map.height(), 1, size, read_row)};
}

ErrorValues detail_errors(const Image& map) {
  require_error_map(map);
  const int side = std::clamp(std::min(map.width(), map.height()) / 2, 1, kDetailSide);
  ErrorValues detail{side, side, {}};
  detail.values.resize(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  std::vector<float> row;
  for (int y = 0; y < side; ++y) {
    read_errors(map, map.width() / 2 - side / 2, map.height() / 2 - side / 2 + y, side, row,
                &detail.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(side)]);
  }
  return detail;
}

Image color_errors(const ErrorValues& errors, double scale) {
  Image picture(errors.width, errors.height, 3, PixelType::U8);
  std::vector<float> row(static_cast<std::size_t>(errors.width) * 3);
  for (int y = 0; y < errors.height; ++y) {
    for (int x = 0; x < errors.width; ++x) {
      const auto pixel = static_cast<std::size_t>(x);
      const float value = errors.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(errors.width) + pixel];
      const std::array<float, 3> color = error_color(value / scale);
      std::copy(color.begin(), color.end(), row.begin() + static_cast<std::ptrdiff_t>(3 * pixel));
    }
    picture.write_row(0, y, errors.width, row.data());
  }
  return picture;
}

double common_scale(const std::vector<const ErrorValues*>& maps) {
  std::vector<float> all;
  for (const ErrorValues* map : maps) all.insert(all.end(), map->values.begin(), map->values.end());
  if (all.empty()) return kErrorMapScale;
  const auto high = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) * 9 / 10);
  std::nth_element(all.begin(), high, all.end());
  double scale = kErrorMapScale;
  for (const double smaller : {0.05, 0.02, 0.01, 0.005, 0.002}) {
    if (*high <= smaller) scale = smaller;
  }
  return scale;
}

RunPictures read_run_pictures(const std::string& folder) {
  RunPictures pictures;
  if (is_unknown(folder, pictures)) return pictures;
  const std::filesystem::path path = folder;
  attempt(pictures, [&] {
    std::error_code ignored;
    const std::filesystem::path png = path / reconstruction_name(PixelType::U8);
    const std::filesystem::path exr = path / reconstruction_name(PixelType::F32);
    const bool use_exr = !std::filesystem::exists(png, ignored) && std::filesystem::exists(exr, ignored);
    pictures.reconstruction = shrink_picture(read_image((use_exr ? exr : png).string()), kPageSide);
  });
  attempt(pictures, [&] {
    const Image map = read_image((path / "error.png").string());
    pictures.errors = shrink_errors(map, kPageSide);
    pictures.detail = detail_errors(map);
  });
  return pictures;
}

RunPictures read_run_stacks(const std::string& folder, const StackFiles& files, int n_parts) {
  RunPictures pictures;
  if (is_unknown(folder, pictures)) return pictures;
  const auto n_shown = static_cast<int>(shown_parts(n_parts).size());
  attempt(pictures,
          [&] { pictures.reconstruction = shrink_frames(read_image(folder + "/" + files.pictures), n_shown); });
  if (files.errors != nullptr) {
    attempt(pictures, [&] {
      const Image map = read_image(folder + "/" + files.errors);
      pictures.errors = shrink_errors(map, stack_side(map, n_shown));
    });
  }
  std::error_code ignored;
  if (files.extra != nullptr && std::filesystem::exists(folder + "/" + files.extra, ignored)) {
    attempt(pictures, [&] { pictures.extra = shrink_frames(read_image(folder + "/" + files.extra), n_shown); });
  }
  return pictures;
}

}  // namespace loe::app
