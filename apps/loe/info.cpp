// `loe info`: what a picture, video, scene, run, model, checkpoint or this machine is.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "camera_picture.h"
#include "commands.h"
#include "fitting/facts_json.h"
#include "loe/backend/conv_net.h"
#include "loe/base/error.h"
#include "loe/fitting/fit_signal.h"
#include "loe/fitting/machine.h"
#include "loe/io/config_file.h"
#include "loe/io/file.h"
#include "loe/io/folder_content.h"
#include "loe/io/image_file.h"
#include "loe/io/model_file.h"
#include "loe/io/run_folder.h"
#include "loe/io/safetensors.h"
#include "loe/io/scene_file.h"
#include "loe/io/video_file.h"
#include "loe/nn/discriminator.h"
#include "loe/nn/network.h"
#include "loe/signal/no_data.h"
#include "loe/task/fit_config.h"
#include "loe/task/image_presets.h"
#include "loe/task/image_task.h"
#include "progress.h"
#include "scene_info.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Kernels of a network in every precision that the device has.
Json kernels_of(const std::string& device, const NetworkSpec& network) {
  Json kernels = Json::object();
  for (const Precision precision : {Precision::F32, Precision::Tf32, Precision::Mixed, Precision::Bf16}) {
    try {
      kernels[to_string(precision)] = kernels_to_json(compile(device, network, precision, 1)->kernels());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Unsupported) throw;
      kernels[to_string(precision)] = error.what();
    }
  }
  return kernels;
}

/// What runs Table 4's discriminator on pictures of 64 x 64, or why nothing does.
Json conv_kernels(const std::string& device) {
  try {
    const ConvDevice found = conv_device(device);
    Json kernels = kernels_to_json(compile_conv(found.device, build_discriminator({}), 1)->kernels({64, 64}));
    if (!found.reason.empty()) {
      for (Json& kernel : kernels) kernel["reason"] = "on device " + found.device + ": " + found.reason;
    }
    return kernels;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Unsupported) throw;
    return error.what();
  }
}

Json machine_info() {
  Json info = {{"kind", "machine"}};
  info.update(to_json(machine_facts()));
  Json devices = Json::array();
  const NetworkSpec network = build_network(image_config_from_settings(image_preset("toy"), 3).network);
  for (const std::string& name : available_devices()) {
    std::vector<std::string> isas = find_backend(name).isas();
    std::erase(isas, "");
    devices.push_back(
        {{"name", name}, {"isas", isas}, {"kernels", kernels_of(name, network)}, {"convolutions", conv_kernels(name)}});
  }
  info["devices"] = devices;
  if (!why_no_cuda().empty()) info["no_cuda"] = why_no_cuda();
  if (why_no_cuda().empty() && !why_no_cuda_conv().empty()) info["no_cuda_convolutions"] = why_no_cuda_conv();
  return info;
}

/// "RGB, straight alpha", "Y", "U, V".
std::string channel_names(const ImageFileInfo& file) {
  if (!file.tags.channels.empty()) return fmt::format("{}", fmt::join(file.tags.channels, ", "));
  const std::string colors = file.n_channels <= 2 ? "grey" : "RGB";
  if (file.n_channels % 2 != 0) return colors;
  return fmt::format("{}, {} alpha", colors, to_string(file.tags.alpha));
}

/// Values of floats must be read to be told; those of integers are 0 to 1 by definition.
void add_range(const std::string& path, const ImageFileInfo& file, const std::string& channels, Json& info) {
  info["range"] = file.tags.range;
  const bool is_integer = file.type == PixelType::U8 || file.type == PixelType::U16;
  if (is_integer && file.format != "webp") return;  // whose pixels tell whether it can be read
  try {
    const Image image = read_image(path, kMaxImageBytes, ImageTurn::AsShown, channels);
    info["range"] = image.tags.range;
    info["no_data_pixels"] = image.n_pixels() - n_measured(image);
  } catch (const Error& error) {
    info["range"] = fmt::format("not known: {}", error.what());  // the header was readable
  }
}

