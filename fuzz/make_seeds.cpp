// Writes the seed corpus of the readers with our own writers: make_seeds FOLDER fills FOLDER/fuzz_<reader>/.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "loe/base/error.h"
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

void write_models(const std::string& folder, const std::string& suffix, bool has_embedding) {
  loe::Model model;
  model.network = small_network(has_embedding);
  model.params.assign(static_cast<std::size_t>(model.network.n_params()), 0.25F);
  model.signal.width = 4;
  model.signal.height = 3;
  loe::write_text_file(folder + "/network" + suffix + ".json", loe::network_to_json(model.network));
  loe::write_model(folder + "/model" + suffix + ".safetensors", model);
  loe::RunState state;
  state.params = {model.params, model.params, model.params};
  state.config_hash = "00";
  loe::write_checkpoint(folder + "/checkpoint" + suffix + ".safetensors", model.network, state);
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

}  // namespace

int main(int n_arguments, char** arguments) {
  if (n_arguments != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  try {
    const std::string folder = arguments[1];
    for (const char* name : {"/fuzz_model", "/fuzz_safetensors", "/fuzz_picture", "/fuzz_video"}) {
      std::filesystem::create_directories(folder + name);
    }
    write_models(folder + "/fuzz_model", "", false);
    write_models(folder + "/fuzz_model", "_embedding", true);
    write_tensors(folder + "/fuzz_safetensors");
    write_pictures(folder + "/fuzz_picture");
    write_videos(folder + "/fuzz_video");
  } catch (const loe::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
