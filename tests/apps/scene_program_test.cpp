// Scenes through the program: fit, resume, eval, render, mesh, info, presets, and what they refuse.
#include <fmt/format.h>

#include <cmath>

#include "apps/run_loe.h"
#include "loe/io/file.h"
#include "loe/io/model_file.h"
#include "loe/io/safetensors.h"
#include "loe/io/video_file.h"
#include "loe/render/analytic_scene.h"
#include "progress.h"

namespace loe::test {
namespace {

using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

constexpr int kSize = 20;
constexpr double kHalfSide = 1.5;  ///< of the cube of the scene's units that the fits model, around kCentre
constexpr std::array<double, 3> kCentre = {1, 2, 3};

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool same_pixels(const Image& a, const Image& b) {
  return a.n_bytes() == b.n_bytes() && std::equal(a.data(), a.data() + a.n_bytes(), b.data());
}

std::array<float, 3> pixel(const Image& image, int x, int y) {
  std::array<float, 3> value{};
  image.read_pixel(x, y, value.data());
  return value;
}

class SceneProgram : public LoeTest {
 protected:
  static Json frame_json(const std::string& name, Pose pose) {
    for (std::size_t i = 0; i < 3; ++i) pose.matrix[i][3] = pose.matrix[i][3] * 2 * kHalfSide + kCentre[i];
    Json rows = Json::array();
    for (const auto& row : pose.matrix) rows.push_back(row);
    rows.push_back({0, 0, 0, 1});
    return {{"file_path", "./" + name}, {"transform_matrix", rows}};
  }

  /// The analytic scene in the layout of NeRF's synthetic ones. Returns its name.
  std::string make_scene(const std::string& name = "scene", int n_train = 5, int n_test = 2) {
    const AnalyticScene truth;
    const Scene scene = analytic_views(n_train, std::max(1, n_test), kSize);
    const std::vector<float> white(3, 1.0F);
    std::array<Json, 2> files;
    fs::create_directories(folder_ / name);
    for (const View& view : scene.views) {
      if (view.split == Split::Test && n_test == 0) continue;
      const Image seen = render_view(truth, view, 64, white).color;
      Image photo(kSize, kSize, 3, PixelType::U8);
      std::vector<float> row(3 * kSize);
      for (int y = 0; y < kSize; ++y) {
        seen.read_row(0, y, kSize, row.data());
        photo.write_row(0, y, kSize, row.data());
      }
      write_image(path(name + "/" + view.name + ".png"), photo);
      Json& file = files[view.split == Split::Train ? 0 : 1];
      file["camera_angle_x"] = 2 * std::atan(kSize / 2.0 / view.intrinsics.fl_x);
      file["frames"].push_back(frame_json(view.name, view.camera_to_world));
    }
    write_all(folder_ / name / "transforms_train.json", files[0].dump());
    if (n_test > 0) write_all(folder_ / name / "transforms_test.json", files[1].dump());
    return name;
  }

  /// A field of 16 + 16 samples per ray that trains in a fraction of a second.
  static Arguments tiny() {
    Arguments arguments = {"--preset", "none", "--batch-size", "64"};
    for (const char* setting :
         {"model.widths=[16,16]", "model.tiles=2", "model.resolutions=[2,8]", "model.n_frequencies=4",
          "model.color_width=8", "rays.n_coarse=8", "rays.n_fine=8", "rays.density=softplus", "rays.background=white",
          "train.schedule=constant", "train.learning_rate=0.01", "data.box_half_side=1.5", "data.box_centre=[1,2,3]"}) {
      arguments = arguments + Arguments{"--set", setting};
    }
    return arguments;
  }
  static Arguments with_grid() {
    return {"--set", "rays.occupancy=16",          "--set", "rays.steps_per_occupancy=16",
            "--set", "rays.min_transmittance=1e-3"};
  }

  Outcome fit(const std::string& scene, const std::string& out, const Arguments& more) {
    return run(Arguments{"fit", scene, "--out", out, "-q", "--json"} + tiny() + more);
  }
  std::string fitted(int n_steps = 20) {
    const Outcome outcome = fit(make_scene(), "run", {"--max-steps", std::to_string(n_steps)});
    EXPECT_EQ(outcome.code, 0) << outcome;
    return "run";
  }