Json picture_info(const std::string& path, const Settings& settings) {
  settings.require_known({"data.channels"});
  const std::string channels = signal_edit_from_settings(settings).channels;
  const ImageFileInfo file = read_image_info(path, ImageTurn::AsShown, channels);
  const int64_t values = int64_t{file.width} * file.height * file.n_channels;
  Json info = {{"kind", "picture"},
               {"path", path_to_text(path)},
               {"format", file.format},
               {"width", file.width},
               {"height", file.height},
               {"channels", file.n_channels},
               {"channel_names", channel_names(file)},
               {"type", to_string(file.type)},
               {"source_type", file.source_type},
               {"color_space", file.tags.color_space},
               {"icc_profile_bytes", file.tags.icc_profile.size()},
               {"orientation", file.orientation},
               {"pixel_aspect", file.tags.pixel_aspect},
               {"n_pictures", file.n_pictures},
               {"memory_bytes", values * bytes_per_value(file.type)}};
  add_range(path, file, channels, info);
  if (!file.notes.empty()) info["notes"] = file.notes;
  return info;
}

Json video_info(const std::string& path) {
  const VideoFileInfo file = read_video_info(path);
  const int64_t frame_bytes = int64_t{file.width} * file.height * file.n_channels * bytes_per_value(file.type);
  const double seconds = static_cast<double>(file.n_frames) / file.frame_rate.value();
  Json info = {{"kind", "video"},
               {"path", path_to_text(path)},
               {"format", file.format},
               {"codec", file.codec},
               {"width", file.width},
               {"height", file.height},
               {"n_frames", file.n_frames > 0 ? Json(file.n_frames) : Json("not stated")},
               {"frame_rate", file.frame_rate.value()},
               {"variable_rate", file.is_variable_rate},
               {"channels", file.n_channels},
               {"type", to_string(file.type)},
               {"color_matrix", file.color.matrix},
               {"color_range", file.color.range},
               {"color_primaries", file.color.primaries},
               {"color_transfer", file.color.transfer},
               {"alpha", file.has_alpha},
               {"audio", file.has_audio},
               {"interlaced", file.is_interlaced},
               {"pixel_aspect", file.pixel_aspect},
               {"seconds", file.n_frames > 0 ? Json(seconds) : Json("not stated")},
               {"memory_bytes", frame_bytes * file.n_frames}};
  if (!file.notes.empty()) info["notes"] = file.notes;
  return info;
}

Json network_info(const NetworkSpec& network) {
  Json layers = Json::array();
  for (const LayerSpec& layer : network.layers) {
    Json resolution = Json::array();
    Json tile = Json::array();
    for (int d = 0; d < network.n_dims; ++d) {
      resolution.push_back(layer.grid.a[static_cast<std::size_t>(d)][static_cast<std::size_t>(d)]);
      tile.push_back(layer.tile.n[static_cast<std::size_t>(d)]);
    }
    layers.push_back({{"name", layer.name},
                      {"n_in", layer.n_in},
                      {"n_out", layer.n_out},
                      {"tile", tile},
                      {"resolution", resolution},
                      {"interpolation", to_string(layer.interpolation)},
                      {"activation", to_string(layer.activation.kind)}});
    const auto index = static_cast<int>(layers.size()) - 1;
    const int source = network.source_of(index);
    if (source >= 0 && source != index - 1)
      layers.back()["reads"] = network.layers[static_cast<std::size_t>(source)].name;
    if (layer.residual != kNoResidual) {
      layers.back()["adds"] = network.layers[static_cast<std::size_t>(layer.residual)].name;
    }
    if (layer.n_features > 0) layers.back()["n_features"] = layer.n_features;
  }
  Json info = {{"n_params", network.n_params()},
               {"macs_per_sample", network.macs_per_sample()},
               {"n_dims", network.n_dims},
               {"input", to_string(network.input.kind)},
               {"n_in", network.n_in()}};
  if (network.input.has_embedding()) {
    const EmbeddingSpec& embedding = network.input.embedding;
    Json resolution = Json::array();
    for (int d = 0; d < network.n_dims; ++d) resolution.push_back(embedding.resolution[static_cast<std::size_t>(d)]);
    info["embedding"] = {{"resolution", resolution},
                         {"n_channels", embedding.n_channels},
                         {"n_params", embedding.size()},
                         {"init_bound", embedding.init_bound}};
  }
  info["layers"] = layers;
  return info;
}

/// "network" of a model with one, else "networks" by name.
void add_networks(Json& info, const ModelSpec& model) {
  if (model.parts.front().name.empty()) {
    info["network"] = network_info(model.main());
    return;
  }
  for (const ModelSpec::Part& part : model.parts) info["networks"][part.name] = network_info(part.network);
}

