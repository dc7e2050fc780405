#include "loe/backend/network_spec.h"

#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "base/enum_names.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr int kMaxFrequencies = 24;
/// Keeps |q| far below 2^52, where cells are no longer told apart, for any sensible coordinate.
constexpr double kMaxGridEntry = 0x1p30;
/// A level with less would have two nodes that differ by nothing a float can tell.
constexpr double kMinGridCells = 0x1p-10;
/// Of the table among the named tensors; no layer may be called so beside it.
const std::string kEmbeddingName = "embedding";

constexpr detail::EnumNames<Interpolation, 2> kInterpolationNames = {{
    {Interpolation::Nearest, "nearest"},
    {Interpolation::Linear, "linear"},
}};

constexpr detail::EnumNames<ActivationKind, 7> kActivationNames = {{
    {ActivationKind::Identity, "identity"},
    {ActivationKind::LeakyRelu, "leaky_relu"},
    {ActivationKind::Relu, "relu"},
    {ActivationKind::Sine, "sine"},
    {ActivationKind::Sigmoid, "sigmoid"},
    {ActivationKind::Tanh, "tanh"},
    {ActivationKind::Softplus, "softplus"},
}};

constexpr detail::EnumNames<InputKind, 3> kInputNames = {{
    {InputKind::Encoding, "encoding"},
    {InputKind::Constant, "constant"},
    {InputKind::Features, "features"},
}};

template <class Found>
[[noreturn]] void refuse(const std::string& thing, const std::string& expected, const Found& found) {
  throw Error(ErrorKind::InvalidArgument, fmt::format("[network] {}: expected {}, got {}", thing, expected, found));
}

template <class Found>
void require(bool holds, const std::string& thing, const std::string& expected, const Found& found) {
  if (!holds) {
    refuse(thing, expected, found);
  }
}

/// Whether the entries of a level are its nodes, or a power of two that is fewer.
bool has_valid_entries(const GridLevel& level) {
  constexpr int64_t kMaxHashed = int64_t{1} << 30;
  const int64_t n = level.n_entries;
  return level.is_dense() || (n >= 2 && n <= kMaxHashed && (n & (n - 1)) == 0 && n < level.n_nodes());
}

void validate_grid_level(const GridLevel& level, int index, int n_dims) {
  const std::string thing = fmt::format("embedding.levels[{}]", index);
  for (int d = 0; d < kMaxDims; ++d) {
    const double cells = level.cells[d];
    const std::string field = fmt::format("{}.cells[{}]", thing, d);
    if (d >= n_dims) {
      require(cells == 0, field, fmt::format("0, because the network has {} dimension(s)", n_dims), cells);
      continue;
    }
    require(cells >= kMinGridCells && cells <= kMaxEmbeddingResolution - 1, field,
            fmt::format("{}..{}", kMinGridCells, kMaxEmbeddingResolution - 1), cells);
  }
  require(has_valid_entries(level), thing + ".n_entries",
          fmt::format("{}, the level's nodes, or a power of two from 2 to 2^30 below that", level.n_nodes()),
          level.n_entries);
}

/// The one table, or none at all.
void validate_resolution(const EmbeddingSpec& embedding, int n_dims) {
  const bool has_table = embedding.n_channels > 0 && embedding.levels.empty();
  for (int d = 0; d < kMaxDims; ++d) {
    const int resolution = embedding.resolution[d];
    const std::string thing = fmt::format("embedding.resolution[{}]", d);
    if (!has_table || d >= n_dims) {
      require(resolution == 0, thing,
              has_table                  ? fmt::format("0, because the network has {} dimension(s)", n_dims)
              : embedding.levels.empty() ? "0, because there are no channels"
                                         : "0, because there are levels",
              resolution);
      continue;
    }
    require(resolution >= 1 && resolution <= kMaxEmbeddingResolution, thing,
            fmt::format("1..{}", kMaxEmbeddingResolution), resolution);
  }
}