  /// With a small grid, which costs less than the default's million samples, unless `more` says otherwise.
  Outcome render(const Arguments& more) {
    const bool is_said = std::find(more.begin(), more.end(), "--occupancy") != more.end();
    const Arguments grid = is_said ? Arguments() : Arguments{"--occupancy", "16"};
    const Outcome outcome = run(Arguments{"render", "run", "--progress", "none"} + grid + more);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return outcome;
  }
  Outcome refused_render(const Arguments& more) { return run(Arguments{"render", "run"} + more); }

  std::vector<Image> frames_of(const std::string& name) {
    std::vector<Image> frames;
    VideoReader reader(path(name));
    for (Image frame; reader.next(frame);) frames.push_back(frame);
    return frames;
  }

  /// Whether the running child would rather be told of a SIGINT than die of it.
  bool handles_interrupts() {
    std::istringstream status(read_all(fmt::format("/proc/{}/status", child_)));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1) & 1) != 0;
    }
    return false;
  }
};

TEST_F(SceneProgram, FitLearnsASceneAndLeavesACompleteRun) {
  const Outcome outcome = fit(make_scene(), "run", Arguments{"--max-steps", "400"} + with_grid());
  ASSERT_EQ(outcome.code, 0) << outcome;
  const Json result = Json::parse(outcome.out);
  EXPECT_GT(result["psnr_db"].get<double>(), 13) << "white has 10.5 dB";
  EXPECT_EQ(result["n_views"], 5);
  EXPECT_EQ(result["n_test_views"], 2);
  EXPECT_EQ(result["rays_per_step"], 64);
  EXPECT_FALSE(result.contains("samples_per_step"));
  EXPECT_LT(result["samples_per_ray"].get<double>(), 24) << "the grid skipped nothing";
  EXPECT_EQ(result["views"]["name"], (Json{"test_000.png", "test_001.png"}));
  EXPECT_TRUE(fs::exists(folder_ / "run/views/test_001.png"));
  EXPECT_TRUE(fs::exists(folder_ / "run/errors/test_001.png"));
  const Json eval = Json::parse(run({"eval", "run", "--json", "-q"}).out);
  EXPECT_EQ(eval["psnr_db"], result["psnr_db"]);
  EXPECT_EQ(eval["views"], result["views"]);
}

TEST_F(SceneProgram, TheSameBitsForAnyThreadsAndWhenResumed) {
  const std::string scene = make_scene();
  const Arguments steps = Arguments{"--max-steps", "75"} + with_grid();
  ASSERT_EQ(fit(scene, "whole", steps + Arguments{"--threads", "2"}).code, 0);
  ASSERT_EQ(fit(scene, "one", steps + Arguments{"--threads", "1"}).code, 0);
  const std::string whole = read_all(folder_ / "whole/model.safetensors");
  EXPECT_EQ(whole, read_all(folder_ / "one/model.safetensors"));
  // Stopped between two updates of the grid, at 48 and 64.
  ASSERT_EQ(fit(scene, "part", Arguments{"--max-steps", "53"} + with_grid()).code, 0);
  const Outcome resumed = run({"fit", "--resume", "part", "--max-steps", "75", "-q", "--threads", "1"});
  ASSERT_EQ(resumed.code, 0) << resumed;
  EXPECT_EQ(whole, read_all(folder_ / "part/model.safetensors"));
  // The grid had to do with it: it is saved, and calls some cells empty.
  const TensorFile last = read_safetensors(path("part/checkpoints/step-000000053.safetensors"));
  const TensorFile::Tensor* const grid = last.find("task_state");
  ASSERT_NE(grid, nullptr);
  ASSERT_EQ(grid->data.size(), 4096U);
  double mean = 0;
  for (const float density : grid->data) mean += density / 4096.0;
  const auto n_empty = std::count_if(grid->data.begin(), grid->data.end(),
                                     [&](float density) { return density <= std::min(5.9, mean / 2); });
  EXPECT_GT(n_empty, 100);
}

