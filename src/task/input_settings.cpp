// The settings of what the first level reads: encoding, table of features, grid.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "loe/base/error.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

/// Names of model.input beside those of InputKind.
const std::string kGridInput = "grid";
const std::string kGridBehindInput = "encoding_and_grid";
constexpr int kMaxFrequencies = 24;
constexpr int kMaxLog2Entries = 30;

bool has_grid(const InputDraft& draft) {
  return draft.kind == kGridInput || draft.kind == kGridBehindInput;
}

void add_encoding(SettingTable& table, InputSpec& input, InputDraft& draft) {
  table.choice("model.input", draft.kind, {"encoding", "constant", kGridInput, kGridBehindInput},
               "what the first level reads: the frequency encoding, the constant 1, the features of a multiresolution "
               "grid (then the keys of the encoding say nothing), or both");
  table.whole("model.n_frequencies", input.n_frequencies, 0, kMaxFrequencies, "frequencies L of the encoding");
  table.number("model.frequency_scale", input.frequency_scale, above(0, 1e6),
               "c in sin(2^k c p), cos(2^k c p), k = 0..L-1; pi if not set");
  table.flag("model.include_coordinates", input.include_coordinates,
             "the encoding also holds the coordinates themselves");
  table.numbers("model.coordinate_range", input.coordinate_range.data(), 2, "two numbers [low, high], low < high",
                "where those coordinates run from 0 to 1 across the picture, low + (high - low) p; sines and routing "
                "always see 0 to 1. SIREN uses [-1, 1]");
}

void add_embedding(SettingTable& table, int n_dims, InputDraft& draft) {
  EmbeddingSpec& embedding = draft.embedding;
  table.flag("model.embedding", draft.has_embedding,
             "the encoding is followed by a learned table's features (\"PE + CE\" of the paper); needs `input = "
             "\"encoding\"` and the next two keys. If false, the other `embedding_` keys say nothing");
  const std::string key = "model.embedding_resolution";
  const auto read = [=, &embedding](const Settings& settings) {
    const std::vector<int> nodes = get_whole_list(settings, key, 0, kMaxEmbeddingResolution);
    if (nodes.size() != static_cast<std::size_t>(n_dims)) {
      settings.refuse(key, fmt::format("a list of {} numbers {}", n_dims, axes_text(n_dims)));
    }
    std::copy(nodes.begin(), nodes.end(), embedding.resolution.begin());
  };
  const auto write = [=, &embedding] {
    return SettingValue(std::vector<double>(embedding.resolution.begin(), embedding.resolution.begin() + n_dims));
  };
  table.add({.key = key,
             .type = fmt::format("list {}", axes_text(n_dims)),
             .values = fmt::format("1..{} each", kMaxEmbeddingResolution),
             .meaning = "nodes of the table along each axis, multilinear between them",
             .read = read,
             .write = write});
  table.whole("model.embedding_channels", embedding.n_channels, 0, kMaxWidth,
              "features per node; the table has nodes * channels parameters, at most 2^31");
  table.number("model.embedding_init", embedding.init_bound, from_to(0, 1e6),
               "the table starts uniform in -init..init");
}

/// Cells along each axis, one number for all or one per axis.
Setting cell_setting(const std::string& key, int n_dims, std::array<double, kMaxDims>& cells,
                     const std::string& meaning) {
  const auto read = [=, &cells](const Settings& settings) {
    std::vector<double> list(static_cast<std::size_t>(n_dims), 0);
    if (settings.is_number(key)) {
      std::fill(list.begin(), list.end(), settings.get_double(key, 0, 0, kMaxEmbeddingResolution));
    } else {
      list = settings.get_list(key, {});
    }
    if (list.size() != static_cast<std::size_t>(n_dims)) {
      settings.refuse(key, fmt::format("a number or {} numbers {}", n_dims, axes_text(n_dims)));
    }
    std::copy(list.begin(), list.end(), cells.begin());
  };
  const auto write = [=, &cells] { return SettingValue(std::vector<double>(cells.begin(), cells.begin() + n_dims)); };
  return {.key = key,
          .type = fmt::format("number or list {}", axes_text(n_dims)),
          .values = fmt::format("above 0, below {}", kMaxEmbeddingResolution),
          .meaning = meaning,
          .read = read,
          .write = write};
}

SettingTable grid_setting_table(int n_dims, GridConfig& grid, InputDraft& draft) {
  SettingTable table;
  table.whole("model.grid_levels", draft.n_grid_levels, 1, kMaxEmbeddingLevels,
              "levels of the grid; this and the other `grid_` keys say nothing without one");
  table.add(cell_setting("model.grid_coarsest", n_dims, grid.coarsest,
                         "cells of the first level across the picture along each axis, one number for all; need not be "
                         "whole"));
  table.add(cell_setting("model.grid_finest", n_dims, grid.finest,
                         "those of the last, no fewer. Those between grow by the same factor from level to level"));
  table.whole("model.grid_channels", grid.n_channels, 1, kMaxWidth, "features per node and level; 2 runs fastest");
  table.whole("model.grid_log2_entries", grid.log2_entries, 1, kMaxLog2Entries,
              "a level with at most 2^k nodes has them all (dense), a larger one shares 2^k entries among them by a "
              "hash");
  table.number("model.grid_init", grid.init_bound, from_to(0, 1e6), "the tables start uniform in -init..init");
  return table;
}

}  // namespace

InputDraft input_draft(const NetworkConfig& network) {
  InputDraft draft;
  draft.kind = network.grid.n_levels == 0 ? to_string(network.input.kind)
               : network.grid.is_alone    ? kGridInput
                                          : kGridBehindInput;
  draft.has_embedding = network.input.has_embedding();
  draft.embedding = network.input.embedding;
  if (network.grid.n_levels > 0) {
    draft.n_grid_levels = network.grid.n_levels;
  }
  return draft;
}

SettingTable input_setting_table(NetworkConfig& network, InputDraft& draft) {
  SettingTable table;
  add_encoding(table, network.input, draft);
  add_embedding(table, network.n_dims, draft);
  SettingTable grid = grid_setting_table(network.n_dims, network.grid, draft);
  grid.set_written(network.grid.n_levels > 0);  // else the keys say nothing
  table.append(std::move(grid));
  return table;
}

void apply_input(const Settings& settings, const InputDraft& draft, NetworkConfig& network) {
  network.input.kind = has_grid(draft) ? InputKind::Encoding : input_kind_from_string(draft.kind);
  network.grid.n_levels = has_grid(draft) ? draft.n_grid_levels : 0;
  network.grid.is_alone = draft.kind == kGridInput;
  network.input.embedding = {};
  if (!draft.has_embedding) {
    return;
  }
  if (has_grid(draft)) {
    settings.refuse("model.embedding",
                    fmt::format("false with model.input = \"{}\": choose one table of features", draft.kind));
  }
  const auto& resolution = draft.embedding.resolution;
  const auto end = resolution.begin() + network.n_dims;
  if (std::find(resolution.begin(), end, 0) != end || draft.embedding.n_channels == 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[config] model.embedding ({}): expected model.embedding_resolution and "
                            "model.embedding_channels above 0, got [{}] and {}; set them, for example {} and {}",
                            settings.entries().at("model.embedding").origin, fmt::join(resolution.begin(), end, ", "),
                            draft.embedding.n_channels, network.n_dims == 2 ? "[256, 256]" : "[64, 64, 64]",
                            network.n_dims == 2 ? 128 : 64));
  }
  network.input.embedding = draft.embedding;
}

}  // namespace loe
