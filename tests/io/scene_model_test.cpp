// Models of several networks, and what a scene's model file says about its field.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "io/io_test_helpers.h"
#include "loe/io/model_file.h"
#include "loe/io/safetensors.h"
#include "loe/nn/radiance_field.h"

namespace loe {
namespace {

NetworkSpec field_network(int width) {
  RadianceFieldConfig config;
  config.trunk.n_dims = 3;
  config.trunk.input.n_frequencies = 2;
  config.trunk.widths = {width};
  config.trunk.tiles = {Tile{{2, 2, 2, 1}}};
  config.trunk.layout.resolutions = {{2, 2, 2, 1}};
  config.n_direction_frequencies = 1;
  config.color_width = 3;
  return build_radiance_field(config);
}

Model scene_model() {
  Model model;
  model.spec.parts = {{"coarse", field_network(4)}, {"fine", field_network(5)}};
  model.params.resize(static_cast<std::size_t>(model.spec.n_params()));
  for (std::size_t i = 0; i < model.params.size(); ++i) model.params[i] = 0.01F * static_cast<float>(i);
  model.signal.task = "scene";
  model.signal.width = 40;
  model.signal.height = 30;
  FieldInfo& field = model.signal.field;
  field.rays.n_coarse = 17;
  field.rays.importance = ImportanceDraw::Stratified;
  field.rays.density = DensityActivation::Softplus;
  field.rays.density_shift = -1;
  field.rays.last = LastInterval::Infinite;
  field.rays.background = {0.25, 0.5, 1};
  field.centre = {1, -2, 1.0 / 3};
  field.scale = 0.7;
  field.box_min = {-0.5, -0.25, -0.125};
  field.intrinsics.width = 40;
  field.intrinsics.height = 30;
  field.intrinsics.fl_x = 33;
  field.intrinsics.fl_y = 34;
  field.intrinsics.cx = 20;
  field.intrinsics.cy = 15.5;
  field.intrinsics.lens = {LensModel::BrownConrady, {0.1, 0, 0, 0}, {1e-3, 0}};
  field.near = 0.5;
  field.far = 2;
  field.poses.resize(2);
  field.poses[1].matrix[1][3] = 0.9;
  return model;
}

void rewrite(const std::string& path, const std::function<void(TensorFile&)>& change) {
  TensorFile file = read_safetensors(path);
  change(file);
  std::vector<TensorView> views;
  for (const TensorFile::Tensor& tensor : file.tensors) views.push_back({tensor.name, tensor.shape, tensor.data});
  write_safetensors(path, views, file.metadata);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(SceneModel, RoundTripIsExact) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  const Model model = scene_model();
  write_model(path, model);
  const TensorFile file = read_safetensors(path);
  EXPECT_EQ(file.metadata.at("version"), "5");
  EXPECT_FALSE(file.metadata.contains("network"));
  EXPECT_NE(file.find("fine.color.1.weight"), nullptr);
  const Model back = read_model(path);
  EXPECT_EQ(back.spec, model.spec);
  EXPECT_EQ(back.params, model.params);
  const FieldInfo& field = back.signal.field;
  EXPECT_EQ(back.signal.task, "scene");
  EXPECT_EQ(field.rays, model.signal.field.rays);
  EXPECT_EQ(field.intrinsics, model.signal.field.intrinsics);
  EXPECT_EQ(field.centre, model.signal.field.centre);
  EXPECT_EQ(field.scale, model.signal.field.scale);
  EXPECT_EQ(field.box_min, model.signal.field.box_min);
  EXPECT_EQ(field.box_max, model.signal.field.box_max);
  EXPECT_EQ(field.far, 2);
  EXPECT_EQ(field.poses, model.signal.field.poses);
}

TEST(SceneModel, RefusesDamagedDescriptions) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  const auto refused = [&](const std::string& part, const char* key, const std::string& from, const std::string& to) {
    write_model(path, scene_model());
    rewrite(path, [&](TensorFile& f) { f.metadata[key] = replaced(f.metadata[key], from, to); });
    expect_error(ErrorKind::Format, part, [&] { read_model(path); });
  };
  refused("networks[1].name", "networks", "\"fine\"", "\"coarse\"");
  refused("networks[0].name", "networks", "\"coarse\"", "\"Co/../x\"");
  refused("networks[0].name", "networks", "\"coarse\"", "\"\"");
  write_model(path, scene_model());
  rewrite(path, [](TensorFile& f) { f.metadata["networks"] = "{}"; });
  expect_error(ErrorKind::Format, "networks: expected a list", [&] { read_model(path); });
  refused("rays.n_coarse", "signal", "\"n_coarse\":17", "\"n_coarse\":0");
  refused("rays.importance", "signal", "\"stratified\"", "\"often\"");
  refused("rays", "signal", "[0.25,0.5,1.0]", "[0.25,0.5,2.0]");
  refused("rays.background", "signal", "[0.25,0.5,1.0]", "[0.25,0.5]");
  refused("space.scale", "signal", "\"scale\":0.7", "\"scale\":0.0");
  refused("space.box_min", "signal", "\"box_min\":[-0.5", "\"box_min\":[-0.6");
  refused("camera.fl_x", "signal", "\"fl_x\":33.0", "\"fl_x\":-33.0");
  refused("camera.model", "signal", "\"brown_conrady\"", "\"pinhole camera\"");
  refused("poses[0]", "signal", "\"poses\":[[[1.0,0.0,0.0,0.0]", "\"poses\":[[[1.0,0.0,0.0]");
  refused("signal", "signal", "\"poses\"", "\"places\"");
  refused("signal.width", "signal", "\"width\":40", "\"width\":0");
  write_model(path, scene_model());
  rewrite(path, [](TensorFile& f) { f.metadata["version"] = "4"; });
  expect_error(ErrorKind::Format, "'version': expected 5 for this network", [&] { read_model(path); });
  rewrite(path, [](TensorFile& f) {
    f.metadata["version"] = "5";
    f.tensors[0].name = "coarse.levels.9.weight";
  });
  expect_error(ErrorKind::Format, "'coarse.levels.0.weight'", [&] { read_model(path); });
}

TEST(SceneModel, CheckpointsKeepTheTasksState) {
  const TempFolder folder;
  const std::string path = folder.file("c.safetensors");
  const Model model = scene_model();
  RunState state;
  state.params = {model.params, model.params, model.params};
  state.task_state = {-1, 0, 3.5F};
  write_checkpoint(path, model.spec, state);
  EXPECT_EQ(read_checkpoint_networks(path), model.spec);
  const RunState back = read_checkpoint(path, model.spec);
  EXPECT_EQ(back.task_state, state.task_state);
  EXPECT_EQ(back.params.adam_v, model.params);
  rewrite(path, [](TensorFile& f) {
    for (auto& tensor : f.tensors) {
      if (tensor.name == "task_state") tensor.data[1] = NAN;
    }
  });
  expect_error(ErrorKind::Format, "task_state", [&] { read_checkpoint(path, model.spec); });
  ModelSpec other = model.spec;
  other.parts[1].name = "other";
  state.task_state.clear();
  write_checkpoint(path, model.spec, state);
  EXPECT_TRUE(read_checkpoint(path, model.spec).task_state.empty());
  expect_error(ErrorKind::Format, "another one", [&] { read_checkpoint(path, other); });
}

}  // namespace
}  // namespace loe
