// Writes the seed corpus of the readers with our own writers: make_seeds FOLDER fills FOLDER/fuzz_<reader>/.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "io/npy.h"
#include "loe/base/error.h"
#include "loe/io/feature_statistics_file.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/io/model_file.h"
#include "loe/io/safetensors.h"
#include "loe/io/video_file.h"

namespace {

loe::NetworkSpec small_network(bool has_embedding) {
  loe::NetworkSpec spec;
  spec.input.n_frequencies = 1;
  if (has_embedding) spec.input.embedding = {{2, 3}, 1, 0.5};
  loe::LayerSpec level;
  level.name = "levels.0";
  level.n_in = spec.n_in();
  level.n_out = 2;
  level.tile.n = {2, 1, 1, 1};
  level.grid.a[0][0] = 2;
  level.grid.a[1][1] = 0.5;
  level.activation.kind = loe::ActivationKind::LeakyRelu;
  loe::LayerSpec head;
  head.name = "head";
  head.n_in = 2;
  head.n_out = 1;
  spec.layers = {level, head};
  if (has_embedding) spec.output = {0.5, 0.5};  // the other part of format version 2
  return spec;
}

void write_model_files(const std::string& folder, const std::string& suffix, loe::Model& model) {
  model.params.assign(static_cast<std::size_t>(model.spec.n_params()), 0.25F);
  model.signal.width = 4;
  model.signal.height = 3;
  loe::write_text_file(folder + "/network" + suffix + ".json", loe::network_to_json(model.spec.main()));
  loe::write_model(folder + "/model" + suffix + ".safetensors", model);
  loe::RunState state;
  state.params = {model.params, model.params, model.params};
  state.config_hash = "00";
  if (model.spec.parts.size() > 1) state.task_state = {-1, 2};
  loe::write_checkpoint(folder + "/checkpoint" + suffix + ".safetensors", model.spec, state);
}

void write_models(const std::string& folder, const std::string& suffix, bool has_embedding) {
  loe::Model model;
  model.spec = small_network(has_embedding);
  write_model_files(folder, suffix, model);
}

/// Two networks, and a signal that is a scene.
void write_field(const std::string& folder) {
  loe::Model model;
  model.spec.parts = {{"coarse", small_network(false)}, {"fine", small_network(false)}};
  model.signal.task = "scene";
  model.signal.field.intrinsics.fl_x = 3;
  model.signal.field.intrinsics.fl_y = 3;
  model.signal.field.poses.resize(1);
  write_model_files(folder, "_field", model);
}

void write_tensors(const std::string& folder) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  loe::write_safetensors(folder + "/empty", {}, {});
  loe::write_safetensors(folder + "/two", {{"a", {2, 3}, values}, {"b", {}, {values.data(), 1}}}, {{"key", "value"}});
  loe::write_text_file(folder + "/half", std::string("\x38\0\0\0\0\0\0\0", 8) +
                                             R"({"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}  )" +
                                             "\x01\x3C");
}

void write_pictures(const std::string& folder) {
  const loe::Image image(3, 2, 3, loe::PixelType::U8);
  loe::write_image(folder + "/p.png", image);
  loe::write_image(folder + "/p.jpg", image);
  loe::write_image(folder + "/p.tif", image);
  const std::string texts[] = {"P1\n# bits\n2 1\n01\n", "P2 2 1 15 3 15", "P4\n2 1\n\x40",
                               "Pf\n1 1\n-1.0\n\x01\x02\x03\x3F",
                               "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\nrgba"};
  for (const std::string& text : texts) loe::write_text_file(folder + "/" + text.substr(0, 2) + ".pnm", text);
}

void write_channels(const std::string& folder) {
  loe::write_text_file(folder + "/layers", "b.R,2, b.b\na.R\na.G\na.B\nb.R\nb.G\nb.B");
  loe::write_text_file(folder + "/colours", "Z\nR\nG\nB\nA\nZ");
  loe::write_text_file(folder + "/grey", "1,,2\nY\nRY\nBY\nbeauty.red\nbeauty.alpha");
}

/// A profile of one tag, its description, as versions 4 and 2 write it.
void write_profiles(const std::string& folder) {
  using namespace std::string_literals;
  const std::string head =
      std::string(36, '\0') + "acsp" + std::string(88, '\0') + "\0\0\0\x01"s + "desc" + "\0\0\0\x90\0\0\0\x20"s;
  loe::write_text_file(folder + "/v4", head +
                                           "mluc\0\0\0\0\0\0\0\x01\0\0\0\x0C"
                                           "enUS\0\0\0\x04\0\0\0\x1C\0P\0003"s);
  loe::write_text_file(folder + "/v2", head + "desc\0\0\0\0\0\0\0\x05sRGB\0"s);
}

