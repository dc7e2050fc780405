// The analytic scene as a data set: our own reader must give back cameras, box and pixels.
#include "analytic_data.h"

#include <algorithm>
#include <cmath>

#include "apps/run_loe.h"
#include "loe/base/error.h"
#include "loe/io/scene_file.h"
#include "loe/render/analytic_scene.h"
#include "loe/task/scene_task.h"

namespace loe::app {
namespace {

namespace fs = test::fs;

class AnalyticData : public test::LoeTest {
 protected:
  std::string write(const AnalyticViews& views, int n_threads = 1) {
    const std::string folder = path("data" + std::to_string(n_threads));
    double share = 0;
    write_analytic_scene(folder, views, n_threads, [&](double done) { share = done; });
    EXPECT_EQ(share, 1);
    return folder;
  }
};

TEST_F(AnalyticData, ReaderGivesBackCamerasAndBox) {
  const AnalyticViews views{5, 2, 20};
  const Scene scene = read_scene(write(views));
  const Scene truth = analytic_views(5, 2, 20);
  EXPECT_EQ(scene.format, "blender");
  EXPECT_EQ(scene.scale, 1);
  EXPECT_EQ(scene.centre, (std::array<double, 3>{0, 0, 0}));
  EXPECT_EQ(scene.box_min, truth.box_min);
  EXPECT_EQ(scene.box_max, truth.box_max);
  EXPECT_TRUE(scene.has_alpha);
  EXPECT_EQ(scene.background, Background::White);
  EXPECT_TRUE(scene.warnings.empty());
  ASSERT_EQ(scene.views.size(), truth.views.size());
  for (std::size_t i = 0; i < truth.views.size(); ++i) {
    EXPECT_EQ(scene.views[i].name, truth.views[i].name + ".png");
    EXPECT_EQ(scene.views[i].split, truth.views[i].split);
    EXPECT_EQ(scene.views[i].intrinsics, truth.views[i].intrinsics) << i;
    EXPECT_EQ(scene.views[i].near, 0);
    EXPECT_EQ(scene.views[i].far, 0);
    for (std::size_t a = 0; a < 3; ++a) {
      for (std::size_t b = 0; b < 4; ++b) {
        EXPECT_NEAR(scene.views[i].camera_to_world.matrix[a][b], truth.views[i].camera_to_world.matrix[a][b], 1e-12);
      }
    }
  }
}

TEST_F(AnalyticData, PixelsAreTheRenderedOnes) {
  const Scene scene = read_scene(write({3, 1, 32}));
  const AnalyticScene truth;
  const float white[] = {1, 1, 1};
  int n_clear = 0;
  int n_between = 0;
  for (const View& view : scene.views) {
    const Image picture = read_view_image(view);
    const RenderedView seen = render_view(truth, view, 1024, white);
    ASSERT_EQ(picture.n_channels(), 4);
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        float stored[4];
        float expected[3];
        float over_white[3];
        picture.read_pixel(x, y, stored);
        seen.color.read_pixel(x, y, expected);
        read_target(picture, x, y, white, over_white);
        const float opacity = seen.opacity[static_cast<std::size_t>(y) * 32 + static_cast<std::size_t>(x)];
        EXPECT_NEAR(stored[3], opacity, 0.501 / 255);
        for (int c = 0; c < 3; ++c) EXPECT_NEAR(over_white[c], expected[c], 0.501 / 255) << x << ' ' << y;
        n_clear += stored[3] == 0 ? 1 : 0;
        n_between += stored[3] > 0.1F && stored[3] < 0.9F ? 1 : 0;
      }
    }
  }
  // Both kinds of pixels are there, so that the colours were tested where they count.
  EXPECT_GT(n_clear, 100);
  EXPECT_GT(n_between, 20);
}

TEST_F(AnalyticData, ThreadsChangeNothing) {
  const std::string one = write({2, 1, 16}, 1);
  const std::string three = write({2, 1, 16}, 3);
  int n_files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(one)) {
    if (!entry.is_regular_file()) continue;
    ++n_files;
    EXPECT_EQ(test::read_all(entry.path()), test::read_all(three / fs::relative(entry.path(), one))) << entry.path();
  }
  EXPECT_EQ(n_files, 5);
}

TEST_F(AnalyticData, HalfWrittenIsNotThere) {
  const AnalyticViews views{3, 2, 8};
  EXPECT_FALSE(has_analytic_scene(path("data1"), views));
  const auto stop = [](double done) {
    if (done > 0.5) throw Error(ErrorKind::Cancelled, "stopped");
  };
  EXPECT_THROW(write_analytic_scene(path("data1"), views, 1, stop), Error);
  EXPECT_FALSE(has_analytic_scene(path("data1"), views));
  write(views);
  EXPECT_TRUE(has_analytic_scene(path("data1"), views));
  EXPECT_FALSE(has_analytic_scene(path("data1"), {3, 2, 9}));
  EXPECT_FALSE(has_analytic_scene(path("data1"), {4, 2, 8}));
  fs::remove(path("data1/train/train_001.png"));
  EXPECT_FALSE(has_analytic_scene(path("data1"), views));
  write(views);
  test::write_all(path("data1/transforms_test.json"), "{");
  EXPECT_FALSE(has_analytic_scene(path("data1"), views));
  EXPECT_TRUE(temporary_files().empty());
}

}  // namespace
}  // namespace loe::app