Json model_info(const std::string& path) {
  const Model model = read_model(path);
  Json info = {{"kind", "model"},
               {"path", path_to_text(path)},
               {"task", model.signal.task},
               {"width", model.signal.width},
               {"height", model.signal.height},
               {"type", model.signal.pixel_type}};
  if (model.signal.task == "video") {
    info["n_frames"] = model.signal.n_frames;
    info["frame_rate"] = model.signal.frame_rate.value();
  } else if (model.signal.task == "scene") {
    info.update(field_json(model.signal.field));
  } else {
    info["color_space"] = model.signal.tags.color_space;
  }
  add_networks(info, model.spec);
  return info;
}

Json checkpoint_info(const std::string& path) {
  const ModelSpec model = read_checkpoint_networks(path);
  const RunState state = read_checkpoint(path, model);
  Json info = {{"kind", "checkpoint"},
               {"path", path_to_text(path)},
               {"step", state.step},
               {"seed", state.seed},
               {"seconds", state.seconds},
               {"best_psnr_db", state.best_step < 0 ? Json() : Json(state.best_psnr_db)},
               {"config_hash", state.config_hash}};
  add_networks(info, model);
  return info;
}

Json safetensors_info(const std::string& path) {
  const TensorFile file = read_safetensors(path);
  const auto format = file.metadata.find("format");
  if (format != file.metadata.end() && format->second == "loe-checkpoint") return checkpoint_info(path);
  return model_info(path);  // a foreign file: read_model says so
}

Json run_info(const std::string& path) {
  const Settings settings = read_config(path + "/config.toml");
  Json info = {{"kind", "run"}, {"path", path_to_text(path)}, {"data", settings.get_string("run.data", "")}};
  info["preset"] = settings.get_string("preset", "");
  const std::vector<CheckpointFile> checkpoints = list_checkpoints(path);
  info["checkpoints"] = checkpoints.size();
  info["last_step"] = checkpoints.empty() ? Json() : Json(checkpoints.front().step);
  info["state"] = checkpoints.empty() ? "no checkpoint yet" : "unfinished";
  std::error_code error;
  if (fs::exists(path + "/result.json", error)) {
    Json result = Json::parse(read_text_file(path + "/result.json"), nullptr, false);
    if (!result.is_object()) {
      throw Error(ErrorKind::Format, fmt::format("[info] {}/result.json: expected a JSON object, found something else; "
                                                 "`loe eval {}` computes its figures anew",
                                                 path, path));
    }
    result.erase("kernels");
    info["result"] = result;
    info["state"] = "finished";
  }
  if (fs::exists(path + "/model.safetensors", error)) {
    add_networks(info, read_model(path + "/model.safetensors").spec);
  }
  return info;
}

/// Whatever --set says about how a scene is read.
Scene read_scene_as_set(const std::string& path, const Settings& settings) {
  settings.require_known({"data.format", "data.images", "data.test_every", "data.box_half_side", "data.box_centre"});
  return read_scene(path, scene_options(scene_source_from(settings)));
}

/// Folders are runs, scenes or frames; .safetensors are models or checkpoints; anything else should be a picture.
Json info_of(const std::string& thing, const Settings& settings) {
  std::error_code error;
  const bool is_run = !thing.empty() && RunFolder::is_run(thing);
  if (!is_run && is_scene(thing)) return scene_info(read_scene_as_set(thing, settings));
  const bool is_stored = is_run || thing.empty() || fs::path(thing).extension() == ".safetensors" || is_video(thing);
  if (is_stored && !settings.entries().empty()) {
    throw Error(
        ErrorKind::InvalidArgument,
        "[flags] --set: expected a picture or a scene, which leave choices open, got something else; leave it out");
  }
  if (thing.empty()) return machine_info();
  if (is_run) return run_info(thing);
  if (fs::path(thing).extension() == ".safetensors") return safetensors_info(thing);
  if (is_stored) return video_info(thing);
  if (fs::is_directory(thing, error)) {
    const FolderContent content = folder_content(thing);
    throw Error(ErrorKind::NotFound,
                fmt::format("[info] {}: expected a run folder (with a config.toml), a scene, a folder of frames, a "
                            "picture, a video, a model or a checkpoint, got {}; {}",
                            thing, content.what, content.remedy));
  }
  return picture_info(thing, settings);
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return format_integer(value.get<int64_t>());
  return value.dump();
}

bool is_layer_list(const Json& value) {
  return value.is_array() && !value.empty() && value[0].is_object() && value[0].contains("n_in");
}

