#include "loe/fitting/pictures.h"

#include <algorithm>
#include <cmath>

#include "loe/task/video_task.h"

namespace loe {
namespace {

/// Nine stops of equal steps in brightness, read off a dark-to-bright map of the "fire" family and joined linearly.
constexpr std::array<std::array<float, 3>, 9> kColors = {{{0.00F, 0.00F, 0.02F},
                                                          {0.12F, 0.05F, 0.29F},
                                                          {0.34F, 0.06F, 0.43F},
                                                          {0.55F, 0.13F, 0.40F},
                                                          {0.74F, 0.22F, 0.33F},
                                                          {0.89F, 0.35F, 0.20F},
                                                          {0.98F, 0.55F, 0.04F},
                                                          {0.97F, 0.78F, 0.26F},
                                                          {0.99F, 1.00F, 0.75F}}};

/// values [n_pixels, channels] as a PNG shows them: the range from 0 to 1, the first n_shown channels.
void show(const Image& image, const float* values, int64_t n_pixels, int n_shown, std::vector<float>& shown) {
  const auto low = static_cast<float>(image.tags.range[0]);
  const auto factor = static_cast<float>(1 / image.tags.range_size());
  const bool is_plain = image.tags.range == PictureTags{}.range;
  const int n_colors = image.has_alpha() ? n_shown - 1 : n_shown;
  shown.clear();
  for (int64_t i = 0; i < n_pixels; ++i, values += image.n_channels()) {
    for (int c = 0; c < n_shown; ++c) {
      shown.push_back(is_plain || c >= n_colors ? values[c] : (values[c] - low) * factor);
    }
  }
}

PictureSize preview_size(const Image& image) {
  return fit_into(image.width(), image.height(), kMaxPreviewSide);
}

}  // namespace

PictureSize fit_into(int width, int height, int max_side) {
  const int longest = std::max(width, height);
  if (longest <= max_side) return {width, height};
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(int64_t{side} * max_side / longest)); };
  return {scaled(width), scaled(height)};
}

int source_pixel(int j, int out_size, int size) {
  return std::min(size - 1, static_cast<int>((int64_t{2} * j + 1) * size / (int64_t{2} * out_size)));
}

void color_errors(const float* predicted, const float* target, int64_t n_pixels, int n_channels, bool clip,
                  float* colors, double range_size) {
  for (int64_t i = 0; i < n_pixels; ++i) {
    double sum = 0;
    for (int64_t c = i * n_channels; c < (i + 1) * n_channels; ++c) {
      const float value = clip ? std::clamp(predicted[c], 0.0F, 1.0F) : predicted[c];
      sum += std::abs(static_cast<double>(value) - static_cast<double>(target[c]));
    }
    const std::array<float, 3> color = error_color(sum / n_channels / kErrorMapScale / range_size);
    std::copy(color.begin(), color.end(), colors + 3 * i);
  }
}

std::array<float, 3> error_color(double t) {
  const double clipped = t > 0 ? std::min(t, 1.0) : 0.0;  // NaN counts as 0
  const double position = clipped * (kColors.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(position), kColors.size() - 2);
  const auto share = static_cast<float>(position - static_cast<double>(low));
  std::array<float, 3> color{};
  for (std::size_t c = 0; c < 3; ++c) {
    color[c] = kColors[low][c] + share * (kColors[low + 1][c] - kColors[low][c]);
  }
  return color;
}

bool is_integer_picture(PixelType type) {
  return type == PixelType::U8 || type == PixelType::U16;
}

ErrorMapWriter::ErrorMapWriter(const std::string& path, int width, int height, int n_channels, bool clip,
                               double range_size)
    : width_(width),
      n_channels_(n_channels),
      clip_(clip),
      range_size_(range_size),
      writer_(path, width, height, 3, PixelType::U8) {}

void ErrorMapWriter::write_rows(int n_rows, const float* predicted, const float* target) {
  const int64_t n_pixels = int64_t{n_rows} * width_;
  colors_.resize(static_cast<std::size_t>(n_pixels) * 3);
  color_errors(predicted, target, n_pixels, n_channels_, clip_, colors_.data(), range_size_);
  writer_.write_rows(n_rows, colors_.data());
}

