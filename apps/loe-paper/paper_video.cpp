#include "paper_video.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string_view>

#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/io/image_file.h"
#include "loe/io/video_file.h"
#include "loe/task/video_task.h"
#include "paper_kind.h"

namespace loe::app {
namespace {

/// x264 takes 16,384 pixels, many hardware decoders half or a quarter of that.
constexpr int kMaxComparisonWidth = 4096;

constexpr int kGlyphColumns = 5;
constexpr int kGlyphRows = 7;
constexpr int kGlyphPitch = 6;
constexpr std::string_view kGlyphs = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
/// Five columns of each glyph from left to right, the top dot in bit 0. No library here draws text: OpenImageIO needs
/// FreeType and a font file for it, and this much spells the names of the rows.
constexpr std::array<std::array<unsigned char, kGlyphColumns>, kGlyphs.size()> kDots = {{
    {0x7E, 0x11, 0x11, 0x11, 0x7E}, {0x7F, 0x49, 0x49, 0x49, 0x36}, {0x3E, 0x41, 0x41, 0x41, 0x22},
    {0x7F, 0x41, 0x41, 0x22, 0x1C}, {0x7F, 0x49, 0x49, 0x49, 0x41}, {0x7F, 0x09, 0x09, 0x09, 0x01},
    {0x3E, 0x41, 0x49, 0x49, 0x7A}, {0x7F, 0x08, 0x08, 0x08, 0x7F}, {0x00, 0x41, 0x7F, 0x41, 0x00},
    {0x20, 0x40, 0x41, 0x3F, 0x01}, {0x7F, 0x08, 0x14, 0x22, 0x41}, {0x7F, 0x40, 0x40, 0x40, 0x40},
    {0x7F, 0x02, 0x0C, 0x02, 0x7F}, {0x7F, 0x04, 0x08, 0x10, 0x7F}, {0x3E, 0x41, 0x41, 0x41, 0x3E},
    {0x7F, 0x09, 0x09, 0x09, 0x06}, {0x3E, 0x41, 0x51, 0x21, 0x5E}, {0x7F, 0x09, 0x19, 0x29, 0x46},
    {0x46, 0x49, 0x49, 0x49, 0x31}, {0x01, 0x01, 0x7F, 0x01, 0x01}, {0x3F, 0x40, 0x40, 0x40, 0x3F},
    {0x1F, 0x20, 0x40, 0x20, 0x1F}, {0x3F, 0x40, 0x38, 0x40, 0x3F}, {0x63, 0x14, 0x08, 0x14, 0x63},
    {0x07, 0x08, 0x70, 0x08, 0x07}, {0x61, 0x51, 0x49, 0x45, 0x43}, {0x3E, 0x51, 0x49, 0x45, 0x3E},
    {0x00, 0x42, 0x7F, 0x40, 0x00}, {0x42, 0x61, 0x51, 0x49, 0x46}, {0x21, 0x41, 0x45, 0x4B, 0x31},
    {0x18, 0x14, 0x12, 0x7F, 0x10}, {0x27, 0x45, 0x45, 0x45, 0x39}, {0x3C, 0x4A, 0x49, 0x49, 0x30},
    {0x01, 0x71, 0x09, 0x05, 0x03}, {0x36, 0x49, 0x49, 0x49, 0x36}, {0x06, 0x49, 0x49, 0x29, 0x1E},
    {0x08, 0x08, 0x3E, 0x08, 0x08}, {0x08, 0x08, 0x08, 0x08, 0x08}, {0x00, 0x60, 0x60, 0x00, 0x00},
}};

int even(int size) {
  return size + size % 2;
}

/// Pixels of a dot of the labels: legible beside frames of this width.
int label_dot(int width) {
  return std::clamp(width / 160, 1, 8);
}

/// Copies a frame, with grey as three equal channels, to (x, y) of an RGB picture.
void paste(const Image& frame, Image& canvas, int x, int y) {
  const auto width = static_cast<std::size_t>(frame.width());
  std::vector<float> row(width * frame.n_channels());
  std::vector<float> rgb(width * 3);
  for (int j = 0; j < frame.height(); ++j) {
    frame.read_row(0, j, frame.width(), row.data());
    for (std::size_t i = 0; i < width * 3; ++i) rgb[i] = row[frame.n_channels() == 3 ? i : i / 3];
    canvas.write_row(x, y + j, frame.width(), rgb.data());
  }
}

/// The reader of a column, checked against the source.
std::unique_ptr<VideoReader> open_column(const Video& source, const ComparisonColumn& column) {
  auto reader = std::make_unique<VideoReader>(column.path);
  const VideoFileInfo& info = reader->info();
  if (info.width != source.width() || info.height != source.height()) {
    throw Error(ErrorKind::Format,
                fmt::format("[paper] {}: expected the source's {} x {} pixels, got {} x {}; remove this run's folder, "
                            "so that it is repeated",
                            column.path, source.width(), source.height(), info.width, info.height));
  }
  return reader;
}

}  // namespace

Image stack_source_frames(const Video& video) {
  const std::vector<int> frames = shown_parts(video.n_frames());
  Image stack(video.width(), video.height() * static_cast<int>(frames.size()), video.n_channels(), video.type());
  std::vector<float> row(static_cast<std::size_t>(video.width()) * video.n_channels());
  for (int y = 0; y < stack.height(); ++y) {
    const Image& frame = video.frame(frames[static_cast<std::size_t>(y / video.height())]);
    frame.read_row(0, y % video.height(), video.width(), row.data());
    stack.write_row(0, y, video.width(), row.data());
  }
  return stack;
}

void write_shown_frames(Executor& executor, const Video& video, const std::string& folder) {
  const std::vector<int> shown = shown_parts(video.n_frames());
  const PictureSize size{video.width(), video.height()};
  const int height = size.height * static_cast<int>(shown.size());
  Image frames(size.width, height, video.n_channels(), video.type());
  Image errors(size.width, height, 3, PixelType::U8);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    draw_frame(executor, video, shown[i], size, 0, static_cast<int>(i) * size.height, frames, errors);
  }
  write_image(folder + "/" + kFramesFile, frames);
  write_image(folder + "/" + kFrameErrorsFile, errors);
}

