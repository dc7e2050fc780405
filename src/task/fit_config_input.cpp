// The settings of what the first level reads: encoding, table of features, grid.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

/// Names of model.input beside those of InputKind.
const std::string kGridInput = "grid";
const std::string kGridBehindInput = "encoding_and_grid";

void read_embedding(const Settings& settings, int n_dims, EmbeddingSpec& embedding) {
  const std::string resolution_key = "model.embedding_resolution";
  const std::vector<double> resolution = settings.get_list(resolution_key, std::vector<double>(n_dims, 0));
  if (resolution.size() != static_cast<std::size_t>(n_dims)) {
    fail_setting(settings, resolution_key,
                 n_dims == 2 ? "a list of two numbers [x, y]" : "a list of three numbers [x, y, t]",
                 static_cast<double>(resolution.size()));
  }
  EmbeddingSpec found;
  for (std::size_t axis = 0; axis < resolution.size(); ++axis) {
    found.resolution[axis] =
        settings.contains(resolution_key)
            ? setting_to_int(settings, resolution_key, resolution[axis], 0, kMaxEmbeddingResolution)
            : 0;
  }
  found.n_channels = get_small_int(settings, "model.embedding_channels", 0, 0, kMaxWidth);
  found.init_bound = settings.get_double("model.embedding_init", found.init_bound, 0, 1e6);
  if (!settings.get_bool("model.embedding", false)) {
    return;  // the other keys are checked all the same
  }
  const auto end = found.resolution.begin() + n_dims;
  if (std::find(found.resolution.begin(), end, 0) != end || found.n_channels == 0) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[config] model.embedding ({}): expected model.embedding_resolution and "
                    "model.embedding_channels above 0, got [{}] and {}; set them, for example {} and {}",
                    settings.entries().at("model.embedding").origin, fmt::join(found.resolution.begin(), end, ", "),
                    found.n_channels, n_dims == 2 ? "[256, 256]" : "[64, 64, 64]", n_dims == 2 ? 128 : 64));
  }
  embedding = found;
}

/// One number for all axes, or one per axis.
void read_cells(const Settings& settings, const std::string& key, int n_dims, std::array<double, kMaxDims>& cells) {
  if (!settings.contains(key)) {
    return;
  }
  if (is_number_setting(settings, key)) {
    cells.fill(settings.get_double(key, 0, 0, kMaxEmbeddingResolution));
    return;
  }
  const std::vector<double> list = settings.get_list(key, {});
  if (list.size() != static_cast<std::size_t>(n_dims)) {
    fail_setting(settings, key, n_dims == 2 ? "a number or two numbers [x, y]" : "a number or three numbers [x, y, t]",
                 static_cast<double>(list.size()));
  }
  std::copy(list.begin(), list.end(), cells.begin());
}

/// model.input, which says of a grid whether it is there, and the keys of the grid.
void read_grid(const Settings& settings, NetworkConfig& network) {
  GridConfig& grid = network.grid;
  const std::string kind = settings.get_choice("model.input", to_string(network.input.kind),
                                               {"encoding", "constant", kGridInput, kGridBehindInput});
  const bool has_grid = kind == kGridInput || kind == kGridBehindInput;
  network.input.kind = has_grid ? InputKind::Encoding : input_kind_from_string(kind);
  const int n_levels = get_small_int(settings, "model.grid_levels", 8, 1, kMaxEmbeddingLevels);
  grid.n_channels = get_small_int(settings, "model.grid_channels", grid.n_channels, 1, kMaxWidth);
  grid.log2_entries = get_small_int(settings, "model.grid_log2_entries", grid.log2_entries, 1, 30);
  grid.init_bound = settings.get_double("model.grid_init", grid.init_bound, 0, 1e6);
  read_cells(settings, "model.grid_coarsest", network.n_dims, grid.coarsest);
  read_cells(settings, "model.grid_finest", network.n_dims, grid.finest);
  grid.n_levels = has_grid ? n_levels : 0;
  grid.is_alone = kind == kGridInput;
  if (has_grid && settings.get_bool("model.embedding", false)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[config] model.embedding ({}): expected false with model.input = \"{}\", got true; choose "
                            "one table of features",
                            settings.entries().at("model.embedding").origin, kind));
  }
}

