#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/enum_names.h"
#include "loe/backend/adam.h"
#include "loe/base/error.h"
#include "loe/nn/generator.h"
#include "loe/nn/radiance_field.h"
#include "loe/task/fit_config.h"
#include "loe/task/gan_presets.h"
#include "loe/task/image_presets.h"
#include "loe/task/scene_presets.h"
#include "loe/task/video_presets.h"
#include "task/fit_config_internal.h"
#include "task/gan/gan_settings.h"
#include "task/scene/scene_settings.h"

namespace loe {
namespace {

constexpr detail::EnumNames<SignalKind, 4> kSignalKindNames = {{{SignalKind::Image, "image"},
                                                                {SignalKind::Video, "video"},
                                                                {SignalKind::Scene, "scene"},
                                                                {SignalKind::Gan, "gan"}}};

}  // namespace

void add_level(NetworkConfig& network, int width, int n, double resolution) {
  Tile tile;
  Resolution r = {1, 1, 1, 1};
  for (int axis = 0; axis < network.n_dims; ++axis) {
    tile.n[axis] = n;
    r[axis] = resolution;
  }
  network.widths.push_back(width);
  network.tiles.push_back(tile);
  network.layout.resolutions.push_back(r);
}

NetworkConfig default_network(SignalKind kind) {
  NetworkConfig network;
  network.n_dims = n_dims_of(kind);
  switch (kind) {
    case SignalKind::Image:
      network.input.n_frequencies = 8;
      for (int level = 1; level <= 9; ++level) {
        add_level(network, 64, 2, std::ldexp(1.0, level));
      }
      break;
    case SignalKind::Video:
      network.input.n_frequencies = 9;
      add_level(network, 256, 2, 2);
      for (const double resolution : {8.0, 32.0, 128.0, 512.0}) {
        add_level(network, 256, 4, resolution);
      }
      break;
    case SignalKind::Scene:
      network.input.n_frequencies = 10;
      for (const double resolution : {4.0, 16.0, 64.0, 256.0, 1024.0}) {
        add_level(network, 256, 4, resolution);
      }
      break;
    case SignalKind::Gan:
      network.input.n_frequencies = 8;
      network.output_range = {-1, 1};
      add_level(network, 512, 1, 1);
      for (const double resolution : {6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 256.0}) {
        add_level(network, 256, 6, resolution);
      }
      break;
  }
  return network;
}

const char* to_string(SignalKind kind) {
  return detail::enum_name(kSignalKindNames, kind);
}

SignalKind signal_kind_from_string(const std::string& text) {
  return detail::enum_value(kSignalKindNames, text, "[config] task");
}

namespace {

ModelSpec build_gan(const FitConfig& config) {
  GeneratorConfig generator;
  generator.trunk = config.network;
  generator.n_latents = config.gan.n_latents;
  generator.output_activation = config.gan.output_activation;
  const NetworkSpec network = build_generator(generator);
  if (config.gan.average_decay == 0) {
    return network;
  }
  ModelSpec model;
  model.parts = {{"generator", network}, {"average", network}};
  return model;
}

}  // namespace

ModelSpec build_model(const FitConfig& config) {
  if (config.kind == SignalKind::Gan) {
    return build_gan(config);
  }
  if (config.kind != SignalKind::Scene) {
    return build_network(config.network);
  }
  RadianceFieldConfig field;
  field.trunk = config.network;
  field.n_direction_frequencies = config.scene.n_direction_frequencies;
  field.color_width = config.scene.color_width;
  const NetworkSpec network = build_radiance_field(field);
  ModelSpec model;
  model.parts = {{"coarse", network}, {"fine", network}};
  return model;
}

namespace {

constexpr int kMaxSide = 65536;
/// Rays per step unless the settings say so; the paper's 16,384 are for a cluster.
constexpr int64_t kDefaultRays = 1024;
/// Pictures per step.
constexpr int64_t kDefaultPictures = 16;

/// Names as text, or numbers as TOML reads them: "R,G,B", 5, [4, 3, 2].
std::string channels_from_settings(const Settings& settings) {
  const std::string key = "data.channels";
  constexpr int kMost = 9999;
  const SettingValue& value = settings.entries().at(key).value;
  if (std::holds_alternative<std::string>(value)) {
    return settings.get_string(key, "");
  }
  if (std::holds_alternative<int64_t>(value)) {
    return fmt::format("{}", settings.get_int(key, 1, 1, kMost));
  }
  return fmt::format("{}", fmt::join(get_whole_list(settings, key, 1, kMost), ","));
}

SettingTable edit_setting_table(SignalEdit& edit, SignalKind kind) {
  SettingTable table;
  table.optional_wholes("data.frames", edit.frames.data(), 2, 0, kMaxSide, "two numbers [first, count] inside the clip",
                        "videos: fit only these frames; count 0: to the end");
  table.choice("data.on_damage", edit.on_damage, {OnDamage::Stop, OnDamage::Skip},
               "videos: what a damaged frame is: an error, or left out with those up to the next key frame");
  table.set_written(kind == SignalKind::Video);
  Setting& channels = table.text("data.channels", edit.channels,
                                 "1 to 4 of the file's channels, names or numbers from 1, separated by commas",
                                 "pictures: what is read instead of what the file calls colours "
                                 "(`\"diffuse.R,diffuse.G,diffuse.B\"`, `\"4,3,2\"`; "
                                 "numbers may be a list). Not of BMP and PNM");
  channels.is_written = kind == SignalKind::Image;
  channels.read = [&edit](const Settings& settings) { edit.channels = channels_from_settings(settings); };
  const std::string rectangle = "four numbers [x, y, width, height] with a pixel inside";
  Setting& crop =
      table.optional_wholes("data.crop", edit.crop.data(), 4, 0, kMaxSide, rectangle, "fit only this rectangle");
  crop.read = [read = crop.read, rectangle, &edit](const Settings& settings) {
    read(settings);
    const bool is_none = settings.get_list("data.crop", {}).empty();
    if (!is_none && (edit.crop[2] < 1 || edit.crop[3] < 1)) {
      settings.refuse("data.crop", rectangle + ", or []");
    }
  };
  table.optional_wholes("data.size", edit.size.data(), 2, 1, kMaxSide, "two numbers [width, height]",
                        "then resize: block averages if both sides shrink by whole factors, else a triangle filter "
                        "(\"bilinear\")");
  return table;
}

}  // namespace

SignalEdit signal_edit_from_settings(const Settings& settings) {
  SignalEdit edit;
  edit_setting_table(edit, SignalKind::Video).read(settings);
  return edit;
}

FitConfig default_fit_config(SignalKind kind, int n_channels) {
  FitConfig config;
  config.kind = kind;
  config.network = default_network(kind);
  config.network.n_channels = n_channels;
  if (kind == SignalKind::Scene) {
    config.batch_size = kDefaultRays;
  }
  if (kind == SignalKind::Gan) {
    config.batch_size = kDefaultPictures;
  }
  return config;
}

SettingTable fit_setting_table(FitConfig& config, InputDraft& input) {
  SettingTable table;
  table
      .text("preset", config.preset, "a name of `loe presets`, or `none`: the defaults of this page",
            "the preset that the other settings refine; kept as a label")
      .decides = Decides::Label;
  SettingTable network = network_setting_table(config.network, input);
  // Else it follows train.seed, also when a later setting changes that.
  network.find("model.layout_seed")->is_written = config.network.layout.seed != config.seed;
  table.append(std::move(network));
  table.append(edit_setting_table(config.edit, config.kind));
  table.choice("data.sampling", config.sampling,
               {PixelSampling::AllPixels, PixelSampling::RandomPixels, PixelSampling::ProductChunks},
               "every pixel in every step; uniform draws with replacement; or uniform draws of which every expert has "
               "its share, see below");
  table.whole("data.batch_size", config.batch_size, 1, kMaxBatchSize,
              "samples of a step; not used by `all_pixels`. `product_chunks`: at most 2^26, rounded down to whole "
              "chunks");
  table.seed("train.seed", config.seed, "decides initial weights, drawn pixels and random layouts");
  Setting& precision = table.choice(
      "train.precision", config.precision, {Precision::F32, Precision::Mixed, Precision::Bf16, Precision::Tf32},
      "arithmetic of the hot path; `mixed`: f32 forward (with AMX as three products of bf16), bf16 backward; `tf32`: "
      "NVIDIA GPUs only; `auto`: see below. Parameters and outputs are always f32");
  // The program's: it puts choose_precision's answer in its place.
  precision.values = "`auto`, " + precision.values;
  table.append(train_setting_table(config.train));
  if (config.kind == SignalKind::Scene) {
    table.append(scene_setting_table(config.scene));
  }
  if (config.kind == SignalKind::Gan) {
    table.append(gan_setting_table(config.gan));
  }
  return table;
}

std::vector<SettingInfo> setting_infos(SignalKind kind) {
  FitConfig config = default_fit_config(kind, 3);
  InputDraft input = input_draft(config.network);
  return fit_setting_table(config, input).infos();
}

namespace {

constexpr std::array kAllKinds = {SignalKind::Image, SignalKind::Video, SignalKind::Scene, SignalKind::Gan};

/// Names a key of another kind of signal as such, and a misspelt one's nearest of all kinds.
void require_known(const Settings& settings, const SettingTable& table, SignalKind kind) {
  const std::vector<std::string> known = table.keys();
  for (const auto& [key, entry] : settings.entries()) {
    if (table.find(key) != nullptr || !closest_key(key, known).empty()) {
      continue;
    }
    for (const SignalKind other : kAllKinds) {
      FitConfig config = default_fit_config(other, 3);
      InputDraft input = input_draft(config.network);
      const std::string match = closest_key(key, fit_setting_table(config, input).keys());
      if (match.empty()) {
        continue;
      }
      const std::string found =
          match == key ? fmt::format("one of the task {}; leave it out", to_string(other))
                       : fmt::format("an unknown one; did you mean {}, of the task {}?", match, to_string(other));
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[config] \"{}\" ({}): expected a setting of the task {}, got {}", key, entry.origin,
                              to_string(kind), found));
    }
  }
  settings.require_known(known);
}

