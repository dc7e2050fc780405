#include "loe/io/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "io/json_reader.h"
#include "io/model_parse.h"
#include "io/signal_json.h"
#include "io/source_json.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/safetensors.h"

namespace loe {
namespace {

constexpr std::size_t kMaxParts = 16;
constexpr const char* kTaskState = "task_state";
constexpr const char* kPlainVersion = "1";     ///< what all readers know
constexpr const char* kExtendedVersion = "2";  ///< with an embedding or an output mapping
constexpr const char* kRangeVersion = "3";     ///< with a range of the coordinates
constexpr const char* kBranchVersion = "4";    ///< a layer that is no link of a chain
constexpr const char* kPartsVersion = "5";     ///< several networks
constexpr const char* kResidualVersion = "6";  ///< a layer that adds another's output, or has no bias
constexpr const char* kGridVersion = "7";      ///< an embedding with levels

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
  const std::string_view known[] = {kPlainVersion, kExtendedVersion, kRangeVersion, kBranchVersion,
                                    kPartsVersion, kResidualVersion, kGridVersion};
  if (std::find(std::begin(known), std::end(known), version) == std::end(known)) {
    fail(path, "metadata 'version'", fmt::format("{} to {}", kPlainVersion, kGridVersion),
         fmt::format("'{}'", printable(version)), "read it with the version of loe that wrote it, or a newer one");
  }
}

const char* version_of(const ModelSpec& model) {
  const auto has_levels = [](const ModelSpec::Part& part) { return !part.network.input.embedding.levels.empty(); };
  if (std::any_of(model.parts.begin(), model.parts.end(), has_levels)) return kGridVersion;
  const auto is_residual = [](const ModelSpec::Part& part) {
    return std::any_of(part.network.layers.begin(), part.network.layers.end(),
                       [](const LayerSpec& layer) { return layer.residual != kNoResidual || !layer.has_bias; });
  };
  if (std::any_of(model.parts.begin(), model.parts.end(), is_residual)) return kResidualVersion;
  if (!model.parts.front().name.empty()) return kPartsVersion;
  const NetworkSpec& network = model.main();
  const bool is_chain = std::all_of(network.layers.begin(), network.layers.end(), [](const LayerSpec& layer) {
    return layer.from == kPreviousLayer && layer.n_features == 0;
  });
  if (!is_chain || !network.outputs.empty()) return kBranchVersion;
  if (network.input.coordinate_range != InputSpec{}.coordinate_range) return kRangeVersion;
  return network.input.has_embedding() || network.output != OutputSpec{} ? kExtendedVersion : kPlainVersion;
}

/// Metadata "network" of a model with one network, "networks" of one with several: [{"name", "network"}, ...].
std::pair<std::string, std::string> networks_metadata(const ModelSpec& model) {
  if (model.parts.front().name.empty()) return {"network", network_to_json(model.main())};
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ModelSpec::Part& part : model.parts) {
    list.push_back({{"name", part.name}, {"network", nlohmann::ordered_json::parse(network_to_json(part.network))}});
  }
  return {"networks", list.dump()};
}

ModelSpec networks_from_json(const std::string& text, const std::string& path) {
  const nlohmann::json list = parse_small_json(text, path);
  if (!list.is_array() || list.empty() || list.size() > kMaxParts) {
    throw_json_error(path, "networks", fmt::format("a list of 1 to {} networks", kMaxParts), describe_json(list));
  }
  ModelSpec model;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string field = fmt::format("networks[{}]", i);
    const JsonObject object(list[i], path, field, {"name", "network"});
    const std::string name = object.get_string("name");
    const bool is_word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    const auto same = [&](const ModelSpec::Part& part) { return part.name == name; };
    if (!is_word || std::any_of(model.parts.begin(), model.parts.end(), same)) {
      throw_json_error(path, field + ".name", "a new word of a-z, 0-9 and _", fmt::format("'{}'", printable(name)));
    }
    model.parts.push_back({name, network_from_json(object.at("network").dump(), path)});
  }
  return model;
}