TEST_F(SceneProgram, AnInterruptedFitGoesOn) {
  const std::string scene = make_scene();
  const Arguments steps = Arguments{"--max-steps", "800", "--steps-per-save", "25"} + with_grid();
  ASSERT_EQ(fit(scene, "whole", steps).code, 0);
  start(Arguments{"fit", scene, "--out", "stopped", "-q"} + tiny() + steps);
  ASSERT_TRUE(wait_until([&] { return fs::exists(folder_ / "stopped/checkpoints/step-000000050.safetensors"); }));
  expect_failure(finish(SIGINT), 130, {"interrupted", "loe fit --resume stopped"});
  ASSERT_FALSE(fs::exists(folder_ / "stopped/result.json"));
  ASSERT_EQ(run({"fit", "--resume", "stopped", "-q"}).code, 0);
  EXPECT_EQ(read_all(folder_ / "whole/model.safetensors"), read_all(folder_ / "stopped/model.safetensors"));
}

TEST_F(SceneProgram, FitSaysWhatItCounts) {
  const std::string scene = make_scene();
  const Outcome spoken =
      run(Arguments{"fit", scene, "--out", "run", "--progress", "none", "--max-steps", "5"} + tiny());
  ASSERT_EQ(spoken.code, 0) << spoken;
  EXPECT_NE(spoken.err.find("MACs per sample"), std::string::npos) << spoken;
  const Outcome dry = run(Arguments{"fit", scene, "--dry-run", "--progress", "none"} + tiny());
  ASSERT_EQ(dry.code, 0) << dry;
  EXPECT_NE(dry.out.find("MACs per sample"), std::string::npos) << dry;
  EXPECT_NE(dry.out.find("rays per step     64\n"), std::string::npos) << dry;
  EXPECT_EQ(dry.out.find("pixel"), std::string::npos) << dry;
  const Json counted = Json::parse(run(Arguments{"fit", scene, "--dry-run", "--json"} + tiny()).out);
  EXPECT_EQ(counted["rays_per_step"], 64);
  EXPECT_GT(counted["samples_per_step"].get<int64_t>(), 64 * 8);
}

TEST_F(SceneProgram, EvalNamesItsViewsAndTakesOtherPhotos) {
  const std::string model = fitted();
  const Outcome spoken = run({"eval", model, "--views", "--progress", "none"});
  ASSERT_EQ(spoken.code, 0) << spoken;
  for (const char* part :
       {"mean of the views", "2, worst", "best", "MACs per sample", "SSIM  view\n", "test_001.png\n"}) {
    EXPECT_NE(spoken.out.find(part), std::string::npos) << part << " in " << spoken;
  }
  // Another copy of the data, also one whose box is another: measured where its cameras are.
  const Json own = Json::parse(run({"eval", model, "--json", "-q"}).out);
  make_scene("again");
  fs::remove(folder_ / "again/train_001.png");
  const Json again = Json::parse(run({"eval", model, "--json", "-q", "--data", "again"}).out);
  EXPECT_EQ(again["n_views"], 4);
  EXPECT_EQ(again["psnr_db"], own["psnr_db"]) << "the test views are the same";
  fs::copy_file(folder_ / "run/model.safetensors", folder_ / "alone.safetensors");
  const Json alone = Json::parse(run({"eval", "alone.safetensors", "--json", "-q", "--data", "again"}).out);
  EXPECT_NEAR(alone["psnr_db"].get<double>(), own["psnr_db"].get<double>(), 1e-3)
      << "without the run the box follows from the cameras, and is brought into the model's";
}

TEST_F(SceneProgram, RenderedViewsAreThoseOfTheEvaluation) {
  // Without test views the fit is measured on those that it was fitted to, whose cameras the model keeps.
  ASSERT_EQ(fit(make_scene("scene", 3, 0), "run", {"--max-steps", "20"}).code, 0);
  for (const int k : {0, 2}) {
    const std::string name = fmt::format("view{}.png", k);
    const Outcome spoken =
        render({"-o", name, "--view", std::to_string(k), "--occupancy", "0", "--min-transmittance", "0"});
    EXPECT_NE(spoken.out.find("samples per ray"), std::string::npos) << spoken;
    const Image view = read_image(path(name));
    EXPECT_EQ(view.width(), kSize);
    EXPECT_TRUE(same_pixels(view, read_image(path(fmt::format("run/views/train_{:03}.png", k))))) << k;
  }
  render({"-o", "first.png", "--occupancy", "0", "--min-transmittance", "0"});
  EXPECT_TRUE(same_pixels(read_image(path("first.png")), read_image(path("view0.png"))));
  // Wider: the middle is the same view.
  render({"-o", "wide.png", "--size", "40x20", "--occupancy", "0", "--min-transmittance", "0"});
  const Image wide = read_image(path("wide.png"));
  const Image first = read_image(path("first.png"));
  ASSERT_EQ(wide.width(), 2 * kSize);
  for (const auto& [x, y] : {std::pair{0, 0}, {9, 11}, {19, 19}}) {
    const auto a = pixel(first, x, y);
    const auto b = pixel(wide, x + 10, y);
    for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(a[c], b[c], 1.5 / 255);
  }
}

