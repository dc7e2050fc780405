// NetworkSpec as JSON text (docs/formats.md).
#include <fmt/format.h>

#include <limits>

#include <nlohmann/json.hpp>

#include "io/json_reader.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/model_file.h"

namespace loe {
namespace {

using Json = nlohmann::ordered_json;

/// Axes beyond n_dims are left out: validate() has made sure that they hold the defaults.
Json layer_to_json(const LayerSpec& layer, int n_dims) {
  Json tile = Json::array();
  Json a = Json::array();
  Json b = Json::array();
  for (int row = 0; row < n_dims; ++row) {
    Json a_row = Json::array();
    for (int column = 0; column < n_dims; ++column) {
      a_row.push_back(layer.grid.a[row][column]);
    }
    a.push_back(std::move(a_row));
    b.push_back(layer.grid.b[row]);
    tile.push_back(layer.tile.n[row]);
  }
  Json json;
  json["name"] = layer.name;
  json["n_in"] = layer.n_in;
  json["n_out"] = layer.n_out;
  json["tile"] = std::move(tile);
  json["grid"] = Json{{"a", std::move(a)}, {"b", std::move(b)}};
  json["interpolation"] = to_string(layer.interpolation);
  json["node_offset"] = layer.node_offset;
  json["activation"] = Json{
      {"kind", to_string(layer.activation.kind)}, {"slope", layer.activation.slope}, {"omega", layer.activation.omega}};
  // Like the network's "outputs" only where it says something: a chain reads as it always did.
  if (layer.from != kPreviousLayer) {
    json["from"] = layer.from;
  }
  if (layer.n_features != 0) {
    json["n_features"] = layer.n_features;
  }
  if (layer.residual != kNoResidual) {
    json["residual"] = layer.residual;
  }
  if (!layer.has_bias) {
    json["has_bias"] = false;
  }
  return json;
}

/// The enum of a text field; the list of choices in the parser's own error becomes part of a Format error.
template <typename Parse>
auto read_enum(const JsonObject& object, const std::string& key, const Parse& parse) {
  const std::string text = printable(object.get_string(key));
  try {
    return parse(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::Format,
                fmt::format("[model] {}: {}: {}", object.origin(), object.path_of(key), error.what()));
  }
}

/// One table has a "resolution", a grid "levels".
Json embedding_to_json(const EmbeddingSpec& embedding, int n_dims) {
  Json json;
  if (embedding.levels.empty()) {
    json["resolution"] = std::vector<int>(embedding.resolution.begin(), embedding.resolution.begin() + n_dims);
  }
  json["n_channels"] = embedding.n_channels;
  json["init_bound"] = embedding.init_bound;
  for (const GridLevel& level : embedding.levels) {
    json["levels"].push_back(Json{{"cells", std::vector<double>(level.cells.begin(), level.cells.begin() + n_dims)},
                                  {"n_entries", level.n_entries}});
  }
  return json;
}

/// Embedding and range of the coordinates are only in the file if they say something: a network without them reads as
/// it always did.
Json input_to_json(const InputSpec& input, int n_dims) {
  Json json{{"kind", to_string(input.kind)},
            {"n_frequencies", input.n_frequencies},
            {"frequency_scale", input.frequency_scale},
            {"include_coordinates", input.include_coordinates},
            {"n_features", input.n_features}};
  if (input.has_embedding()) {
    json["embedding"] = embedding_to_json(input.embedding, n_dims);
  }
  if (input.coordinate_range != InputSpec{}.coordinate_range) {
    json["coordinate_range"] = input.coordinate_range;
  }
  return json;
}

std::vector<GridLevel> read_grid_levels(const JsonObject& object, int n_dims) {
  const nlohmann::json& list = object.at("levels");
  if (!list.is_array() || list.empty() || list.size() > static_cast<std::size_t>(kMaxEmbeddingLevels)) {
    throw_json_error(object.origin(), object.path_of("levels"),
                     fmt::format("a list of 1..{} levels", kMaxEmbeddingLevels), "something else");
  }
  std::vector<GridLevel> levels;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonObject level(list[i], object.origin(), fmt::format("{}[{}]", object.path_of("levels"), i),
                           {"cells", "n_entries"});
    const nlohmann::json& cells = level.get_list("cells", static_cast<std::size_t>(n_dims));
    GridLevel grid;
    for (std::size_t axis = 0; axis < cells.size(); ++axis) {
      grid.cells[axis] = json_to_double(cells[axis], level.origin(), level.path_of("cells"));
    }
    grid.n_entries = level.get_int("n_entries", 1, std::numeric_limits<int>::max());
    levels.push_back(grid);
  }
  return levels;
}

EmbeddingSpec read_embedding(const JsonObject& object, int n_dims) {
  EmbeddingSpec embedding;
  embedding.n_channels = object.get_int("n_channels", 1, kMaxWidth);
  embedding.init_bound = object.get_double("init_bound");
  if (object.has("levels")) {
    if (object.has("resolution")) {
      throw_json_error(object.origin(), object.path_of("resolution"), "none beside levels", "one");
    }
    embedding.levels = read_grid_levels(object, n_dims);
    return embedding;
  }
  const nlohmann::json& resolution = object.get_list("resolution", static_cast<std::size_t>(n_dims));
  for (std::size_t axis = 0; axis < resolution.size(); ++axis) {
    embedding.resolution[axis] =
        json_to_int(resolution[axis], 1, kMaxEmbeddingResolution, object.origin(), object.path_of("resolution"));
  }
  return embedding;
}

InputSpec read_input(const JsonObject& object, int n_dims) {
  InputSpec input;
  input.kind = read_enum(object, "kind", input_kind_from_string);
  input.n_frequencies = object.get_int("n_frequencies", 0, kMaxWidth);
  input.frequency_scale = object.get_double("frequency_scale");
  input.include_coordinates = object.get_bool("include_coordinates");
  input.n_features = object.get_int("n_features", 0, kMaxWidth);
  if (object.has("embedding")) {
    input.embedding =
        read_embedding(object.get_object("embedding", {"resolution", "n_channels", "init_bound", "levels"}), n_dims);
  }
  if (object.has("coordinate_range")) {
    const nlohmann::json& range = object.get_list("coordinate_range", 2);
    for (std::size_t end = 0; end < 2; ++end) {
      input.coordinate_range[end] = json_to_double(range[end], object.origin(), object.path_of("coordinate_range"));
    }
  }
  return input;
}

Grid read_grid(const JsonObject& object, int n_dims) {
  Grid grid;
  const auto n = static_cast<std::size_t>(n_dims);
  const nlohmann::json& a = object.get_list("a", n);
  const nlohmann::json& b = object.get_list("b", n);
  for (std::size_t row = 0; row < n; ++row) {
    const std::string field = fmt::format("{}[{}]", object.path_of("a"), row);
    if (!a[row].is_array() || a[row].size() != n) {
      throw_json_error(object.origin(), field, fmt::format("a list of {}", n), "something else");
    }
    for (std::size_t column = 0; column < n; ++column) {
      grid.a[row][column] = json_to_double(a[row][column], object.origin(), field);
    }
    grid.b[row] = json_to_double(b[row], object.origin(), object.path_of("b"));
  }
  return grid;
}

LayerSpec read_layer(const JsonObject& object, int n_dims) {
  LayerSpec layer;
  layer.name = object.get_string("name");
  layer.n_in = object.get_int("n_in", 1, kMaxWidth);
  layer.n_out = object.get_int("n_out", 1, kMaxWidth);
  const nlohmann::json& tile = object.get_list("tile", static_cast<std::size_t>(n_dims));
  int64_t n_experts = 1;
  for (std::size_t axis = 0; axis < tile.size(); ++axis) {
    layer.tile.n[axis] = json_to_int(tile[axis], 1, kMaxExperts, object.origin(), object.path_of("tile"));
    n_experts *= layer.tile.n[axis];
  }
  if (n_experts > kMaxExperts) {
    throw_json_error(object.origin(), object.path_of("tile"), fmt::format("at most {} experts", kMaxExperts),
                     std::to_string(n_experts));
  }
  layer.grid = read_grid(object.get_object("grid", {"a", "b"}), n_dims);
  layer.interpolation = read_enum(object, "interpolation", interpolation_from_string);
  layer.node_offset = object.get_double("node_offset");
  const JsonObject activation = object.get_object("activation", {"kind", "slope", "omega"});
  layer.activation.kind = read_enum(activation, "kind", activation_kind_from_string);
  layer.activation.slope = activation.get_double("slope");
  layer.activation.omega = activation.get_double("omega");
  if (object.has("from")) {
    layer.from = object.get_int("from", 0, kMaxLayers);
  }
  if (object.has("n_features")) {
    layer.n_features = object.get_int("n_features", 1, kMaxWidth);
  }
  if (object.has("residual")) {
    layer.residual = object.get_int("residual", 0, kMaxLayers);
  }
  if (object.has("has_bias")) {
    layer.has_bias = object.get_bool("has_bias");
  }
  return layer;
}

}  // namespace