ModelSpec read_networks(const TensorFile& file, const std::string& path) {
  const bool has_parts = file.metadata.contains("networks") && !file.metadata.contains("network");
  const ModelSpec model = has_parts ? networks_from_json(metadata_text(file, path, "networks"), path)
                                    : ModelSpec(network_from_json(metadata_text(file, path, "network"), path));
  const std::string& version = metadata_text(file, path, "version");
  if (version != version_of(model)) {
    fail(path, "metadata 'version'", fmt::format("{} for this network", version_of(model)),
         fmt::format("'{}'", printable(version)));
  }
  return model;
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

/// Copies the tensors prefix + name into one flat buffer in the order of ModelSpec::tensors().
std::vector<float> gather_tensors(const TensorFile& file, const ModelSpec& model, const std::string& prefix,
                                  const std::string& path, bool (*good)(float)) {
  // Sizes are compared before the buffer is allocated: the file's own tensors bound it.
  const std::vector<TensorInfo> infos = model.tensors();
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
  std::vector<float> flat(static_cast<std::size_t>(model.n_params()));
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
void append_views(std::vector<TensorView>& views, const std::string& path, const ModelSpec& model,
                  const std::string& prefix, std::span<const float> flat, bool (*good)(float)) {
  if (static_cast<int64_t>(flat.size()) != model.n_params()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[model] {}: {}parameters: expected {}, got {}; pass those of this network", path, prefix,
                            model.n_params(), flat.size()));
  }
  for (TensorInfo& info : model.tensors()) {
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

std::string describe(const ModelSpec& model) {
  std::string text;
  for (const ModelSpec::Part& part : model.parts) {
    text += fmt::format("{}{} layers with {} parameters", text.empty() ? "" : " and ", part.network.layers.size(),
                        part.network.n_params());
  }
  return text;
}

}  // namespace

Model model_from_tensors(const TensorFile& file, const std::string& path) {
  require_format(file, path, "loe-model", "give a model.safetensors that loe wrote");
  Model model;
  model.spec = read_networks(file, path);
  model.signal = signal_from_json(metadata_text(file, path, "signal"), path);
  if (const auto source = file.metadata.find("source"); source != file.metadata.end()) {
    source_from_json(source->second, path, model.signal);
  }
  require_tensor_count(file, model.spec.tensors().size(), path);
  model.params = gather_tensors(file, model.spec, "", path, is_finite);
  return model;
}

ModelSpec checkpoint_networks(const TensorFile& file, const std::string& path) {
  require_format(file, path, "loe-checkpoint", "give a checkpoint that loe wrote");
  return read_networks(file, path);
}

namespace {

std::string plan_to_json(const std::vector<PlanPoint>& plan) {
  nlohmann::json list = nlohmann::json::array();
  for (const PlanPoint& point : plan) {
    list.push_back({point.step, point.progress, point.end, point.limit, point.seconds});
  }
  return list.dump();
}

/// Whether the points fit together is train()'s to say.
std::vector<PlanPoint> plan_from_json(const std::string& text, const std::string& path) {
  const std::string what = "metadata 'plan'";
  const nlohmann::json list = parse_small_json(text, path);
  std::vector<PlanPoint> plan;
  for (const nlohmann::json& point : list) {
    const bool is_point = point.is_array() && point.size() == 5 && point[0].is_number_unsigned() &&
                          point[1].is_number() && point[2].is_number_unsigned() && point[3].is_number() &&
                          point[4].is_number();
    if (!is_point) {
      fail(path, what, "lists of five numbers [step, progress, end, limit, seconds]", describe_json(point));
    }
    plan.push_back({point[0].get<int64_t>(), point[1].get<double>(), point[2].get<int64_t>(), point[3].get<double>(),
                    point[4].get<double>()});
  }
  return plan;
}

}  // namespace

RunState checkpoint_from_tensors(const TensorFile& file, const ModelSpec& model, const std::string& path) {
  const ModelSpec found = checkpoint_networks(file, path);
  if (found != model) {
    fail(path, "network", describe(model), fmt::format("another one, {}", describe(found)),
         "resume it with the settings it was made with");
  }
  const TensorFile::Tensor* const task_state = file.find(kTaskState);
  require_tensor_count(file, 3 * model.tensors().size() + (task_state != nullptr ? 1 : 0), path);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kMaxStep = std::numeric_limits<int64_t>::max();
  RunState state;
  state.params.params = gather_tensors(file, model, "params.", path, is_finite);
  state.params.adam_m = gather_tensors(file, model, "adam_m.", path, is_finite);
  state.params.adam_v = gather_tensors(file, model, "adam_v.", path, is_moment);
  if (task_state != nullptr) {
    const int64_t bad = first_bad(task_state->data, is_finite);
    if (bad >= 0) fail(path, "tensor 'task_state'", "finite values", fmt::format("another at element {}", bad));
    state.task_state.assign(task_state->data.begin(), task_state->data.end());
  }
  state.step = metadata_number<int64_t>(file, path, "step", 0, kMaxStep);
  state.seed = metadata_number<uint64_t>(file, path, "seed", 0, std::numeric_limits<uint64_t>::max());
  state.seconds = metadata_number<double>(file, path, "seconds", 0, std::numeric_limits<double>::max());
  state.best_psnr_db = metadata_number<double>(file, path, "best_psnr_db", -kInfinity, kInfinity);
  state.best_step = metadata_number<int64_t>(file, path, "best_step", -1, kMaxStep);
  state.config_hash = metadata_text(file, path, "config_hash");
  if (file.metadata.contains("plan")) {
    state.plan = plan_from_json(metadata_text(file, path, "plan"), path);
  }
  return state;
}

void write_model(const std::string& path, const Model& model) {
  model.spec.validate();
  const std::string signal = signal_to_json(model.signal);
  signal_from_json(signal, path);
  std::map<std::string, std::string> metadata = {
      {"format", "loe-model"}, {"version", version_of(model.spec)}, networks_metadata(model.spec), {"signal", signal}};
  if (const std::string source = source_to_json(model.signal); !source.empty()) metadata["source"] = source;
  std::vector<TensorView> views;
  append_views(views, path, model.spec, "", model.params, is_finite);
  write_safetensors(path, views, metadata);
}

Model read_model(const std::string& path) {
  return model_from_tensors(read_safetensors(path), path);
}

void write_checkpoint(const std::string& path, const ModelSpec& model, const RunState& state) {
  model.validate();
  std::vector<TensorView> views;
  append_views(views, path, model, "params.", state.params.params, is_finite);
  append_views(views, path, model, "adam_m.", state.params.adam_m, is_finite);
  append_views(views, path, model, "adam_v.", state.params.adam_v, is_moment);
  if (!state.task_state.empty()) {
    views.push_back({kTaskState, {static_cast<int64_t>(state.task_state.size())}, state.task_state});
  }
  std::map<std::string, std::string> metadata = {{"format", "loe-checkpoint"},
                                                 {"version", version_of(model)},
                                                 networks_metadata(model),
                                                 {"step", std::to_string(state.step)},
                                                 {"seed", std::to_string(state.seed)},
                                                 {"seconds", fmt::format("{}", state.seconds)},
                                                 {"best_psnr_db", fmt::format("{}", state.best_psnr_db)},
                                                 {"best_step", std::to_string(state.best_step)},
                                                 {"config_hash", state.config_hash}};
  if (!state.plan.empty()) {
    metadata["plan"] = plan_to_json(state.plan);
  }
  write_safetensors(path, views, metadata);
}

ModelSpec read_checkpoint_networks(const std::string& path) {
  return checkpoint_networks(read_safetensors(path), path);
}

RunState read_checkpoint(const std::string& path, const ModelSpec& model) {
  return checkpoint_from_tensors(read_safetensors(path), model, path);
}

}  // namespace loe