void validate_embedding(const InputSpec& input, int n_dims) {
  const EmbeddingSpec& embedding = input.embedding;
  require(embedding.n_channels >= 0 && embedding.n_channels <= kMaxWidth, "embedding.n_channels",
          fmt::format("0 (none) to {}", kMaxWidth), embedding.n_channels);
  require(std::isfinite(embedding.init_bound) && embedding.init_bound >= 0 && embedding.init_bound <= kMaxGridEntry,
          "embedding.init_bound", "0..2^30", embedding.init_bound);
  require(!input.has_embedding() || input.kind == InputKind::Encoding, "embedding",
          "an encoding as the input that it follows", to_string(input.kind));
  require(embedding.n_channels > 0 || embedding.levels.empty(), "embedding.levels",
          "none, because there are no channels", embedding.levels.size());
  require(embedding.levels.size() <= kMaxEmbeddingLevels, "embedding.levels",
          fmt::format("at most {}", kMaxEmbeddingLevels), embedding.levels.size());
  validate_resolution(embedding, n_dims);
  for (int level = 0; level < static_cast<int>(embedding.levels.size()); ++level) {
    validate_grid_level(embedding.levels[static_cast<std::size_t>(level)], level, n_dims);
  }
  int64_t size = 0;
  for (int level = 0; level < embedding.n_levels(); ++level) {
    int64_t level_size = embedding.n_channels;
    if (embedding.levels.empty()) {
      for (int d = 0; d < n_dims; ++d) {
        level_size *= embedding.resolution[d];
        require(level_size <= kMaxEmbeddingSize, "embedding",
                fmt::format("a table of at most {} numbers", kMaxEmbeddingSize), "more");
      }
    } else {
      level_size *= embedding.n_entries(level);
    }
    size += level_size;
    require(size <= kMaxEmbeddingSize, "embedding", fmt::format("a table of at most {} numbers", kMaxEmbeddingSize),
            "more");
  }
  const int width = input.width(n_dims);
  require(width <= kMaxWidth, "embedding.n_channels",
          fmt::format("an input of at most {} numbers with the encoding", kMaxWidth), width);
}

void validate_input(const InputSpec& input) {
  switch (input.kind) {
    case InputKind::Encoding:
      require(input.n_frequencies >= 0 && input.n_frequencies <= kMaxFrequencies, "input.n_frequencies",
              fmt::format("0..{}", kMaxFrequencies), input.n_frequencies);
      require(std::isfinite(input.frequency_scale) && std::abs(input.frequency_scale) <= kMaxGridEntry,
              "input.frequency_scale", "a finite number of at most 2^30", input.frequency_scale);
      require(input.include_coordinates || input.n_frequencies > 0 || input.has_embedding(), "input",
              "coordinates, at least one frequency or an embedding (an encoding of width 0 says nothing)", "neither");
      for (const double end : input.coordinate_range) {
        require(std::isfinite(end) && std::abs(end) <= kMaxGridEntry, "input.coordinate_range",
                "finite numbers of at most 2^30", end);
      }
      require(input.coordinate_range[0] < input.coordinate_range[1], "input.coordinate_range", "low < high",
              fmt::format("{} and {}", input.coordinate_range[0], input.coordinate_range[1]));
      return;
    case InputKind::Constant:
      return;
    case InputKind::Features:
      require(input.n_features >= 1 && input.n_features <= kMaxWidth, "input.n_features",
              fmt::format("1..{}", kMaxWidth), input.n_features);
      return;
  }
  refuse("input.kind", "encoding, constant or features", static_cast<int>(input.kind));
}

void validate_tile(const std::string& place, const Tile& tile, int n_dims) {
  int64_t n_experts = 1;
  for (int d = 0; d < kMaxDims; ++d) {
    const std::string thing = fmt::format("{} tile[{}]", place, d);
    require(tile.n[d] >= 1 && tile.n[d] <= kMaxExperts, thing, fmt::format("1..{}", kMaxExperts), tile.n[d]);
    require(d < n_dims || tile.n[d] == 1, thing, fmt::format("1, because the network has {} dimension(s)", n_dims),
            tile.n[d]);
    n_experts *= tile.n[d];
  }
  require(n_experts <= kMaxExperts, place + " tile", fmt::format("at most {} experts", kMaxExperts), n_experts);
}