std::string network_to_json(const NetworkSpec& spec) {
  spec.validate();
  Json json;
  json["n_dims"] = spec.n_dims;
  json["input"] = input_to_json(spec.input, spec.n_dims);
  json["layers"] = Json::array();
  for (const LayerSpec& layer : spec.layers) {
    json["layers"].push_back(layer_to_json(layer, spec.n_dims));
  }
  // Left out where it changes nothing, so that programs that know no output mapping read what they can.
  if (spec.output != OutputSpec{}) {
    json["output"] = Json{{"scale", spec.output.scale}, {"offset", spec.output.offset}};
  }
  if (!spec.outputs.empty()) {
    json["outputs"] = spec.outputs;
  }
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Fields that the kinds in use ignore are not validated: refuse what could not be read back rather than lose it.
  if (network_from_json(text, "network") != spec) {
    throw Error(ErrorKind::InvalidArgument,
                "[model] network: expected names in UTF-8 and finite numbers, got others; fix the description");
  }
  return text;
}

NetworkSpec network_from_json(const std::string& text, const std::string& origin) {
  const nlohmann::json json = parse_small_json(text, origin);
  const JsonObject object(json, origin, "", {"n_dims", "input", "layers", "output", "outputs"});
  NetworkSpec spec;
  spec.n_dims = object.get_int("n_dims", 1, kMaxDims);
  spec.input = read_input(object.get_object("input", {"kind", "n_frequencies", "frequency_scale", "include_coordinates",
                                                      "n_features", "embedding", "coordinate_range"}),
                          spec.n_dims);
  const nlohmann::json& layers = object.at("layers");
  if (!layers.is_array() || layers.empty() || layers.size() > static_cast<std::size_t>(kMaxLayers)) {
    throw_json_error(origin, "layers", fmt::format("a list of 1..{} layers", kMaxLayers), "something else");
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const JsonObject layer(layers[i], origin, fmt::format("layers[{}]", i),
                           {"name", "n_in", "n_out", "tile", "grid", "interpolation", "node_offset", "activation",
                            "from", "n_features", "residual", "has_bias"});
    spec.layers.push_back(read_layer(layer, spec.n_dims));
  }
  if (json.contains("output")) {
    const JsonObject output = object.get_object("output", {"scale", "offset"});
    spec.output = {output.get_double("scale"), output.get_double("offset")};
  }
  if (json.contains("outputs")) {
    const nlohmann::json& outputs = object.at("outputs");
    if (!outputs.is_array() || outputs.empty() || outputs.size() > layers.size()) {
      throw_json_error(origin, "outputs", fmt::format("a list of 1..{} layers", layers.size()), "something else");
    }
    for (const nlohmann::json& layer : outputs) {
      spec.outputs.push_back(json_to_int(layer, 0, kMaxLayers, origin, "outputs"));
    }
  }
  try {
    spec.validate();
  } catch (const Error& error) {
    throw Error(ErrorKind::Format, fmt::format("[model] {}: {}", origin, error.what()));
  }
  return spec;
}

}  // namespace loe