/// Settings that a scene's fit has no use for.
void check_scene(const Settings& settings, const FitConfig& config) {
  if (!config.edit.is_none()) {
    const std::string key = config.edit.crop[2] != 0 ? "data.crop" : "data.size";
    settings.refuse(key, "[]: views are reduced with data.max_side");
  }
  if (config.sampling != PixelSampling::RandomPixels) {
    settings.refuse("data.sampling", "random_pixels: a scene's rays are drawn at random");
  }
  if (config.network.output_range != std::array<double, 2>{0, 1}) {
    settings.refuse("model.output_range", "[0, 1]: colours of a scene go through a sigmoid");
  }
}

/// Settings that a generator's fit has no use for.
void check_gan(const Settings& settings, const FitConfig& config) {
  if (!config.edit.is_none()) {
    const std::string key = config.edit.crop[2] != 0 ? "data.crop" : "data.size";
    settings.refuse(key, "[]: pictures are cut and reduced by data.resolution");
  }
  if (config.sampling != PixelSampling::RandomPixels) {
    settings.refuse("data.sampling", "random_pixels: a generator's batches are of whole pictures");
  }
  if (config.train.until_psnr_db > 0) {
    settings.refuse("train.until_psnr_db", "0: generated pictures have no PSNR");
  }
}

}  // namespace