void validate_grid(const std::string& place, const Grid& grid, int n_dims) {
  const auto check = [&](const std::string& thing, double entry, bool used) {
    require(std::isfinite(entry) && std::abs(entry) <= kMaxGridEntry, thing, "a finite number of at most 2^30", entry);
    require(used || entry == 0, thing, fmt::format("0, because the network has {} dimension(s)", n_dims), entry);
  };
  for (int row = 0; row < kMaxDims; ++row) {
    for (int column = 0; column < kMaxDims; ++column) {
      check(fmt::format("{} grid.a[{}][{}]", place, row, column), grid.a[row][column], row < n_dims && column < n_dims);
    }
    check(fmt::format("{} grid.b[{}]", place, row), grid.b[row], row < n_dims);
  }
}

void validate_activation(const std::string& place, const Activation& activation) {
  const auto kind = static_cast<int>(activation.kind);
  require(kind >= 0 && kind <= static_cast<int>(ActivationKind::Softplus), place + " activation", "a known kind", kind);
  require(activation.kind != ActivationKind::LeakyRelu || (activation.slope >= 0 && activation.slope < 1),
          place + " activation.slope", "0 <= slope < 1", activation.slope);
  require(activation.kind != ActivationKind::Sine || std::isfinite(activation.omega), place + " activation.omega",
          "a finite number", activation.omega);
}

void validate_output(const OutputSpec& output) {
  require(std::isfinite(output.scale) && output.scale != 0 && std::abs(output.scale) <= kMaxGridEntry, "output.scale",
          "a finite number other than 0 of at most 2^30", output.scale);
  require(std::isfinite(output.offset) && std::abs(output.offset) <= kMaxGridEntry, "output.offset",
          "a finite number of at most 2^30", output.offset);
}

void validate_layer(const std::string& place, const LayerSpec& layer, int n_dims, int n_read) {
  require(layer.n_features >= 0 && layer.n_features <= kMaxWidth, place + " n_features",
          fmt::format("0..{}", kMaxWidth), layer.n_features);
  require(layer.n_in == n_read + layer.n_features && layer.n_in <= kMaxWidth, place + " n_in",
          layer.n_features == 0 ? fmt::format("{}, the width before it", n_read)
                                : fmt::format("{}, the width before it and its features, at most {}",
                                              n_read + layer.n_features, kMaxWidth),
          layer.n_in);
  require(layer.n_out >= 1 && layer.n_out <= kMaxWidth, place + " n_out", fmt::format("1..{}", kMaxWidth), layer.n_out);
  validate_tile(place, layer.tile, n_dims);
  validate_grid(place, layer.grid, n_dims);
  const auto interpolation = static_cast<int>(layer.interpolation);
  require(interpolation == 0 || interpolation == 1, place + " interpolation", "nearest or linear", interpolation);
  require(std::isfinite(layer.node_offset) && std::abs(layer.node_offset) <= kMaxGridEntry, place + " node_offset",
          "a finite number", layer.node_offset);
  validate_activation(place, layer.activation);
}

void validate_residual(const std::string& place, const NetworkSpec& spec, int index) {
  const LayerSpec& layer = spec.layers[index];
  require(layer.residual == kNoResidual || (layer.residual >= 0 && layer.residual < index), place + " residual",
          "-1 (none) or the index of an earlier layer", layer.residual);
  if (layer.residual != kNoResidual) {
    require(spec.layers[layer.residual].n_out == layer.n_out, place + " residual",
            fmt::format("a layer of the same width, {}", layer.n_out), spec.layers[layer.residual].n_out);
  }
}

/// Outputs that exist and are named once, and no layer whose output nobody wants: its gradient would be undefined. An
/// output that is read as well would need two gradients; nothing wants one.
void validate_outputs(const NetworkSpec& spec) {
  const auto n_layers = static_cast<int>(spec.layers.size());
  std::vector<bool> is_output(spec.layers.size());
  std::vector<bool> is_read(spec.layers.size());
  for (const int layer : spec.outputs) {
    require(layer >= 0 && layer < n_layers, "outputs", fmt::format("indices of layers, 0..{}", n_layers - 1), layer);
    require(!is_output[layer], "outputs", "each layer once", fmt::format("layer {} again", layer));
    is_output[layer] = true;
  }
  if (spec.outputs.empty()) {
    is_output.back() = true;
  }
  require(spec.n_out() <= kMaxWidth, "outputs", fmt::format("at most {} numbers", kMaxWidth), spec.n_out());
  for (int layer = 0; layer < n_layers; ++layer) {
    for (const int earlier : {spec.source_of(layer), spec.layers[layer].residual}) {
      if (earlier >= 0) {
        is_read[earlier] = true;
      }
    }
  }
  for (int layer = 0; layer < n_layers; ++layer) {
    require(is_read[layer] != is_output[layer], fmt::format("layer {} (\"{}\")", layer, spec.layers[layer].name),
            "to be read by a later layer or to be among the outputs", is_read[layer] ? "both" : "neither");
  }
}