ComparisonLayout comparison_layout(int width, int height, int n_cells) {
  ComparisonLayout layout;
  layout.cell_width = even(width);
  layout.label_height = 10 * label_dot(width);
  layout.cell_height = layout.label_height + even(height);
  layout.n_columns = std::clamp(kMaxComparisonWidth / layout.cell_width, 1, n_cells);
  layout.n_lines = (n_cells + layout.n_columns - 1) / layout.n_columns;
  // Lines of equal length: 3 and 3 rather than 5 and 1.
  layout.n_columns = (n_cells + layout.n_lines - 1) / layout.n_lines;
  layout.width = layout.n_columns * layout.cell_width;
  layout.height = layout.n_lines * layout.cell_height;
  return layout;
}

void write_comparison(const Video& source, const std::vector<ComparisonColumn>& columns, const std::string& path,
                      const std::function<void(double)>& on_share) {
  const auto n_cells = static_cast<int>(columns.size()) + 1;
  const ComparisonLayout layout = comparison_layout(source.width(), source.height(), n_cells);
  const auto cell_x = [&](int cell) { return cell % layout.n_columns * layout.cell_width; };
  const auto cell_y = [&](int cell) { return cell / layout.n_columns * layout.cell_height; };
  Image canvas(layout.width, layout.height, 3, PixelType::U8);
  const int dot = label_dot(source.width());
  std::vector<std::unique_ptr<VideoReader>> readers;
  draw_label(canvas, 0, dot, layout.cell_width, dot, "Source");
  for (int i = 1; i < n_cells; ++i) {
    const ComparisonColumn& column = columns[static_cast<std::size_t>(i - 1)];
    readers.push_back(open_column(source, column));
    draw_label(canvas, cell_x(i), cell_y(i) + dot, layout.cell_width, dot, column.label);
  }
  VideoOptions options;
  options.rate = source.frame_rate;
  VideoWriter writer(path, layout.width, layout.height, 3, options);
  Image frame;
  for (int t = 0; t < source.n_frames(); ++t) {
    paste(source.frame(t), canvas, 0, layout.label_height);
    for (int i = 1; i < n_cells; ++i) {
      if (!readers[static_cast<std::size_t>(i - 1)]->next(frame)) {
        throw Error(ErrorKind::Format,
                    fmt::format("[paper] {}: expected {} frames, got {}; remove this run's folder, "
                                "so that it is repeated",
                                columns[static_cast<std::size_t>(i - 1)].path, source.n_frames(), t));
      }
      paste(frame, canvas, cell_x(i), cell_y(i) + layout.label_height);
    }
    writer.write_frame(canvas);
    on_share(static_cast<double>(t + 1) / source.n_frames());
  }
  writer.close();
}

void draw_label(Image& image, int x, int y, int width, int dot, const std::string& text) {
  const std::vector<float> white(static_cast<std::size_t>(dot) * image.n_channels(), 1.0F);
  int left = x + dot;
  for (const char letter : text) {
    if (left + kGlyphColumns * dot > x + width) return;
    const std::size_t glyph = kGlyphs.find(static_cast<char>(std::toupper(static_cast<unsigned char>(letter))));
    for (int column = 0; glyph != std::string_view::npos && column < kGlyphColumns; ++column) {
      for (int line = 0; line < kGlyphRows * dot; ++line) {
        const bool is_set = (kDots[glyph][static_cast<std::size_t>(column)] >> (line / dot) & 1) != 0;
        if (is_set) image.write_row(left + column * dot, y + line, dot, white.data());
      }
    }
    left += kGlyphPitch * dot;
  }
}

}  // namespace loe::app
