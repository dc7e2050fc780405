#include "loe/io/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "io/json_reader.h"
#include "io/model_parse.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/safetensors.h"

namespace loe {
namespace {

constexpr const char* kPlainVersion = "1";     ///< what all readers know
constexpr const char* kExtendedVersion = "2";  ///< with an embedding or an output mapping
constexpr const char* kRangeVersion = "3";     ///< with a range of the coordinates
constexpr const char* kBranchVersion = "4";    ///< a layer that is no link of a chain
constexpr int kMaxSide = 65536;

[[noreturn]] void fail(const std::string& path, const std::string& thing, const std::string& expected,
                       const std::string& found, const std::string& remedy = "take another copy") {
  throw Error(ErrorKind::Format,
              fmt::format("[model] {}: {}: expected {}, got {}; {}", path, thing, expected, found, remedy));
}

const std::string& metadata_text(const TensorFile& file, const std::string& path, const std::string& key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    fail(path, fmt::format("metadata '{}'", key), "a value", "none");
  }
  return found->second;
}

/// Whole text as a number. Doubles were written as the shortest text that reads back to the same bits.
template <typename T>
T metadata_number(const TensorFile& file, const std::string& path, const std::string& key, T min, T max) {
  const std::string& text = metadata_text(file, path, key);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= min && value <= max)) {
    fail(path, fmt::format("metadata '{}'", key), fmt::format("a number in {}..{}", min, max),
         fmt::format("'{}'", printable(text)));
  }
  return value;
}

void require_format(const TensorFile& file, const std::string& path, const std::string& format,
                    const std::string& remedy) {
  const auto found = file.metadata.find("format");
  if (found == file.metadata.end() || found->second != format) {
    fail(path, "metadata 'format'", fmt::format("'{}'", format),
         found == file.metadata.end() ? "none (written by another program)"
                                      : fmt::format("'{}'", printable(found->second)),
         remedy);
  }
  const std::string& version = metadata_text(file, path, "version");
  const std::string_view known[] = {kPlainVersion, kExtendedVersion, kRangeVersion, kBranchVersion};
  if (std::find(std::begin(known), std::end(known), version) == std::end(known)) {
    fail(path, "metadata 'version'", fmt::format("{} to {}", kPlainVersion, kBranchVersion),
         fmt::format("'{}'", printable(version)), "read it with the version of loe that wrote it, or a newer one");
  }
}

const char* version_of(const NetworkSpec& network) {
  const bool is_chain = std::all_of(network.layers.begin(), network.layers.end(), [](const LayerSpec& layer) {
    return layer.from == kPreviousLayer && layer.n_features == 0;
  });
  if (!is_chain || !network.outputs.empty()) return kBranchVersion;
  if (network.input.coordinate_range != InputSpec{}.coordinate_range) return kRangeVersion;
  return network.input.has_embedding() || network.output != OutputSpec{} ? kExtendedVersion : kPlainVersion;
}

NetworkSpec read_network(const TensorFile& file, const std::string& path) {
  NetworkSpec network = network_from_json(metadata_text(file, path, "network"), path);
  const std::string& version = metadata_text(file, path, "version");
  if (version != version_of(network)) {
    fail(path, "metadata 'version'", fmt::format("{} for this network", version_of(network)),
         fmt::format("'{}'", printable(version)));
  }
  return network;
}

/// Index of the first value that `good` refuses, or -1.
template <typename Good>
int64_t first_bad(std::span<const float> values, const Good& good) {
  const auto found = std::find_if_not(values.begin(), values.end(), good);
  return found == values.end() ? -1 : found - values.begin();
}