std::string input_name(const NetworkConfig& network) {
  if (network.grid.n_levels == 0) {
    return to_string(network.input.kind);
  }
  return network.grid.is_alone ? kGridInput : kGridBehindInput;
}

void write_grid(const GridConfig& grid, int n_dims, const std::string& origin, Settings& settings) {
  if (grid.n_levels == 0) {
    return;  // the keys say nothing
  }
  const auto list = [&](const std::array<double, kMaxDims>& cells) {
    return std::vector<double>(cells.begin(), cells.begin() + n_dims);
  };
  settings.set("model.grid_levels", int64_t{grid.n_levels}, origin);
  settings.set("model.grid_coarsest", list(grid.coarsest), origin);
  settings.set("model.grid_finest", list(grid.finest), origin);
  settings.set("model.grid_channels", int64_t{grid.n_channels}, origin);
  settings.set("model.grid_log2_entries", int64_t{grid.log2_entries}, origin);
  settings.set("model.grid_init", grid.init_bound, origin);
}

}  // namespace

void fail_setting(const Settings& settings, const std::string& key, const std::string& expected, double found) {
  throw Error(ErrorKind::InvalidArgument, fmt::format("[config] {} ({}): expected {}, got {}", key,
                                                      settings.entries().at(key).origin, expected, found));
}

int setting_to_int(const Settings& settings, const std::string& key, double value, int min, int max) {
  if (!(value >= min && value <= max) || value != std::floor(value)) {
    fail_setting(settings, key, fmt::format("whole numbers in {}..{}", min, max), value);
  }
  return static_cast<int>(value);
}

bool is_number_setting(const Settings& settings, const std::string& key) {
  const SettingValue& value = settings.entries().at(key).value;
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

void read_input(const Settings& settings, NetworkConfig& network) {
  InputSpec& input = network.input;
  read_grid(settings, network);
  input.n_frequencies = get_small_int(settings, "model.n_frequencies", input.n_frequencies, 0, 24);
  input.frequency_scale = settings.get_double("model.frequency_scale", input.frequency_scale, 0, 1e6);
  input.include_coordinates = settings.get_bool("model.include_coordinates", input.include_coordinates);
  const std::vector<double> coordinates = settings.get_list("model.coordinate_range", {0, 1});
  if (coordinates.size() != 2) {
    fail_setting(settings, "model.coordinate_range", "two numbers [low, high]",
                 static_cast<double>(coordinates.size()));
  }
  input.coordinate_range = {coordinates[0], coordinates[1]};
  read_embedding(settings, network.n_dims, input.embedding);
}

void write_input(const NetworkConfig& network, const std::string& origin, Settings& settings) {
  const auto set = [&](const char* key, SettingValue value) { settings.set(key, std::move(value), origin); };
  set("model.input", input_name(network));
  set("model.n_frequencies", int64_t{network.input.n_frequencies});
  set("model.frequency_scale", network.input.frequency_scale);
  set("model.include_coordinates", network.input.include_coordinates);
  set("model.coordinate_range",
      std::vector<double>(network.input.coordinate_range.begin(), network.input.coordinate_range.end()));
  const EmbeddingSpec& embedding = network.input.embedding;
  set("model.embedding", network.input.has_embedding());
  set("model.embedding_resolution",
      std::vector<double>(embedding.resolution.begin(), embedding.resolution.begin() + network.n_dims));
  set("model.embedding_channels", int64_t{embedding.n_channels});
  set("model.embedding_init", embedding.init_bound);
  write_grid(network.grid, network.n_dims, origin, settings);
}

}  // namespace loe
