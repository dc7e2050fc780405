#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/enum_names.h"
#include "loe/backend/adam.h"
#include "loe/base/error.h"
#include "loe/nn/generator.h"
#include "loe/nn/radiance_field.h"
#include "loe/task/fit_config.h"
#include "task/fit_config_internal.h"
#include "task/gan/gan_settings.h"
#include "task/scene/scene_settings.h"

namespace loe {
namespace {

/// More would leave the tables of a short run where they began.
constexpr int kMaxUpdatesPerMove = 64;

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();

constexpr detail::EnumNames<SignalKind, 4> kSignalKindNames = {{{SignalKind::Image, "image"},
                                                                {SignalKind::Video, "video"},
                                                                {SignalKind::Scene, "scene"},
                                                                {SignalKind::Gan, "gan"}}};

std::vector<std::string> known_keys(SignalKind kind) {
  std::vector<std::string> keys = {"preset",
                                   "model.widths",
                                   "model.tiles",
                                   "model.layout",
                                   "model.resolutions",
                                   "model.permutation",
                                   "model.gray_first_offset",
                                   "model.affine_std",
                                   "model.single_resolution",
                                   "model.layout_seed",
                                   "model.input",
                                   "model.n_frequencies",
                                   "model.frequency_scale",
                                   "model.include_coordinates",
                                   "model.coordinate_range",
                                   "model.embedding",
                                   "model.embedding_resolution",
                                   "model.embedding_channels",
                                   "model.embedding_init",
                                   "model.grid_levels",
                                   "model.grid_coarsest",
                                   "model.grid_finest",
                                   "model.grid_channels",
                                   "model.grid_log2_entries",
                                   "model.grid_init",
                                   "model.interpolation",
                                   "model.node_offset",
                                   "model.activation",
                                   "model.slope",
                                   "model.omega",
                                   "model.init",
                                   "model.expert_init",
                                   "model.output_range",
                                   "data.crop",
                                   "data.size",
                                   "data.frames",
                                   "data.on_damage",
                                   "data.sampling",
                                   "data.batch_size",
                                   "train.seed",
                                   "train.precision",
                                   "train.max_steps",
                                   "train.max_seconds",
                                   "train.schedule_by",
                                   "train.until_psnr_db",
                                   "train.learning_rate",
                                   "train.schedule",
                                   "train.milestones",
                                   "train.factor",
                                   "train.final_factor",
                                   "train.beta1",
                                   "train.beta2",
                                   "train.epsilon",
                                   "train.embedding_rate",
                                   "train.embedding_beta2",
                                   "train.embedding_epsilon",
                                   "train.embedding_every",
                                   "train.embedding_skips_zeros",
                                   "train.steps_per_log",
                                   "train.steps_per_eval",
                                   "train.steps_per_save"};
  if (kind == SignalKind::Scene) {
    keys.insert(keys.end(), scene_keys().begin(), scene_keys().end());
  }
  if (kind == SignalKind::Gan) {
    keys.insert(keys.end(), gan_keys().begin(), gan_keys().end());
  }
  return keys;
}

/// A setting as its user would write it.
struct WrittenValue {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return fmt::format("\"{}\"", value); }
  std::string operator()(const std::vector<double>& values) const {
    return fmt::format("[{}]", fmt::join(values, ", "));
  }
  std::string operator()(const std::vector<std::vector<double>>& lists) const {
    std::vector<std::string> parts;
    for (const std::vector<double>& list : lists) {
      parts.push_back((*this)(list));
    }
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
};

/// As fail_setting(), for a value that is good in itself, but not here.
[[noreturn]] void refuse(const Settings& settings, const std::string& key, const std::string& expected) {
  const Settings::Entry& entry = settings.entries().at(key);
  throw Error(ErrorKind::InvalidArgument, fmt::format("[config] {} ({}): expected {}, got {}", key, entry.origin,
                                                      expected, std::visit(WrittenValue{}, entry.value)));
}

std::vector<int> get_int_list(const Settings& settings, const std::string& key, const std::vector<int>& fallback,
                              int min, int max) {
  if (!settings.contains(key)) {
    return fallback;
  }
  std::vector<int> list;
  for (const double value : settings.get_list(key, {})) {
    list.push_back(setting_to_int(settings, key, value, min, max));
  }
  return list;
}

/// One [x, y] or [x, y, t] per level, written so or as one number per level that stands for all axes. Axes beyond
/// n_dims are 1.
std::vector<std::array<double, kMaxDims>> get_axis_list(const Settings& settings, const std::string& key, int n_dims) {
  std::vector<std::array<double, kMaxDims>> list;
  const auto add = [&](auto value_of_axis) {
    std::array<double, kMaxDims> values = {1, 1, 1, 1};
    for (int axis = 0; axis < n_dims; ++axis) {
      values[axis] = value_of_axis(axis);
    }
    list.push_back(values);
  };
  if (std::holds_alternative<std::vector<double>>(settings.entries().at(key).value)) {
    for (const double value : settings.get_list(key, {})) {
      add([&](int) { return value; });
    }
    return list;
  }
  for (const std::vector<double>& values : settings.get_nested_list(key, {})) {
    if (values.size() != static_cast<std::size_t>(n_dims)) {
      fail_setting(settings, key, n_dims == 2 ? "lists of two numbers [x, y]" : "lists of three numbers [x, y, t]",
                   static_cast<double>(values.size()));
    }
    add([&](int axis) { return values[axis]; });
  }
  return list;
}

/// One of `values`, by the names that to_string gives them; the error names the key and lists them.
template <class Enum>
Enum get_enum(const Settings& settings, const std::string& key, Enum fallback, const std::vector<Enum>& values) {
  std::vector<std::string> names;
  for (const Enum value : values) {
    names.emplace_back(to_string(value));
  }
  const std::string name = settings.get_choice(key, to_string(fallback), names);
  return values[static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin())];
}

void read_layout(const Settings& settings, FitConfig& config) {
  NetworkConfig& network = config.network;
  LayoutConfig& layout = network.layout;
  network.widths = get_int_list(settings, "model.widths", network.widths, 1, kMaxWidth);
  if (settings.contains("model.tiles") && is_number_setting(settings, "model.tiles")) {
    const int n =
        setting_to_int(settings, "model.tiles", settings.get_double("model.tiles", 1, 1, kMaxExperts), 1, kMaxExperts);
    Tile tile;
    std::fill_n(tile.n.begin(), network.n_dims, n);
    network.tiles.assign(network.widths.size(), tile);
  } else if (settings.contains("model.tiles")) {
    network.tiles.clear();
    for (const std::array<double, kMaxDims>& n : get_axis_list(settings, "model.tiles", network.n_dims)) {
      Tile tile;
      for (int axis = 0; axis < network.n_dims; ++axis) {
        tile.n[axis] = setting_to_int(settings, "model.tiles", n[axis], 1, kMaxExperts);
      }
      network.tiles.push_back(tile);
    }
  }
  layout.kind =
      get_enum(settings, "model.layout", layout.kind,
               {LayoutKind::CoarseToFine, LayoutKind::FineToCoarse, LayoutKind::GrayCode, LayoutKind::RandomPermute,
                LayoutKind::RandomAffine, LayoutKind::Interleaved, LayoutKind::Chunked, LayoutKind::SingleScale});
  if (settings.contains("model.resolutions")) {
    layout.resolutions = get_axis_list(settings, "model.resolutions", network.n_dims);
  }
  layout.permutation = get_int_list(settings, "model.permutation", layout.permutation, 0, kMaxLayers);
  layout.gray_first_offset = settings.get_double("model.gray_first_offset", layout.gray_first_offset, 0, 1);
  layout.affine_std = settings.get_double("model.affine_std", layout.affine_std, 0, 1e6);
  layout.single_resolution = settings.get_double("model.single_resolution", layout.single_resolution, 0, 1e6);
  layout.seed =
      static_cast<uint64_t>(settings.get_int("model.layout_seed", static_cast<int64_t>(config.seed), 0, kMaxInt));
}

void read_model(const Settings& settings, NetworkConfig& network) {
  read_input(settings, network);
  network.interpolation =
      get_enum(settings, "model.interpolation", network.interpolation, {Interpolation::Nearest, Interpolation::Linear});
  network.node_offset = settings.get_double("model.node_offset", network.node_offset, 0, 1);
  Activation& activation = network.activation;
  activation.kind =
      get_enum(settings, "model.activation", activation.kind,
               {ActivationKind::Identity, ActivationKind::LeakyRelu, ActivationKind::Relu, ActivationKind::Sine,
                ActivationKind::Sigmoid, ActivationKind::Tanh, ActivationKind::Softplus});
  activation.slope = settings.get_double("model.slope", activation.slope, 0, 1);
  activation.omega = settings.get_double("model.omega", activation.omega, -1e6, 1e6);
  network.init.scheme =
      get_enum(settings, "model.init", network.init.scheme, {InitScheme::ByActivation, InitScheme::Lecun});
  network.init.experts =
      get_enum(settings, "model.expert_init", network.init.experts, {ExpertInit::Independent, ExpertInit::Shared});
  const std::vector<double> range =
      settings.get_list("model.output_range", {network.output_range[0], network.output_range[1]});
  if (range.size() != 2) {
    fail_setting(settings, "model.output_range", "two numbers [low, high]", static_cast<double>(range.size()));
  }
  network.output_range = {range[0], range[1]};
}

void read_training(const Settings& settings, TrainOptions& train) {
  train.max_steps = settings.get_int("train.max_steps", train.max_steps, 1, kMaxInt);
  train.max_seconds = settings.get_double("train.max_seconds", train.max_seconds, 0, 1e9);
  train.schedule_by = get_enum(settings, "train.schedule_by", train.schedule_by, {ScheduleBy::Steps, ScheduleBy::Time});
  train.until_psnr_db = settings.get_double("train.until_psnr_db", train.until_psnr_db, 0, 200);
  train.steps_per_log = settings.get_int("train.steps_per_log", train.steps_per_log, 0, kMaxInt);
  train.steps_per_eval = settings.get_int("train.steps_per_eval", train.steps_per_eval, 0, kMaxInt);
  train.steps_per_save = settings.get_int("train.steps_per_save", train.steps_per_save, 0, kMaxInt);
  Schedule& schedule = train.schedule;
  schedule.kind =
      get_enum(settings, "train.schedule", schedule.kind,
               {ScheduleKind::Constant, ScheduleKind::Step, ScheduleKind::Exponential, ScheduleKind::Cosine});
  schedule.learning_rate = settings.get_double("train.learning_rate", schedule.learning_rate, 0, 1e6);
  schedule.milestones = settings.get_list("train.milestones", schedule.milestones);
  schedule.factor = settings.get_double("train.factor", schedule.factor, 0, 1);
  schedule.final_factor = settings.get_double("train.final_factor", schedule.final_factor, 0, 1);
  schedule.validate();
  const double below_one = std::nextafter(1.0, 0.0);
  train.adam.beta1 = settings.get_double("train.beta1", train.adam.beta1, 0, below_one);
  train.adam.beta2 = settings.get_double("train.beta2", train.adam.beta2, 0, below_one);
  // Not 0: an expert that saw no sample yet has m = v = 0.
  train.adam.epsilon = settings.get_double("train.epsilon", train.adam.epsilon, 1e-30, 1);
  EmbeddingUpdate& embedding = train.adam.embedding;
  embedding.rate = settings.get_double("train.embedding_rate", embedding.rate, 0, 1e6);
  embedding.beta2 = settings.get_double("train.embedding_beta2", embedding.beta2, -1, below_one);
  embedding.epsilon = settings.get_double("train.embedding_epsilon", embedding.epsilon, -1, 1);
  embedding.every = get_small_int(settings, "train.embedding_every", embedding.every, 1, kMaxUpdatesPerMove);
  embedding.skips_zeros = settings.get_bool("train.embedding_skips_zeros", embedding.skips_zeros);
  validate(train.adam);
}

void write_training(const TrainOptions& train, const std::string& origin, Settings& settings) {
  const auto set = [&](const char* key, SettingValue value) { settings.set(key, std::move(value), origin); };
  set("train.max_steps", train.max_steps);
  set("train.max_seconds", train.max_seconds);
  set("train.schedule_by", std::string(to_string(train.schedule_by)));
  set("train.until_psnr_db", train.until_psnr_db);
  set("train.learning_rate", train.schedule.learning_rate);
  set("train.schedule", std::string(to_string(train.schedule.kind)));
  set("train.milestones", train.schedule.milestones);
  set("train.factor", train.schedule.factor);
  set("train.final_factor", train.schedule.final_factor);
  set("train.beta1", train.adam.beta1);
  set("train.beta2", train.adam.beta2);
  set("train.epsilon", train.adam.epsilon);
  set("train.embedding_rate", train.adam.embedding.rate);
  set("train.embedding_beta2", train.adam.embedding.beta2);
  set("train.embedding_epsilon", train.adam.embedding.epsilon);
  set("train.embedding_every", int64_t{train.adam.embedding.every});
  set("train.embedding_skips_zeros", train.adam.embedding.skips_zeros);
  set("train.steps_per_log", train.steps_per_log);
  set("train.steps_per_eval", train.steps_per_eval);
  set("train.steps_per_save", train.steps_per_save);
}

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

SignalEdit signal_edit_from_settings(const Settings& settings) {
  constexpr int kMaxSide = 65536;
  SignalEdit edit;
  const std::vector<int> crop = get_int_list(settings, "data.crop", {}, 0, kMaxSide);
  const std::vector<int> size = get_int_list(settings, "data.size", {}, 1, kMaxSide);
  if (!crop.empty() && (crop.size() != 4 || crop[2] < 1 || crop[3] < 1)) {
    fail_setting(settings, "data.crop", "four numbers [x, y, width, height] with a pixel inside, or []",
                 static_cast<double>(crop.size()));
  }
  const std::vector<int> frames = get_int_list(settings, "data.frames", {}, 0, kMaxSide);
  if (!frames.empty() && frames.size() != 2) {
    fail_setting(settings, "data.frames", "two numbers [first, count] (count 0: to the end), or []",
                 static_cast<double>(frames.size()));
  }
  std::copy(frames.begin(), frames.end(), edit.frames.begin());
  if (!size.empty() && size.size() != 2) {
    fail_setting(settings, "data.size", "two numbers [width, height], or []", static_cast<double>(size.size()));
  }
  std::copy(crop.begin(), crop.end(), edit.crop.begin());
  std::copy(size.begin(), size.end(), edit.size.begin());
  const std::string on_damage = settings.get_choice("data.on_damage", "stop", {"stop", "skip"});
  edit.on_damage = on_damage == "skip" ? OnDamage::Skip : OnDamage::Stop;
  return edit;
}

namespace {

/// Rays per step unless the settings say so; the paper's 16,384 are for a cluster.
constexpr int64_t kDefaultRays = 1024;
/// Pictures per step.
constexpr int64_t kDefaultPictures = 16;

/// Settings that a scene's fit has no use for.
void check_scene(const Settings& settings, const FitConfig& config) {
  if (!config.edit.is_none()) {
    const std::string key = config.edit.crop[2] != 0 ? "data.crop" : "data.size";
    refuse(settings, key, "[]: views are reduced with data.max_side");
  }
  if (config.sampling != PixelSampling::RandomPixels) {
    refuse(settings, "data.sampling", "random_pixels: a scene's rays are drawn at random");
  }
  if (config.network.output_range != std::array<double, 2>{0, 1}) {
    refuse(settings, "model.output_range", "[0, 1]: colours of a scene go through a sigmoid");
  }
}

/// Settings that a generator's fit has no use for.
void check_gan(const Settings& settings, const FitConfig& config) {
  if (!config.edit.is_none()) {
    const std::string key = config.edit.crop[2] != 0 ? "data.crop" : "data.size";
    refuse(settings, key, "[]: pictures are cut and reduced by data.resolution");
  }
  if (config.sampling != PixelSampling::RandomPixels) {
    refuse(settings, "data.sampling", "random_pixels: a generator's batches are of whole pictures");
  }
  if (config.train.until_psnr_db > 0) {
    refuse(settings, "train.until_psnr_db", "0: generated pictures have no PSNR");
  }
}

}  // namespace

FitConfig fit_config_from_settings(const Settings& settings, SignalKind kind, int n_channels) {
  settings.require_known(known_keys(kind));
  FitConfig config;
  config.kind = kind;
  config.preset = settings.get_string("preset", config.preset);
  config.seed = static_cast<uint64_t>(settings.get_int("train.seed", 0, 0, kMaxInt));
  config.edit = signal_edit_from_settings(settings);
  if (kind != SignalKind::Video && (config.edit.frames[0] != 0 || config.edit.frames[1] != 0)) {
    refuse(settings, "data.frames", "[]: only videos have frames");
  }
  if (kind != SignalKind::Video && config.edit.on_damage != OnDamage::Stop) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[config] data.on_damage ({}): expected stop, as only videos have frames, got skip",
                            settings.entries().at("data.on_damage").origin));
  }
  config.network = default_network(kind);
  config.network.n_channels = n_channels;
  read_layout(settings, config);
  read_model(settings, config.network);
  config.sampling = get_enum(settings, "data.sampling", config.sampling,
                             {PixelSampling::AllPixels, PixelSampling::RandomPixels, PixelSampling::ProductChunks});
  if (kind == SignalKind::Scene) config.batch_size = kDefaultRays;
  if (kind == SignalKind::Gan) config.batch_size = kDefaultPictures;
  config.batch_size = settings.get_int("data.batch_size", config.batch_size, 1, kMaxBatchSize);
  if (kind == SignalKind::Scene) {
    config.scene = scene_settings_from(settings);
    check_scene(settings, config);
  }
  config.precision = get_enum(settings, "train.precision", config.precision,
                              {Precision::F32, Precision::Mixed, Precision::Bf16, Precision::Tf32});
  read_training(settings, config.train);
  if (kind == SignalKind::Gan) {
    config.gan = gan_settings_from(settings);
    check_gan(settings, config);
  }
  build_model(config);  // widths, tiles and resolutions that contradict each other
  return config;
}