bool is_finite(float value) {
  return std::isfinite(value);
}
bool is_moment(float value) {
  return std::isfinite(value) && value >= 0;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// Copies the tensors prefix + name into one flat buffer in the order of NetworkSpec::tensors().
std::vector<float> gather_tensors(const TensorFile& file, const NetworkSpec& network, const std::string& prefix,
                                  const std::string& path, bool (*good)(float)) {
  // Sizes are compared before the buffer is allocated: the file's own tensors bound it.
  const std::vector<TensorInfo> infos = network.tensors();
  std::vector<const TensorFile::Tensor*> found;
  for (const TensorInfo& info : infos) {
    const std::string name = prefix + info.name;
    const TensorFile::Tensor* tensor = file.find(name);
    if (tensor == nullptr || tensor->shape != info.shape) {
      fail(path, fmt::format("tensor '{}'", printable(name)), fmt::format("shape {}", shape_text(info.shape)),
           tensor == nullptr ? "no such tensor" : shape_text(tensor->shape));
    }
    const int64_t bad = first_bad(tensor->data, good);
    if (bad >= 0) {
      fail(path, fmt::format("tensor '{}'", printable(name)),
           good == is_moment ? "finite values from 0 on" : "finite values",
           fmt::format("{} at element {}", tensor->data[static_cast<std::size_t>(bad)], bad),
           "take an older checkpoint or another copy");
    }
    found.push_back(tensor);
  }
  std::vector<float> flat(static_cast<std::size_t>(network.n_params()));
  for (std::size_t i = 0; i < infos.size(); ++i) {
    std::copy(found[i]->data.begin(), found[i]->data.end(), flat.begin() + infos[i].offset);
  }
  return flat;
}

void require_tensor_count(const TensorFile& file, std::size_t n_expected, const std::string& path) {
  if (file.tensors.size() != n_expected) {
    fail(path, "tensors", fmt::format("{}, as the network says", n_expected), std::to_string(file.tensors.size()));
  }
}

/// Views of one flat buffer. A buffer that could not be read back is refused, so that it replaces no good file.
void append_views(std::vector<TensorView>& views, const std::string& path, const NetworkSpec& network,
                  const std::string& prefix, std::span<const float> flat, bool (*good)(float)) {
  if (static_cast<int64_t>(flat.size()) != network.n_params()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[model] {}: {}parameters: expected {}, got {}; pass those of this network", path, prefix,
                            network.n_params(), flat.size()));
  }
  for (TensorInfo& info : network.tensors()) {
    const auto data = flat.subspan(static_cast<std::size_t>(info.offset), static_cast<std::size_t>(info.size()));
    const int64_t bad = first_bad(data, good);
    if (bad >= 0) {
      throw Error(ErrorKind::Numerical,
                  fmt::format("[model] {}: tensor '{}': expected finite values, got {} at element {}; lower the "
                              "learning rate, an existing file was left alone",
                              path, prefix + info.name, data[static_cast<std::size_t>(bad)], bad));
    }
    views.push_back({prefix + info.name, std::move(info.shape), data});
  }
}