/// Name and shape of one level's table.
TensorInfo table_info(const EmbeddingSpec& embedding, int level, int n_dims) {
  TensorInfo table{kEmbeddingName + ".weight", {}, 0};
  std::array<int, kMaxDims> resolution = embedding.resolution;
  bool is_dense = true;
  if (!embedding.levels.empty()) {
    table.name = fmt::format("{}.{}.weight", kEmbeddingName, level);
    resolution = embedding.levels[static_cast<std::size_t>(level)].resolution();
    is_dense = embedding.levels[static_cast<std::size_t>(level)].is_dense();
  }
  for (int d = n_dims - 1; is_dense && d >= 0; --d) {
    table.shape.push_back(resolution[d]);
  }
  if (!is_dense) {
    table.shape.push_back(embedding.n_entries(level));
  }
  table.shape.push_back(embedding.n_channels);
  return table;
}

int64_t weight_size(const LayerSpec& layer) {
  return int64_t{layer.n_experts()} * layer.n_out * layer.n_in;
}

int64_t layer_size(const LayerSpec& layer) {
  return weight_size(layer) + layer.n_biases();
}

}  // namespace

std::array<int, kMaxDims> GridLevel::resolution() const {
  std::array<int, kMaxDims> resolution{};
  for (int d = 0; d < kMaxDims; ++d) {
    const float n = static_cast<float>(cells[d]);
    resolution[d] = n > 0 && n < kMaxEmbeddingResolution ? static_cast<int>(std::ceil(n)) + 1 : 1;
  }
  return resolution;
}

int64_t GridLevel::n_nodes() const {
  int64_t n = 1;
  for (const int r : resolution()) {
    n = n > std::numeric_limits<int64_t>::max() / r ? std::numeric_limits<int64_t>::max() : n * r;
  }
  return n;
}

int64_t EmbeddingSpec::n_entries(int level) const {
  if (!levels.empty()) {
    return levels[static_cast<std::size_t>(level)].n_entries;
  }
  int64_t n = n_channels > 0 ? 1 : 0;
  for (const int r : resolution) {
    n *= r > 0 ? r : 1;
  }
  return n;
}

int64_t EmbeddingSpec::first_entry(int level) const {
  int64_t n = 0;
  for (int before = 0; before < level; ++before) {
    n += n_entries(before);
  }
  return n;
}

int64_t EmbeddingSpec::n_nodes() const {
  return first_entry(n_levels());
}

int InputSpec::encoding_width(int n_dims) const {
  switch (kind) {
    case InputKind::Encoding:
      return (include_coordinates ? n_dims : 0) + 2 * n_dims * n_frequencies;
    case InputKind::Constant:
      return 1;
    case InputKind::Features:
      return n_features;
  }
  return 0;
}

int64_t TensorInfo::size() const {
  int64_t n = 1;
  for (const int64_t extent : shape) {
    n *= extent;
  }
  return n;
}

int NetworkSpec::n_out() const {
  int n = 0;
  for (const int layer : output_layers()) {
    n += layers[layer].n_out;
  }
  return n;
}

std::vector<int> NetworkSpec::output_layers() const {
  return outputs.empty() ? std::vector<int>{static_cast<int>(layers.size()) - 1} : outputs;
}

int NetworkSpec::source_of(int layer) const {
  const int from = layers[layer].from;
  return from == kPreviousLayer ? layer - 1 : from;
}

int NetworkSpec::n_features() const {
  return feature_offset(static_cast<int>(layers.size()));
}

int NetworkSpec::feature_offset(int layer) const {
  int offset = input.kind == InputKind::Features ? input.n_features : 0;
  for (int before = 0; before < layer; ++before) {
    offset += layers[before].n_features;
  }
  return offset;
}

int64_t NetworkSpec::n_params() const {
  return embedding_offset() + input.embedding.size();
}

int64_t NetworkSpec::embedding_offset() const {
  return weight_offset(static_cast<int>(layers.size()));
}