TEST_F(SceneProgram, PathsAreVideosAndFoldersOfFrames) {
  fitted();
  const Outcome spoken = render({"-o", "orbit/", "--camera-path", "orbit", "--frames", "4"});
  EXPECT_NE(spoken.out.find("4 frames at 30 a second"), std::string::npos) << spoken;
  EXPECT_NE(spoken.out.find("rays/s"), std::string::npos) << spoken;
  const std::vector<Image> orbit = frames_of("orbit/");
  ASSERT_EQ(orbit.size(), 4U);
  EXPECT_EQ(orbit[0].height(), kSize);
  EXPECT_FALSE(same_pixels(orbit[0], orbit[1]));
  render({"-o", "orbit.mp4", "--camera-path", "orbit", "--frames", "3", "--fps", "12", "--size", "16x12"});
  const VideoFileInfo video = read_video_info(path("orbit.mp4"));
  EXPECT_EQ(video.width, 16);
  EXPECT_EQ(video.height, 12);
  EXPECT_EQ(video.frame_rate, (FrameRate{12, 1}));
  EXPECT_EQ(frames_of("orbit.mp4").size(), 3U);
  // Key poses in the scene's own coordinates: where its photos were taken.
  render({"-o", "tour/", "--camera-path", "scene/transforms_train.json", "--frames", "9"});
  const std::vector<Image> tour = frames_of("tour/");
  ASSERT_EQ(tour.size(), 9U);
  for (const int k : {0, 3}) {
    render({"-o", "key.png", "--view", std::to_string(k)});
    EXPECT_TRUE(same_pixels(tour[static_cast<std::size_t>(2 * k)], read_image(path("key.png")))) << k;
  }
  render({"-o", "one.png", "--camera-path", "orbit", "--frames", "1"});
  EXPECT_TRUE(same_pixels(read_image(path("one.png")), orbit[0]));
  expect_failure(refused_render({"-o", "x/", "--camera-path", "spiral"}), 2, {"spiral", "orbit"});
}

TEST_F(SceneProgram, MapsOfDepthAndOpacity) {
  fitted(100);
  const Outcome raw = render({"-o", "depth.exr", "--map", "depth"});
  EXPECT_NE(raw.out.find("the scene's units"), std::string::npos) << raw;
  const Image depth = read_image(path("depth.exr"));
  EXPECT_EQ(depth.type(), PixelType::F32);
  ASSERT_EQ(depth.n_channels(), 1);
  const Outcome scaled = render({"-o", "depth.png", "--map", "depth", "--depth", "u16"});
  const std::size_t at = scaled.out.find("white is ");
  ASSERT_NE(at, std::string::npos) << scaled;
  const double white = std::stod(scaled.out.substr(at + 9));
  const Image grey = read_image(path("depth.png"));
  render({"-o", "opacity.exr", "--map", "opacity"});
  const Image opacity = read_image(path("opacity.exr"));
  double deepest = 0;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const double d = pixel(depth, x, y)[0];
      const double o = pixel(opacity, x, y)[0];
      deepest = std::max(deepest, d);
      EXPECT_NEAR(pixel(grey, x, y)[0], d / white, 1e-3);
      EXPECT_GE(o, 0);
      EXPECT_LE(o, 1.0001);
      // Cameras stand at 4.8 units, the cube ends 2.6 from its middle at most.
      EXPECT_LE(d, 7.5 * o);
      EXPECT_GE(d, 2.2 * o - 1e-4);
    }
  }
  EXPECT_GT(deepest, 2.2);
  render({"-o", "depths/", "--map", "depth", "--camera-path", "orbit", "--frames", "2"});
  EXPECT_EQ(frames_of("depths/")[0].n_channels(), 1);
}