/// What makes a layer more than a link of a chain: "  + blocks.0.1, with 256 features".
std::string connections(const Json& layer) {
  std::string text;
  if (layer.contains("reads")) text += "  of " + layer["reads"].get<std::string>();
  if (layer.contains("adds")) text += "  + " + layer["adds"].get<std::string>();
  if (layer.contains("n_features")) text += fmt::format("  with {} features", layer["n_features"].get<int>());
  return text;
}

void print_layers(const Json& layers, int indent) {
  std::size_t width = 12;
  for (const Json& layer : layers) width = std::max(width, layer["name"].get<std::string>().size());
  fmt::print("{:{}}{:<{}} {:>6} {:>6}  {:<9} {:<22} {:<8} {}\n", "", indent, "layer", width, "in", "out", "tile",
             "resolution", "blend", "activation");
  for (const Json& layer : layers) {
    fmt::print("{:{}}{:<{}} {:>6} {:>6}  {:<9} {:<22} {:<8} {}{}\n", "", indent, layer["name"].get<std::string>(),
               width, layer["n_in"].get<int>(), layer["n_out"].get<int>(), layer["tile"].dump(),
               layer["resolution"].dump(), layer["interpolation"].get<std::string>(),
               layer["activation"].get<std::string>(), connections(layer));
  }
}

void print_kernels(const Json& kernels, int indent) {
  for (const Json& kernel : kernels) {
    fmt::print("{:{}}{}: {}\n{:{}}  because {}\n", "", indent, kernel["operation"].get<std::string>(),
               kernel["kernel"].get<std::string>(), "", indent, kernel["reason"].get<std::string>());
  }
}

void print_object(const Json& object, int indent) {
  for (const auto& [key, value] : object.items()) {
    if (is_layer_list(value)) {
      print_layers(value, indent);
    } else if (value.is_array() && !value.empty() && value[0].is_object() && value[0].contains("kernel")) {
      fmt::print("{:{}}{}\n", "", indent, key);
      print_kernels(value, indent + 2);
    } else if (value.is_array() && !value.empty() && value[0].is_object()) {
      for (const Json& item : value) {
        fmt::print("{:{}}{}\n", "", indent, key);
        print_object(item, indent + 2);
      }
    } else if (value.is_object()) {
      fmt::print("{:{}}{}\n", "", indent, key);
      print_object(value, indent + 2);
    } else if (value.is_array() && (key == "notes" || key == "warnings")) {
      for (const Json& line : value) fmt::print("{:{}}{:<16} {}\n", "", indent, key, line.get<std::string>());
    } else {
      fmt::print("{:{}}{:<16} {}\n", "", indent, key, text_of(value));
    }
  }
}

struct InfoFlags {
  std::string thing;
  std::vector<std::string> set;  ///< "key=value"
  std::string cameras;           ///< picture to draw, empty: none
  bool json = false;
};

int info(const InfoFlags& flags) {
  Json result;
  Settings settings;
  for (const std::string& assignment : flags.set) apply_override(settings, assignment);
  if (flags.cameras.empty()) {
    result = info_of(flags.thing, settings);
  } else {
    const Scene scene = read_scene_as_set(flags.thing, settings);
    write_image(flags.cameras, draw_cameras(scene));
    result = scene_info(scene);
    result["cameras"] = flags.cameras;
  }
  if (flags.json) {
    std::puts(result.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    print_object(result, 0);
  }
  return 0;
}

}  // namespace

void add_info_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      app.add_subcommand("info", "describe a picture, video, scene, run, model, checkpoint, or this machine");
  auto flags = std::make_shared<InfoFlags>();
  command->add_option("THING", flags->thing,
                      "a picture, video, scene, run folder, model or checkpoint; nothing: this machine");
  command
      ->add_option("--set", flags->set,
                   "how it is read, as with fit: data.channels of a picture, data.images, data.format, ... of a scene")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--json", flags->json, "print one line of JSON");
  command->add_option("--cameras", flags->cameras, "draw the cameras of a scene to this picture")->type_name("FILE");
  command->footer(
      "For the machine: cores, instruction sets (best first) and which kernel runs for each operation and why.\n"
      "The environment variable LOE_ISA=NAME forces one of the listed instruction sets in all commands.");
  command->callback([flags, &invocation] { invocation.run = [flags] { return info(*flags); }; });
}

}  // namespace loe::app