FitConfig fit_config_from_settings(const Settings& settings, SignalKind kind, int n_channels) {
  FitConfig config = default_fit_config(kind, n_channels);
  InputDraft input = input_draft(config.network);
  const SettingTable table = fit_setting_table(config, input);
  require_known(settings, table, kind);
  table.read(settings);
  if (!settings.contains("model.layout_seed")) {
    config.network.layout.seed = config.seed;
  }
  apply_input(settings, input, config.network);
  config.train.schedule.validate();
  validate(config.train.adam);
  if (kind != SignalKind::Video && (config.edit.frames[0] != 0 || config.edit.frames[1] != 0)) {
    settings.refuse("data.frames", "[]: only videos have frames");
  }
  if (kind != SignalKind::Image && !config.edit.channels.empty()) {
    settings.refuse("data.channels", "\"\": only of pictures channels can be chosen");
  }
  if (kind != SignalKind::Video && config.edit.on_damage != OnDamage::Stop) {
    settings.refuse("data.on_damage", "stop, as only videos have frames");
  }
  if (kind == SignalKind::Scene) {
    check_scene(settings, config);
  }
  if (kind == SignalKind::Gan) {
    check_gan(settings, config);
  }
  build_model(config);  // widths, tiles and resolutions that contradict each other
  return config;
}

Settings config_to_settings(const FitConfig& config, const std::string& origin) {
  FitConfig written = config;  // a table is bound to variables, which writing only reads
  InputDraft input = input_draft(written.network);
  Settings settings;
  fit_setting_table(written, input).write(settings, origin);
  return settings;
}

namespace {

std::vector<std::pair<const char*, std::vector<PresetInfo>>> presets_of_tasks() {
  return {{"image", image_presets()}, {"video", video_presets()}, {"scene", scene_presets()}, {"gan", gan_presets()}};
}

}  // namespace

void refuse_preset(const std::string& name, const std::vector<std::string>& fixed, const char* noun,
                   const char* automatic) {
  if (name == "auto") {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[preset] name: expected a fixed preset ({}), got \"auto\", which needs a {}'s size; use {}",
                    fmt::join(fixed, ", "), noun, automatic));
  }
  std::vector<std::string> all = {"auto"};
  all.insert(all.end(), fixed.begin(), fixed.end());
  std::string hint = "choose one of them";
  for (const auto& [task, presets] : presets_of_tasks()) {
    std::vector<std::string> names;
    for (const PresetInfo& preset : presets) {
      names.push_back(preset.name);
    }
    if (const std::string match = closest_match(name, names); !match.empty()) {
      hint = match == name ? fmt::format("that one is of the task {}", task) : fmt::format("did you mean {}?", match);
      break;
    }
  }
  if (const std::string match = closest_match(name, all); !match.empty()) {
    hint = fmt::format("did you mean {}?", match);
  }
  throw Error(ErrorKind::NotFound, fmt::format("[preset] name: expected one of {} for a {}, got \"{}\"; {}",
                                               fmt::join(all, ", "), noun, name, hint));
}

Settings fit_config_to_settings(const FitConfig& config) {
  return config_to_settings(config, "resolved config");
}

}  // namespace loe