std::string signal_to_json(const SignalInfo& signal) {
  nlohmann::ordered_json json;
  json["task"] = signal.task;
  json["width"] = signal.width;
  json["height"] = signal.height;
  json["pixel_type"] = signal.pixel_type;
  if (signal.task == "video") {
    json["n_frames"] = signal.n_frames;
    json["frame_rate"] = {signal.frame_rate.numerator, signal.frame_rate.denominator};
    json["color"] = {{"matrix", signal.color.matrix},
                     {"range", signal.color.range},
                     {"primaries", signal.color.primaries},
                     {"transfer", signal.color.transfer}};
  } else {
    json["color_space"] = signal.color_space;
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void read_video_signal(const JsonObject& object, SignalInfo& signal) {
  constexpr int kMaxRate = 1000000000;
  signal.n_frames = object.get_int("n_frames", 1, kMaxSide);
  const nlohmann::json& rate = object.get_list("frame_rate", 2);
  const std::string field = object.path_of("frame_rate");
  signal.frame_rate.numerator = json_to_int(rate[0], 1, kMaxRate, object.origin(), field);
  signal.frame_rate.denominator = json_to_int(rate[1], 1, kMaxRate, object.origin(), field);
  const JsonObject color = object.get_object("color", {"matrix", "range", "primaries", "transfer"});
  signal.color.matrix = printable(color.get_string("matrix"));
  signal.color.range = printable(color.get_string("range"));
  signal.color.primaries = printable(color.get_string("primaries"));
  signal.color.transfer = printable(color.get_string("transfer"));
}

SignalInfo signal_from_json(const std::string& text, const std::string& path) {
  const nlohmann::json json = parse_small_json(text, path);
  const bool is_video = json.is_object() && json.contains("task") && json["task"] == "video";
  const JsonObject object(
      json, path, "signal",
      is_video ? std::vector<std::string>{"task", "width", "height", "pixel_type", "n_frames", "frame_rate", "color"}
               : std::vector<std::string>{"task", "width", "height", "pixel_type", "color_space"});
  SignalInfo signal;
  signal.task = printable(object.get_string("task"));
  const int min_side = signal.task == "image" || is_video ? 1 : 0;
  signal.width = object.get_int("width", min_side, kMaxSide);
  signal.height = object.get_int("height", min_side, kMaxSide);
  signal.pixel_type = object.get_string("pixel_type");
  const std::vector<std::string> types = {"u8", "u16", "f16", "f32"};
  if (std::find(types.begin(), types.end(), signal.pixel_type) == types.end()) {
    throw_json_error(path, "signal.pixel_type", "u8, u16, f16 or f32",
                     fmt::format("'{}'", printable(signal.pixel_type)));
  }
  if (is_video) {
    read_video_signal(object, signal);
  } else {
    signal.color_space = printable(object.get_string("color_space"));
  }
  return signal;
}

}  // namespace

Model model_from_tensors(const TensorFile& file, const std::string& path) {
  require_format(file, path, "loe-model", "give a model.safetensors that loe wrote");
  Model model;
  model.network = read_network(file, path);
  model.signal = signal_from_json(metadata_text(file, path, "signal"), path);
  require_tensor_count(file, model.network.tensors().size(), path);
  model.params = gather_tensors(file, model.network, "", path, is_finite);
  return model;
}

NetworkSpec checkpoint_network(const TensorFile& file, const std::string& path) {
  require_format(file, path, "loe-checkpoint", "give a checkpoint that loe wrote");
  return read_network(file, path);
}

RunState checkpoint_from_tensors(const TensorFile& file, const NetworkSpec& network, const std::string& path) {
  const NetworkSpec found = checkpoint_network(file, path);
  if (found != network) {
    fail(path, "network", fmt::format("{} layers with {} parameters", network.layers.size(), network.n_params()),
         fmt::format("another one, {} layers with {} parameters", found.layers.size(), found.n_params()),
         "resume it with the settings it was made with");
  }
  require_tensor_count(file, 3 * network.tensors().size(), path);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kMaxStep = std::numeric_limits<int64_t>::max();
  RunState state;
  state.params.params = gather_tensors(file, network, "params.", path, is_finite);
  state.params.adam_m = gather_tensors(file, network, "adam_m.", path, is_finite);
  state.params.adam_v = gather_tensors(file, network, "adam_v.", path, is_moment);
  state.step = metadata_number<int64_t>(file, path, "step", 0, kMaxStep);
  state.seed = metadata_number<uint64_t>(file, path, "seed", 0, std::numeric_limits<uint64_t>::max());
  state.seconds = metadata_number<double>(file, path, "seconds", 0, std::numeric_limits<double>::max());
  state.best_psnr_db = metadata_number<double>(file, path, "best_psnr_db", -kInfinity, kInfinity);
  state.best_step = metadata_number<int64_t>(file, path, "best_step", -1, kMaxStep);
  state.config_hash = metadata_text(file, path, "config_hash");
  return state;
}

void write_model(const std::string& path, const Model& model) {
  const std::string network = network_to_json(model.network);
  const std::string signal = signal_to_json(model.signal);
  signal_from_json(signal, path);
  std::vector<TensorView> views;
  append_views(views, path, model.network, "", model.params, is_finite);
  write_safetensors(
      path, views,
      {{"format", "loe-model"}, {"version", version_of(model.network)}, {"network", network}, {"signal", signal}});
}

Model read_model(const std::string& path) {
  return model_from_tensors(read_safetensors(path), path);
}

void write_checkpoint(const std::string& path, const NetworkSpec& network, const RunState& state) {
  const std::string description = network_to_json(network);
  std::vector<TensorView> views;
  append_views(views, path, network, "params.", state.params.params, is_finite);
  append_views(views, path, network, "adam_m.", state.params.adam_m, is_finite);
  append_views(views, path, network, "adam_v.", state.params.adam_v, is_moment);
  write_safetensors(path, views,
                    {{"format", "loe-checkpoint"},
                     {"version", version_of(network)},
                     {"network", description},
                     {"step", std::to_string(state.step)},
                     {"seed", std::to_string(state.seed)},
                     {"seconds", fmt::format("{}", state.seconds)},
                     {"best_psnr_db", fmt::format("{}", state.best_psnr_db)},
                     {"best_step", std::to_string(state.best_step)},
                     {"config_hash", state.config_hash}});
}

RunState read_checkpoint(const std::string& path, const NetworkSpec& network) {
  return checkpoint_from_tensors(read_safetensors(path), network, path);
}

}  // namespace loe