void write_videos(const std::string& folder) {
  for (const bool deep : {false, true}) {
    loe::Video video(6, 4, deep ? 1 : 3, deep ? loe::PixelType::U16 : loe::PixelType::U8);
    for (int t = 0; t < 2; ++t) video.append(loe::Image(6, 4, video.n_channels(), video.type()));
    const std::string name = folder + (deep ? "/u16" : "/u8");
    loe::write_video(name + ".npy", video);
    loe::write_video(name + ".mp4", video);
    loe::write_video(name + ".mkv", video);
    if (!deep) loe::write_video(name + ".y4m", video);
  }
}

template <typename Value>
std::string bytes_of(Value value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

/// One camera in every format, behind the byte that fuzz_scene.cpp goes by.
void write_scenes(const std::string& folder) {
  const auto write = [&](char which, const std::string& name, const std::string& content) {
    loe::write_text_file(folder + "/" + name, which + content);
  };
  const std::string one = bytes_of(uint64_t{1});
  std::string camera =
      one + bytes_of(uint32_t{1}) + bytes_of(int32_t{4}) + bytes_of(uint64_t{40}) + bytes_of(uint64_t{30});
  for (const double value : {50.0, 50.0, 20.0, 15.0, 0.1, -0.05, 0.001, 0.002}) camera += bytes_of(value);
  write('0', "cameras.bin", camera);
  write('1', "cameras.txt",
        "# comment\n1 OPENCV 40 30 50 50 20 15 0.1 -0.05 0.001 0.002\n2 SIMPLE_PINHOLE 4 3 5 2 1.5\n");
  std::string image = one + bytes_of(uint32_t{1});
  for (const double value : {0.5, 0.5, -0.5, 0.5, 1.0, 2.0, 3.0}) image += bytes_of(value);
  image += bytes_of(uint32_t{1}) + "a.png" + std::string(1, '\0') + one + bytes_of(1.0) + bytes_of(2.0) + one;
  write('2', "images.bin", image);
  write('3', "images.txt", "1 0.5 0.5 -0.5 0.5 1 2 3 1 a b.png\n\n2 1 0 0 0 1 2 3 1 c.png\n1.5 2.5 -1\n");
  write('4', "points3D.bin",
        one + one + bytes_of(1.0) + bytes_of(2.0) + bytes_of(3.0) + "rgb" + bytes_of(0.5) + one + one);
  write('5', "points3D.txt", "1 1 2 3 9 9 9 0.5 1 2\n");
  write('6', "transforms.json", R"({"fl_x": 50, "w": 40, "h": 30, "cx": 20, "k1": 0.1, "p1": 0.01, "aabb_scale": 4,
"camera_model": "OPENCV", "train_filenames": ["a.png"], "frames": [{"file_path": "a.png", "mask_path": "m.png",
"transform_matrix": [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]}]})");
  write('7', "intrinsics.txt", "50 20 15 0.\n0. 0. 0.\n1.\n30 40\n");
  write('8', "pose.txt", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n");
  write('9', "bbox.txt", "-1 -1 -1 1 1 1 0.1\n");
  std::string array = loe::npy_header("<f8", {1, 17});
  for (const double value : {0., 1., 0., 1., 30., -1., 0., 0., 2., 40., 0., 0., 1., 3., 50., 1., 9.})
    array += bytes_of(value);
  write(':', "poses_bounds.npy", array);
  write(';', "name", "C:\\scan\\..\\images/./0.png");
  write(';', "address", "https://host/a%20b//images/0.png?v=1");
}

}  // namespace

int main(int n_arguments, char** arguments) {
  if (n_arguments != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    for (const char* name : {"/fuzz_model", "/fuzz_safetensors", "/fuzz_picture", "/fuzz_channels", "/fuzz_profile",
                             "/fuzz_video", "/fuzz_scene", "/fuzz_statistics"}) {
      std::filesystem::create_directories(folder + name);
    }
    write_models(folder + "/fuzz_model", "", false);
    write_models(folder + "/fuzz_model", "_embedding", true);
    write_field(folder + "/fuzz_model");
    write_tensors(folder + "/fuzz_safetensors");
    write_pictures(folder + "/fuzz_picture");
    write_channels(folder + "/fuzz_channels");
    write_profiles(folder + "/fuzz_profile");
    // A source of nothing, as the target expects.
    loe::write_feature_statistics(folder + "/fuzz_statistics/two", {3, {0.5, 1}, {1, 0, 0, 2}}, {});
    write_videos(folder + "/fuzz_video");
    write_scenes(folder + "/fuzz_scene");
  } catch (const loe::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