std::string reconstruction_name(PixelType type, bool is_data) {
  if (!is_integer_picture(type)) return "reconstruction.exr";
  return is_data ? "reconstruction.tif" : "reconstruction.png";
}

ImageEvaluation write_reconstruction(Executor& executor, const Image& image, const std::string& reconstruction_path,
                                     const std::string& error_path, const std::function<void(double)>& on_progress) {
  const int n_channels = image.n_channels();
  ImageWriter reconstruction(reconstruction_path, image.width(), image.height(), n_channels, image.type(), image.tags);
  ErrorMapWriter error(error_path, image.width(), image.height(), n_channels, is_integer_picture(image.type()),
                       image.tags.range_size());
  const auto on_rows = [&](int first_row, int n_rows, const float* predicted, const float* target) {
    reconstruction.write_rows(n_rows, predicted);
    error.write_rows(n_rows, predicted, target);
    on_progress(static_cast<double>(first_row + n_rows) / image.height());
  };
  const ImageEvaluation evaluation = evaluate_image(executor, image, on_rows);
  reconstruction.close();
  error.close();
  return evaluation;
}

int64_t preview_pixels(const Image& image) {
  const PictureSize size = preview_size(image);
  return int64_t{size.width} * size.height;
}

void draw_frame(Executor& executor, const Video& video, int t, const PictureSize& size, int x, int y, Image& frames,
                Image& errors) {
  const int n_channels = video.n_channels();
  const VideoShape shape{video.width(), video.height(), video.n_frames()};
  ClipView view = whole_clip(shape);
  view.width = size.width;
  view.height = size.height;
  view.first_frame = t;
  view.n_source_frames = 1;
  view.n_frames = 1;
  const Image& source = video.frame(t);
  const std::size_t row_size = static_cast<std::size_t>(size.width) * n_channels;
  std::vector<float> target(row_size);
  std::vector<float> colors(static_cast<std::size_t>(size.width) * 3);
  decode_video(executor, shape, view, [&](int, int first_row, int n_rows, const float* values) {
    for (int row = first_row; row < first_row + n_rows; ++row, values += row_size) {
      const int source_row = source_pixel(row, size.height, source.height());
      for (int j = 0; j < size.width; ++j) {
        source.read_pixel(source_pixel(j, size.width, source.width()), source_row,
                          &target[std::size_t(j) * n_channels]);
      }
      color_errors(values, target.data(), size.width, n_channels, true, colors.data());
      frames.write_row(x, y + row, size.width, values);
      errors.write_row(x, y + row, size.width, colors.data());
    }
  });
}

void write_preview(Executor& executor, const Image& image, const std::string& image_path,
                   const std::string& error_path) {
  const PictureSize size = preview_size(image);
  const int n_channels = image.n_channels();
  const PixelType type = image.type() == PixelType::U16 ? PixelType::U16 : PixelType::U8;
  const int n_shown = image.has_alpha() ? n_channels : n_channels / 2 * 2 == n_channels ? n_channels - 1 : n_channels;
  PictureTags tags = image.tags;
  tags.channels.clear();
  ImageWriter preview(image_path, size.width, size.height, n_shown, type, tags);
  ErrorMapWriter error(error_path, size.width, size.height, n_channels, is_integer_picture(image.type()),
                       image.tags.range_size());
  std::vector<float> shown;
  std::vector<float> target(static_cast<std::size_t>(size.width) * n_channels);
  const Region whole{0, 0, image.width(), image.height()};
  const auto on_rows = [&](int first_row, int n_rows, const float* values) {
    show(image, values, int64_t{n_rows} * size.width, n_shown, shown);
    preview.write_rows(n_rows, shown.data());
    for (int row = 0; row < n_rows; ++row) {
      const int y = source_pixel(first_row + row, size.height, image.height());
      for (int j = 0; j < size.width; ++j) {
        image.read_pixel(source_pixel(j, size.width, image.width()), y, &target[std::size_t(j) * n_channels]);
      }
      error.write_rows(1, values + static_cast<std::size_t>(row) * size.width * n_channels, target.data());
    }
  };
  decode_image(executor, image.width(), image.height(), whole, size.width, size.height, on_rows);
  preview.close();
  error.close();
}

}  // namespace loe
