// What `loe paper` leaves of videos: chosen frames, labels, the comparison.
#include "paper_video.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "apps/run_loe.h"
#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/io/video_file.h"
#include "loe/nn/network.h"
#include "loe/task/video_task.h"
#include "page_pictures.h"
#include "paper_kind.h"

namespace loe::app {
namespace {

namespace fs = test::fs;

/// Frames of one colour each: frame t has red = (16 + 16 t) / 255.
Video make_video(int width, int height, int n_frames, float green) {
  Video video(width, height, 3, PixelType::U8);
  for (int t = 0; t < n_frames; ++t) {
    Image frame(width, height, 3, PixelType::U8);
    const float color[3] = {static_cast<float>(16 + 16 * t) / 255.0F, green, 0.25F};
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) frame.write_row(x, y, 1, color);
    }
    video.append(std::move(frame));
  }
  video.frame_rate = {30000, 1001};
  return video;
}

class PaperVideo : public test::LoeTest {};

TEST_F(PaperVideo, ShowsFramesSpreadOverTheClip) {
  EXPECT_EQ(shown_parts(300), (std::vector<int>{50, 150, 250}));
  EXPECT_EQ(shown_parts(4), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(shown_parts(3), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(shown_parts(2), (std::vector<int>{0, 1}));
  EXPECT_EQ(shown_parts(1), (std::vector<int>{0}));
}

TEST_F(PaperVideo, FramesAreThoseOfTheNetwork) {
  const Video video = make_video(20, 10, 7, 0.5F);
  NetworkConfig config;
  config.n_dims = 3;
  config.n_channels = 3;
  config.input.n_frequencies = 2;
  config.widths = {8};
  config.tiles = {Tile{{2, 2, 2, 1}}};
  config.layout.resolutions = {{2, 2, 2, 1}};
  const NetworkSpec network = build_network(config);
  const auto executor = find_backend("reference").compile(network, {});
  executor->set_params(initial_params(network, 3));
  write_shown_frames(*executor, video, folder_.string());
  const Image frames = read_image(path(kFramesFile));
  const Image errors = read_image(path(kFrameErrorsFile));
  ASSERT_EQ(frames.height(), 3 * 10);
  ASSERT_EQ(errors.height(), 3 * 10);
  const std::vector<int> shown = shown_parts(7);
  decode_video(*executor, {20, 10, 7}, whole_clip({20, 10, 7}), [&](int t, int first, int n_rows, const float* values) {
    const auto found = std::find(shown.begin(), shown.end(), t);
    for (int y = first; y < first + n_rows && found != shown.end(); ++y) {
      for (int x = 0; x < 20; ++x) {
        const float* predicted = values + (static_cast<std::size_t>(y - first) * 20 + x) * 3;
        const int line = static_cast<int>(found - shown.begin()) * 10 + y;
        float stored[3];
        float target[3];
        float color[3];
        frames.read_pixel(x, line, stored);
        video.frame(t).read_pixel(x, y, target);
        for (int c = 0; c < 3; ++c) EXPECT_NEAR(stored[c], std::clamp(predicted[c], 0.0F, 1.0F), 0.51 / 255) << t;
        loe::color_errors(predicted, target, 1, 3, true, color);
        errors.read_pixel(x, line, stored);
        for (int c = 0; c < 3; ++c) EXPECT_NEAR(stored[c], color[c], 0.51 / 255) << t;
      }
    }
  });
  const Image source = stack_source_frames(video);
  float value[3];
  source.read_pixel(5, 15, value);
  EXPECT_NEAR(value[0], (16 + 16 * shown[1]) / 255.0, 1e-6);
}

TEST_F(PaperVideo, ComparisonsStayNarrow) {
  const ComparisonLayout one_line = comparison_layout(512, 512, 6);
  EXPECT_EQ(one_line.width, 6 * 512);
  EXPECT_EQ(one_line.n_lines, 1);
  EXPECT_EQ(one_line.height, 512 + one_line.label_height);
  const ComparisonLayout two_lines = comparison_layout(1279, 719, 6);
  EXPECT_EQ(two_lines.n_columns, 3);
  EXPECT_EQ(two_lines.width, 3 * 1280);
  EXPECT_EQ(two_lines.height, 2 * (720 + two_lines.label_height));
  EXPECT_EQ(comparison_layout(1000, 500, 5).n_columns, 3);  // 3 and 2 rather than 4 and 1
  EXPECT_EQ(comparison_layout(8000, 4000, 6).n_columns, 1);
  EXPECT_EQ(comparison_layout(1, 1, 1).width, 2);
}

TEST_F(PaperVideo, ComparisonHoldsSourceAndColumns) {
  const Video source = make_video(31, 20, 5, 0.2F);
  write_video(path("a.npy"), make_video(31, 20, 5, 0.5F));
  write_video(path("b.npy"), make_video(31, 20, 5, 0.8F));
  double share = 0;
  write_comparison(source, {{"a", path("a.npy")}, {"b", path("b.npy")}}, path("all.mp4"),
                   [&](double done) { share = done; });
  EXPECT_EQ(share, 1);
  const Video all = read_video(path("all.mp4"));
  const ComparisonLayout layout = comparison_layout(31, 20, 3);
  ASSERT_EQ(all.width(), layout.width);
  ASSERT_EQ(all.height(), layout.height);
  ASSERT_EQ(all.n_frames(), 5);
  EXPECT_NEAR(all.frame_rate.value(), 30000.0 / 1001, 1e-3);
  for (int t = 0; t < 5; ++t) {
    for (int column = 0; column < 3; ++column) {
      float value[3];
      all.frame(t).read_pixel(column * 32 + 15, layout.label_height + 10, value);
      EXPECT_NEAR(value[0], (16 + 16 * t) / 255.0, 0.03) << t << ' ' << column;
      EXPECT_NEAR(value[1], 0.2 + 0.3 * column, 0.03) << t << ' ' << column;
    }
  }
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(PaperVideo, ComparisonRefusesOtherVideos) {
  const Video source = make_video(32, 20, 5, 0.2F);
  write_video(path("small.npy"), make_video(16, 20, 5, 0.5F));
  write_video(path("short.npy"), make_video(32, 20, 4, 0.5F));
  const auto attempt = [&](const std::string& name) {
    write_comparison(source, {{"a", path(name)}}, path("all.mp4"), [](double) {});
  };
  EXPECT_THROW(attempt("small.npy"), Error);
  EXPECT_THROW(attempt("short.npy"), Error);
  EXPECT_THROW(attempt("none.npy"), Error);
  const auto give_up = [](double done) {
    if (done > 0.5) throw Error(ErrorKind::Cancelled, "stopped");
  };
  EXPECT_THROW(write_comparison(source, {}, path("all.mp4"), give_up), Error);
  EXPECT_FALSE(fs::exists(path("all.mp4")));
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(PaperVideo, LabelsAreReadable) {
  Image image(64, 20, 3, PixelType::U8);
  draw_label(image, 10, 2, 40, 2, "l?-");
  std::string dots;
  for (int y = 2; y < 16; y += 2) {
    for (int x = 12; x < 50; x += 2) dots += static_cast<int>(image.row(y)[std::size_t(x) * 3]) == 255 ? '#' : '.';
    dots += '\n';
  }
  // L, a blank for what has no glyph, and a minus.
  EXPECT_EQ(dots,
            "#..................\n"
            "#..................\n"
            "#..................\n"
            "#...........#####..\n"
            "#..................\n"
            "#..................\n"
            "#####..............\n");
  Image narrow(64, 20, 3, PixelType::U8);
  draw_label(narrow, 0, 0, 22, 1, "LLLLLLLL");  // three fit beside one dot of margin
  EXPECT_EQ(static_cast<int>(narrow.row(0)[13 * 3]), 255);
  EXPECT_EQ(static_cast<int>(narrow.row(0)[19 * 3]), 0);
}

TEST_F(PaperVideo, StacksShrinkFrameByFrame) {
  // Three frames of 1000 x 800, each of one grey: boxes must not mix them.
  Image stack(1000, 2400, 1, PixelType::U8);
  std::vector<float> row(1000);
  for (int y = 0; y < 2400; ++y) {
    std::fill(row.begin(), row.end(), static_cast<float>(y / 800) / 2.0F);
    stack.write_row(0, y, 1000, row.data());
  }
  const Image small = shrink_frames(stack, 3);
  EXPECT_LE(small.width(), kPageSide);
  ASSERT_EQ(small.height() % 3, 0);
  for (int y = 0; y < small.height(); ++y) {
    const int expected[] = {0, 128, 255};
    EXPECT_EQ(static_cast<int>(small.row(y)[0]), expected[y / (small.height() / 3)]) << y;
  }
  EXPECT_EQ(shrink_frames(Image(64, 192, 1, PixelType::U8), 3).height(), 192);
  EXPECT_EQ(shrink_frames(Image(2000, 30, 1, PixelType::U8), 3).width(), kPageSide);
}

}  // namespace
}  // namespace loe::app
