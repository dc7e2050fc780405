#include "analytic_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/io/scene_file.h"
#include "loe/render/analytic_scene.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kSamplesPerRay = 1024;

/// "train/train_000", without extension as the published data sets have it.
std::string picture_name(const View& view) {
  return fmt::format("{}/{}", to_string(view.split), view.name);
}

/// Colour and opacity in 8 bits. The colour is chosen for the rounded opacity, so that both errors do not add up over
/// white: C = c a + (1 - a), hence c = 1 - (1 - C) / a.
Image with_alpha(const RenderedView& seen) {
  const int width = seen.color.width();
  Image picture(width, seen.color.height(), 4, PixelType::U8);
  std::vector<float> over_white(static_cast<std::size_t>(width) * 3);
  std::vector<float> row(static_cast<std::size_t>(width) * 4);
  for (int y = 0; y < seen.color.height(); ++y) {
    seen.color.read_row(0, y, width, over_white.data());
    for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x) {
      const std::size_t pixel = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + x;
      const float alpha = std::floor(seen.opacity[pixel] * 255.0F + 0.5F) / 255.0F;
      for (std::size_t c = 0; c < 3; ++c) {
        const float missing = 1 - over_white[3 * x + c];
        row[4 * x + c] = alpha > 0 ? std::clamp(1 - missing / alpha, 0.0F, 1.0F) : 0.0F;
      }
      row[4 * x + 3] = alpha;
    }
    picture.write_row(0, y, width, row.data());
  }
  return picture;
}

Json pose_json(const Pose& pose) {
  Json rows = Json::array();
  for (const auto& row : pose.matrix) rows.push_back(row);
  rows.push_back({0, 0, 0, 1});
  return rows;
}

/// transforms_<split>.json.
Json transforms_json(const Scene& scene, Split split) {
  const Intrinsics& lens = scene.views.front().intrinsics;
  Json json = {{"camera_angle_x", 2 * std::atan(0.5 * lens.width / lens.fl_x)},
               {"w", lens.width},
               {"h", lens.height},
               {"fl_x", lens.fl_x},
               {"fl_y", lens.fl_y},
               {"cx", lens.cx},
               {"cy", lens.cy},
               {"aabb_scale", 1},
               {"scale", 1},
               {"offset", {0.5, 0.5, 0.5}}};
  json["frames"] = Json::array();
  for (const View& view : scene.views) {
    if (view.split != split) continue;
    json["frames"].push_back(
        {{"file_path", "./" + picture_name(view)}, {"transform_matrix", pose_json(view.camera_to_world)}});
  }
  return json;
}

}  // namespace

void write_analytic_scene(const std::string& folder, const AnalyticViews& views, int n_threads,
                          const std::function<void(double)>& on_share) {
  const Scene scene = analytic_views(views.n_train, views.n_test, views.size);
  for (const Split split : {Split::Train, Split::Test}) {
    std::error_code error;
    fs::create_directories(fs::path(folder) / to_string(split), error);
    if (error) {
      throw Error(ErrorKind::Io, fmt::format("[data] {}/{}: cannot create this folder: {}; choose another --out",
                                             folder, to_string(split), error.message()));
    }
  }
  const AnalyticScene truth;
  const std::vector<float> white(3, 1.0F);
  ThreadPool pool(n_threads);
  double n_done = 0;
  for (const View& view : scene.views) {
    write_image(fmt::format("{}/{}.png", folder, picture_name(view)),
                with_alpha(render_view(truth, view, kSamplesPerRay, white, &pool)));
    on_share(++n_done / static_cast<double>(scene.views.size()));
  }
  for (const Split split : {Split::Test, Split::Train}) {
    write_text_file(fmt::format("{}/transforms_{}.json", folder, to_string(split)),
                    transforms_json(scene, split).dump(1) + "\n");
  }
}

bool has_analytic_scene(const std::string& folder, const AnalyticViews& views) {
  std::error_code ignored;
  if (!fs::exists(folder + "/transforms_train.json", ignored)) return false;
  try {
    const Scene scene = read_scene(folder);
    const auto count = [&](Split split) {
      return std::count_if(scene.views.begin(), scene.views.end(), [&](const View& view) {
        return view.split == split && view.intrinsics.width == views.size;
      });
    };
    return count(Split::Train) == views.n_train && count(Split::Test) == views.n_test;
  } catch (const Error&) {
    return false;  // damaged: it is made again
  }
}

}  // namespace loe::app