TEST_F(SceneProgram, RenderRefusesWhatIsNotThere) {
  fitted(2);
  expect_failure(refused_render({"-o", "x.png", "--map", "normals"}), 2, {"--map", "depth", "normals"});
  expect_failure(refused_render({"-o", "x.png", "--view", "5"}), 2, {"--view", "5"});
  expect_failure(refused_render({"-o", "x.mp4"}), 2, {"x.mp4", "--camera-path"});
  expect_failure(refused_render({"-o", "x.png", "--camera-path", "orbit"}), 2, {"x.png", "120 frames"});
  expect_failure(refused_render({"-o", "x.mp4", "--camera-path", "obrit"}), 2, {"--camera-path", "obrit", "orbit"});
  expect_failure(refused_render({"-o", "x.png", "--frames", "3"}), 2, {"--frames", "--camera-path"});
  expect_failure(refused_render({"-o", "x.png", "--region", "0,0,4,4"}), 2, {"--region", "scene"});
  expect_failure(refused_render({"-o", "x.png", "--occupancy", "30"}), 2, {"--occupancy", "multiple of 4"});
  expect_failure(refused_render({"-o", "x.wmv", "--camera-path", "orbit"}), 1, {".mp4", ".wmv"});
  write_all(folder_ / "tour.json", "{\"frames\": [{\"transform_matrix\": [[1, 0], [0, 1]]}]}");
  expect_failure(refused_render({"-o", "x.mp4", "--camera-path", "tour.json"}), 1, {"tour.json", "transform_matrix"});
  for (const char* name : {"x.png", "x.mp4", "x.wmv"}) EXPECT_FALSE(fs::exists(folder_ / name));
  EXPECT_TRUE(temporary_files().empty());
  ASSERT_EQ(run({"fit", make_picture(), "--max-steps", "5", "--out", "flat", "-q"}).code, 0);
  expect_failure(run({"render", "flat", "-o", "x.png", "--camera-path", "orbit"}), 2, {"--camera-path", "picture"});
  expect_failure(run({"eval", "flat", "--views"}), 2, {"--views", "picture"});
  expect_failure(run({"mesh", "flat", "-o", "x.ply"}), 2, {"scene", "image"});
  expect_failure(run({"eval", "run", "--frames"}), 2, {"--frames", "scene"});
  expect_failure(run({"eval", "run", "--data", "picture.png"}), 1, {"picture.png", "transforms"});
}

