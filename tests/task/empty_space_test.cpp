// Opacity in known-empty space, on fields whose densities are known.
#include "loe/task/empty_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "loe/render/analytic_scene.h"

namespace loe {
namespace {

/// A field whose fine network's density is relu(bias + slope x), x in [-0.5, 0.5]: one level without experts that
/// passes the coordinates through.
class EmptySpace : public ::testing::Test {
 protected:
  EmptySpace() {
    Settings settings;
    settings.set("model.widths", std::vector<double>{3}, "test");
    settings.set("model.tiles", int64_t{1}, "test");
    settings.set("model.resolutions", std::vector<double>{2}, "test");
    settings.set("model.n_frequencies", int64_t{0}, "test");
    settings.set("model.activation", std::string("identity"), "test");
    settings.set("model.color_width", int64_t{2}, "test");
    spec_ = build_model(scene_config_from_settings(settings));
  }

  ModelExecutor field(float bias, float slope) {
    std::vector<float> params(static_cast<std::size_t>(spec_.n_params()), 0.0F);
    const auto at = [&](const std::string& name) -> float* {
      for (const TensorInfo& tensor : spec_.tensors()) {
        if (tensor.name == name) return params.data() + tensor.offset;
      }
      ADD_FAILURE() << "no tensor " << name;
      return params.data();
    };
    for (int i = 0; i < 3; ++i) at("fine.levels.0.weight")[3 * i + i] = 1;
    at("fine.density.weight")[0] = slope;
    at("fine.density.bias")[0] = bias - slope / 2;  // the network's coordinates are x + 1/2
    at("coarse.density.bias")[0] = 77;              // must not count
    ModelExecutor model = compile(cpu_backend(), spec_, {.n_threads = 1});
    model.set_params(params);
    return model;
  }

  ModelSpec spec_;
};

TEST_F(EmptySpace, ConstantDensityHasItsAnalyticOpacity) {
  ModelExecutor model = field(3, 0);
  FieldRenderer renderer(model, {});
  const Box boxes[] = {{{-0.5, -0.25, 0}, {-0.1, 0.25, 0.1}}, {{0.1, 0.1, 0.1}, {0.3, 0.2, 0.4}}};
  const EmptySpaceOpacity found = empty_space_opacity(renderer, boxes, 5, 7);
  double mean = 0;
  for (const double length : {0.4, 0.5, 0.1, 0.2, 0.1, 0.3}) mean += (1 - std::exp(-3 * length)) / 6;
  EXPECT_NEAR(found.mean, mean, 1e-6);
  EXPECT_NEAR(found.largest, 1 - std::exp(-1.5), 1e-6);
  EXPECT_EQ(found.n_rays, 6 * 25);
  EXPECT_EQ(renderer.n_samples(), 6 * 25 * 7);
}

TEST_F(EmptySpace, NothingIsThereWithoutDensity) {
  ModelExecutor model = field(-0.1F, 0);
  FieldRenderer renderer(model, {});
  const EmptySpaceOpacity found = empty_space_opacity(renderer, AnalyticScene::empty_boxes(), 3, 5);
  EXPECT_EQ(found.mean, 0);
  EXPECT_EQ(found.largest, 0);
}

// Half of the box has a density that rises from 0: the integral along x is 4 * 0.3^2 / 2, that along y and z depends on
// where a ray is.
TEST_F(EmptySpace, VaryingDensityIsIntegrated) {
  ModelExecutor model = field(0, 4);
  FieldRenderer renderer(model, {});
  RayBatch rays;
  rays.resize(3);
  for (int i = 0; i < 3; ++i) {
    Ray ray;
    ray.origin = {-0.3F, 0.01F * static_cast<float>(i), 0.2F};
    ray.direction = {1, 0, 0};
    ray.far = i == 1 ? 0.0F : 0.6F;
    rays.set(i, ray);
  }
  std::vector<double> depths(3);
  optical_depths(renderer, rays, 400, depths);
  EXPECT_NEAR(depths[0], 0.18, 2e-4);
  EXPECT_EQ(depths[1], 0);
  EXPECT_NEAR(depths[2], 0.18, 2e-4);
  EXPECT_NE(depths[0], depths[2]);  // other random numbers
  const Box box[] = {{{-0.3, -0.3, -0.3}, {0.3, 0.3, 0.3}}};
  const EmptySpaceOpacity found = empty_space_opacity(renderer, box, 40, 40);
  // Along y and z: (1 / 0.6) integral over 0..0.3 of 1 - exp(-0.6 * 4 x) dx.
  const double across = (0.3 - (1 - std::exp(-0.72)) / 2.4) / 0.6;
  EXPECT_NEAR(found.mean, (1 - std::exp(-0.18) + 2 * across) / 3, 1e-3);
  EXPECT_NEAR(found.largest, 1 - std::exp(-0.72), 0.01);
  EXPECT_EQ(empty_space_opacity(renderer, box, 40, 40).mean, found.mean);
}

TEST_F(EmptySpace, CamerasSeeTheBoxesOnly) {
  ModelExecutor model = field(2, 0);
  FieldRenderer renderer(model, {});
  const Box boxes[] = {{{-0.1, -0.1, -0.4}, {0.1, 0.1, -0.1}}, {{-0.1, -0.1, 0.1}, {0.1, 0.1, 0.2}}};
  RayBatch rays;
  rays.resize(4);
  const auto set = [&](int64_t index, float x, float near, float far) {
    Ray ray;
    ray.origin = {x, 0, 1};
    ray.direction = {0, 0, -1};
    ray.near = near;
    ray.far = far;
    rays.set(index, ray);
  };
  set(0, 0, 0.5F, 1.5F);     // through both
  set(1, 0.2F, 0.5F, 1.5F);  // beside them
  set(2, 0, 0.5F, 1.2F);     // ends inside the far one
  set(3, 0, 0.85F, 1.0F);    // begins inside the near one
  std::vector<float> opacity(4);
  render_empty_space(renderer, rays, boxes, 16, opacity);
  EXPECT_NEAR(opacity[0], 1 - std::exp(-2 * 0.4), 1e-6);
  EXPECT_EQ(opacity[1], 0);
  EXPECT_NEAR(opacity[2], 1 - std::exp(-2 * 0.2), 1e-6);
  EXPECT_NEAR(opacity[3], 1 - std::exp(-2 * 0.05), 1e-6);
}

TEST_F(EmptySpace, MistakesAreNamed) {
  ModelExecutor model = field(0, 0);
  FieldRenderer renderer(model, {});
  const Box good[] = {Box()};
  const Box flat[] = {Box(), {{0, 0, 0}, {0.1, 0, 0.1}}};
  const Box outside[] = {{{0, 0, 0}, {0.1, 0.1, 0.6}}};
  EXPECT_THROW(empty_space_opacity(renderer, {}), Error);
  EXPECT_THROW(empty_space_opacity(renderer, flat), Error);
  EXPECT_THROW(empty_space_opacity(renderer, outside), Error);
  EXPECT_THROW(empty_space_opacity(renderer, good, 0), Error);
  EXPECT_THROW(empty_space_opacity(renderer, good, 2, 0), Error);
  RayBatch rays;
  rays.resize(2);
  std::vector<double> depths(1);
  std::vector<float> opacity(3);
  EXPECT_THROW(optical_depths(renderer, rays, 4, depths), Error);
  EXPECT_THROW(render_empty_space(renderer, rays, good, 4, opacity), Error);
}

}  // namespace
}  // namespace loe