Settings config_to_settings(const FitConfig& config, const std::string& origin) {
  Settings settings;
  const auto set = [&](const char* key, SettingValue value) { settings.set(key, std::move(value), origin); };
  const NetworkConfig& network = config.network;
  const LayoutConfig& layout = network.layout;
  std::vector<std::vector<double>> tiles;
  for (const Tile& tile : network.tiles) {
    tiles.emplace_back(tile.n.begin(), tile.n.begin() + network.n_dims);
  }
  std::vector<std::vector<double>> resolutions;
  for (const Resolution& resolution : layout.resolutions) {
    resolutions.emplace_back(resolution.begin(), resolution.begin() + network.n_dims);
  }
  set("preset", config.preset);
  set("model.widths", std::vector<double>(network.widths.begin(), network.widths.end()));
  set("model.tiles", tiles);
  set("model.layout", std::string(to_string(layout.kind)));
  set("model.resolutions", resolutions);
  set("model.permutation", std::vector<double>(layout.permutation.begin(), layout.permutation.end()));
  set("model.gray_first_offset", layout.gray_first_offset);
  set("model.affine_std", layout.affine_std);
  set("model.single_resolution", layout.single_resolution);
  if (layout.seed != config.seed) {  // else it follows train.seed, also when a later setting changes that
    set("model.layout_seed", static_cast<int64_t>(layout.seed));
  }
  write_input(network, origin, settings);
  set("model.interpolation", std::string(to_string(network.interpolation)));
  set("model.node_offset", network.node_offset);
  set("model.activation", std::string(to_string(network.activation.kind)));
  set("model.slope", network.activation.slope);
  set("model.omega", network.activation.omega);
  set("model.init", std::string(to_string(network.init.scheme)));
  set("model.expert_init", std::string(to_string(network.init.experts)));
  set("model.output_range", std::vector<double>{network.output_range[0], network.output_range[1]});
  const SignalEdit& edit = config.edit;
  set("data.crop", edit.crop[2] == 0 ? std::vector<double>() : std::vector<double>(edit.crop.begin(), edit.crop.end()));
  set("data.size", edit.size[0] == 0 ? std::vector<double>() : std::vector<double>(edit.size.begin(), edit.size.end()));
  if (config.kind == SignalKind::Scene) {
    write_scene_settings(config.scene, origin, settings);
  }
  if (config.kind == SignalKind::Gan) {
    write_gan_settings(config.gan, origin, settings);
  }
  if (config.kind == SignalKind::Video) {
    const bool has_frames = edit.frames[0] != 0 || edit.frames[1] != 0;
    set("data.frames",
        has_frames ? std::vector<double>(edit.frames.begin(), edit.frames.end()) : std::vector<double>());
    set("data.on_damage", std::string(edit.on_damage == OnDamage::Skip ? "skip" : "stop"));
  }
  set("data.sampling", std::string(to_string(config.sampling)));
  set("data.batch_size", config.batch_size);
  set("train.seed", static_cast<int64_t>(config.seed));
  set("train.precision", std::string(to_string(config.precision)));
  write_training(config.train, origin, settings);
  return settings;
}

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
  const std::string match = closest_match(name, all);
  throw Error(ErrorKind::NotFound,
              fmt::format("[preset] name: expected one of {} for a {}, got \"{}\"; {}", fmt::join(all, ", "), noun,
                          name, match.empty() ? "choose one of them" : fmt::format("did you mean {}?", match)));
}

Settings fit_config_to_settings(const FitConfig& config) {
  return config_to_settings(config, "resolved config");
}

}  // namespace loe