int64_t NetworkSpec::macs_per_sample() const {
  int64_t n = 0;
  for (const LayerSpec& layer : layers) {
    n += int64_t{n_blended(layer, n_dims)} * layer.n_in * layer.n_out;
  }
  return n;
}

int64_t NetworkSpec::weight_offset(int layer) const {
  LOE_ASSERT(layer >= 0 && layer <= static_cast<int>(layers.size()));
  int64_t offset = 0;
  for (int before = 0; before < layer; ++before) {
    offset += layer_size(layers[before]);
  }
  return offset;
}

int64_t NetworkSpec::bias_offset(int layer) const {
  LOE_ASSERT(layer >= 0 && layer < static_cast<int>(layers.size()));
  return weight_offset(layer) + weight_size(layers[layer]);
}

std::vector<TensorInfo> NetworkSpec::tensors() const {
  std::vector<TensorInfo> tensors;
  int64_t offset = 0;
  for (const LayerSpec& layer : layers) {
    TensorInfo weight{layer.name + ".weight", {layer.n_out, layer.n_in}, offset};
    if (layer.n_experts() > 1) {
      weight.shape.insert(weight.shape.begin(), layer.n_experts());
    }
    offset += weight.size();
    tensors.push_back(std::move(weight));
    if (layer.has_bias) {
      tensors.push_back({layer.name + ".bias", {layer.n_out}, offset});
      offset += layer.n_out;
    }
  }
  for (int level = 0; level < input.embedding.n_levels(); ++level) {
    TensorInfo table = table_info(input.embedding, level, n_dims);
    table.offset = offset;
    offset += table.size();
    tensors.push_back(std::move(table));
  }
  return tensors;
}

void NetworkSpec::validate() const {
  require(n_dims >= 1 && n_dims <= kMaxDims, "n_dims", fmt::format("1..{}", kMaxDims), n_dims);
  validate_input(input);
  validate_output(output);
  validate_embedding(input, n_dims);
  const size_t n_layers = layers.size();
  require(n_layers >= 1 && n_layers <= kMaxLayers, "layers", fmt::format("1..{} layers", kMaxLayers), n_layers);
  std::set<std::string> names;
  if (input.has_embedding()) {
    names.insert(kEmbeddingName);
  }
  for (int level = 0; level < static_cast<int>(input.embedding.levels.size()); ++level) {
    names.insert(fmt::format("{}.{}", kEmbeddingName, level));
  }
  for (size_t index = 0; index < n_layers; ++index) {
    const LayerSpec& layer = layers[index];
    require(!layer.name.empty(), fmt::format("layer {} name", index), "a name", "none");
    require(names.insert(layer.name).second, fmt::format("layer {} name", index), "a name used once",
            '"' + layer.name + "\" again");
    const std::string place = fmt::format("layer {} (\"{}\")", index, layer.name);
    require(layer.from == kPreviousLayer || (layer.from >= 0 && layer.from < static_cast<int>(index)), place + " from",
            "-1 (the layer before) or the index of an earlier layer", layer.from);
    const int source = source_of(static_cast<int>(index));
    validate_layer(place, layer, n_dims, source < 0 ? n_in() : layers[source].n_out);
    validate_residual(place, *this, static_cast<int>(index));
  }
  validate_outputs(*this);
}

int n_blended(const LayerSpec& layer, int n_dims) {
  int n = 1;
  if (layer.interpolation == Interpolation::Linear) {
    for (int d = 0; d < n_dims; ++d) {
      n *= layer.tile.n[d] > 1 ? 2 : 1;
    }
  }
  return n;
}

const char* to_string(Interpolation interpolation) {
  return detail::enum_name(kInterpolationNames, interpolation);
}

const char* to_string(ActivationKind kind) {
  return detail::enum_name(kActivationNames, kind);
}

const char* to_string(InputKind kind) {
  return detail::enum_name(kInputNames, kind);
}

Interpolation interpolation_from_string(const std::string& text) {
  return detail::enum_value(kInterpolationNames, text, "[network] interpolation");
}

ActivationKind activation_kind_from_string(const std::string& text) {
  return detail::enum_value(kActivationNames, text, "[network] activation");
}

InputKind input_kind_from_string(const std::string& text) {
  return detail::enum_value(kInputNames, text, "[network] input");
}

}  // namespace loe