TEST_F(SceneProgram, AnInterruptedRenderingLeavesNothing) {
  fitted(2);
  for (const char* out : {"long.mp4", "long/"}) {
    start({"render", "run", "-o", out, "--camera-path", "orbit", "--frames", "50000", "--progress", "none"});
    ASSERT_TRUE(wait_until([&] { return handles_interrupts(); }));
    expect_failure(finish(SIGINT), 130, {out, "nothing written"});
    EXPECT_FALSE(fs::exists(folder_ / out));
    EXPECT_TRUE(temporary_files().empty());
  }
  start({"mesh", "run", "-o", "x.ply", "--resolution", "300", "--progress", "none"});
  ASSERT_TRUE(wait_until([&] { return handles_interrupts(); }));
  expect_failure(finish(SIGINT), 130, {"x.ply", "nothing written"});
  EXPECT_FALSE(fs::exists(folder_ / "x.ply"));
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(SceneProgram, AMeshLiesInTheWorld) {
  fitted(100);
  const Outcome empty = run({"mesh", "run", "-o", "x.ply", "--level", "1e6", "--resolution", "24"});
  expect_failure(empty, 2, {"--level", "1e+06", "at most"});
  EXPECT_FALSE(fs::exists(folder_ / "x.ply"));
  const double largest = std::stod(empty.err.substr(empty.err.find("which is ") + 9));
  ASSERT_GT(largest, 0);
  const std::string level = std::to_string(largest / 2);
  const Outcome outcome = run({"mesh", "run", "-o", "x.obj", "--level", level, "--resolution", "24"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  std::istringstream lines(read_all(folder_ / "x.obj"));
  int n_vertices = 0;
  int n_triangles = 0;
  double from_centre = 0;
  for (std::string line; std::getline(lines, line);) {
    n_triangles += line.starts_with("f ") ? 1 : 0;
    if (!line.starts_with("v ")) continue;
    ++n_vertices;
    std::istringstream numbers(line.substr(2));
    for (const double centre : kCentre) {
      double x = 0;
      numbers >> x;
      from_centre = std::max(from_centre, std::abs(x - centre));
    }
    for (int c = 0; c < 3; ++c) {
      double color = -1;
      numbers >> color;
      EXPECT_GE(color, 0);
      EXPECT_LE(color, 1);
    }
  }
  EXPECT_NE(outcome.out.find(
                fmt::format("  {} vertices, {} triangles", format_integer(n_vertices), format_integer(n_triangles))),
            std::string::npos)
      << outcome << n_vertices << " " << n_triangles;
  EXPECT_GT(n_triangles, 10);
  EXPECT_LE(from_centre, kHalfSide * 1.0001);
  EXPECT_GT(from_centre, kHalfSide / 4) << "in normalised units?";
  ASSERT_EQ(run({"mesh", "run", "-o", "x.ply", "--level", level, "--resolution", "24", "-q"}).code, 0);
  EXPECT_NE(read_all(folder_ / "x.ply").find(fmt::format("element vertex {}\n", n_vertices)), std::string::npos);
  expect_failure(run({"mesh", "run", "-o", "x.stl"}), 1, {"--out", ".ply"});
  expect_failure(run({"mesh", "run", "-o", "nowhere/x.ply"}), 1, {"nowhere"});
  expect_failure(run({"mesh", "run", "-o", "x.ply", "--level", "-3"}), 2, {"--level"});
}

TEST_F(SceneProgram, InfoAndPresetsKnowScenes) {
  fitted(2);
  const Json model = Json::parse(run({"info", "run/model.safetensors", "--json"}).out);
  EXPECT_EQ(model["task"], "scene");
  EXPECT_EQ(model["width"], kSize);
  EXPECT_EQ(model["world_centre"], (Json{1, 2, 3}));
  EXPECT_NEAR(model["world_scale"].get<double>(), 1 / (2 * kHalfSide), 1e-12);
  EXPECT_EQ(model["box_min"], (Json{-0.5, -0.5, -0.5}));
  EXPECT_EQ(model["poses"], 5);
  EXPECT_EQ(model["rays"]["n_coarse"], 8);
  EXPECT_EQ(model["rays"]["density"], "softplus");
  EXPECT_TRUE(model["networks"].contains("coarse"));
  EXPECT_GT(model["networks"]["fine"]["n_params"].get<int>(), 1000);
  EXPECT_FALSE(model.contains("color_space"));
  EXPECT_NE(run({"info", "run/model.safetensors"}).out.find("world_scale"), std::string::npos);
  EXPECT_EQ(Json::parse(run({"info", "run", "--json"}).out)["networks"].size(), 2U);
  EXPECT_EQ(Json::parse(run({"info", "run/checkpoints/step-000000002.safetensors", "--json"}).out)["networks"].size(),
            2U);
  const Outcome list = run({"presets"});
  EXPECT_NE(list.out.find("nerf       scene"), std::string::npos) << list;
  const Outcome nerf = run({"presets", "nerf"});
  ASSERT_EQ(nerf.code, 0) << nerf;
  EXPECT_NE(nerf.out.find("n_coarse = 96"), std::string::npos) << nerf;
  write_all(folder_ / "nerf.toml", nerf.out);
  const Outcome dry = run({"fit", "scene", "--config", "nerf.toml", "--dry-run", "--json", "--batch-size", "2", "--set",
                           "model.widths=[16,16,16,16,16]", "--set", "model.tiles=1"});
  ASSERT_EQ(dry.code, 0) << dry;
  for (const char* command : {"fit", "render"}) {
    EXPECT_NE(run({command, "--help"}).out.find("scene"), std::string::npos) << command;
  }
}

/// A wall in front of all cameras with a radiance of 30, and one below 0 in the blue: no sigmoid holds either.
TEST_F(SceneProgram, RadianceOutsideTheUnitRangeIsKept) {
  make_scene();
  const std::array<float, 3> bright = {30, 0.5F, -0.25F};
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "scene")) {
    if (entry.path().extension() != ".png") continue;
    Image photo(kSize, kSize, 3, PixelType::F16);
    for (int y = 0; y < kSize; ++y) {
      for (int x = 0; x < kSize; ++x) photo.write_row(x, y, 1, bright.data());
    }
    write_image(fs::path(entry.path()).replace_extension(".exr").string(), photo);
    fs::remove(entry.path());
  }
  const Outcome info = run({"info", "scene", "--json"});
  EXPECT_EQ(Json::parse(info.out)["range"], (Json{-0.25, 30.0})) << info;
  EXPECT_EQ(Json::parse(info.out)["color"], "sinh");
  // Whatever the preset, which names the usual colours.
  for (const char* preset : {"auto", "nerf"}) {
    const Outcome few = run({"fit",
                             "scene",
                             "--preset",
                             preset,
                             "--out",
                             preset,
                             "-q",
                             "--max-steps",
                             "1",
                             "--batch-size",
                             "8",
                             "--set",
                             "rays.n_coarse=2",
                             "--set",
                             "rays.n_fine=2",
                             "--set",
                             "model.widths=[16,16]",
                             "--set",
                             "model.tiles=2",
                             "--set",
                             "model.resolutions=[2,8]"});
    ASSERT_EQ(few.code, 0) << few;
    EXPECT_NE(read_all(folder_ / preset / "config.toml").find("color = \"sinh\""), std::string::npos) << preset;
  }
  const Outcome outcome = fit("scene", "run", {"--max-steps", "150"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(read_all(folder_ / "run/config.toml").find("color = \"sinh\""), std::string::npos);
  const Json result = Json::parse(outcome.out);
  EXPECT_EQ(result["range"], (Json{-0.25, 30.0}));
  EXPECT_GT(result["psnr_db"].get<double>(), 12) << "the best in [0, 1] has 5.1 dB";
  const Image view = read_image(path("run/views/test_000.exr"));
  const std::array<float, 3> middle = pixel(view, kSize / 2, kSize / 2);
  EXPECT_GT(middle[0], 15);
  EXPECT_LT(middle[2], 0);
  render({"-o", "view.exr"});
  EXPECT_GT(pixel(read_image(path("view.exr")), kSize / 2, kSize / 2)[0], 15);
  // Frames of a path: floats in a folder; what ends at white says so.
  const Outcome frames = render({"-o", "frames/", "--camera-path", "orbit", "--frames", "1", "--size", "8x8"});
  EXPECT_EQ(frames.err.find("warning"), std::string::npos) << frames;
  EXPECT_EQ(read_image_info(path("frames/frame-000001.exr")).type, PixelType::F16);
  for (const char* name : {"cut.mp4", "cut.png"}) {
    const bool is_clip = std::string(name) == "cut.mp4";
    const Outcome cut = is_clip ? render({"-o", name, "--camera-path", "orbit", "--frames", "1", "--size", "8x8"})
                                : render({"-o", name, "--size", "8x8"});
    EXPECT_NE(cut.err.find("colours below 0 and above 1, which this scene has, are cut in a file of u8; write "),
              std::string::npos)
        << cut;
  }
  const Json eval = Json::parse(run({"eval", "run", "--json", "-q"}).out);
  EXPECT_EQ(eval["psnr_db"], result["psnr_db"]);
}

TEST_F(SceneProgram, BadScenesLeaveNothing) {
  const auto refused = [&](const std::string& name, int code, const Arguments& parts, const Arguments& more = {}) {
    expect_failure(run(Arguments{"fit", name} + tiny() + Arguments{"--max-steps", "2"} + more), code, parts);
    EXPECT_FALSE(fs::exists(folder_ / "runs")) << name;
  };
  make_scene("cut");
  fs::resize_file(folder_ / "cut/train_002.png", 100);
  refused("cut", 1, {"train_002.png"});
  make_scene("torn");
  fs::resize_file(folder_ / "torn/transforms_train.json", 200);
  refused("torn", 1, {"transforms_train.json"});
  make_scene("bare");
  for (int k = 0; k < 5; ++k) fs::remove(folder_ / fmt::format("bare/train_{:03}.png", k));
  refused("bare", 1, {"bare", "expected"});
  refused(make_picture(), 1, {"picture.png"}, {"--task", "scene"});
  refused("cut", 1, {"cut"}, {"--task", "video"});
  // One photo of several that is not there: the others will do, and it is said.
  make_scene("gap");
  fs::remove(folder_ / "gap/train_001.png");
  const Outcome gap = fit("gap", "of-gap", {"--max-steps", "2"});
  ASSERT_EQ(gap.code, 0) << gap;
  EXPECT_NE(gap.err.find("loe: warning: "), std::string::npos) << gap;
  EXPECT_EQ(Json::parse(gap.out)["n_views"], 4);
}

}  // namespace
}  // namespace loe::test
