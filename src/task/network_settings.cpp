// The settings of a network: its levels, their layout, activation, start and range.
#include <fmt/format.h>

#include "task/fit_config_internal.h"

namespace loe {
namespace {

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
      settings.refuse(key, fmt::format("lists of {} numbers {}", n_dims, axes_text(n_dims)));
    }
    add([&](int axis) { return values[axis]; });
  }
  return list;
}

/// The first n_dims of each.
template <class Axes>
SettingValue axis_lists(const std::vector<Axes>& levels, int n_dims) {
  std::vector<std::vector<double>> lists;
  for (const Axes& axes : levels) {
    lists.emplace_back(axes.begin(), axes.begin() + n_dims);
  }
  return lists;
}

Tile tile_of(const Settings& settings, const std::array<double, kMaxDims>& n, int n_dims) {
  Tile tile;
  for (int axis = 0; axis < n_dims; ++axis) {
    if (!(n[axis] >= 1 && n[axis] <= kMaxExperts) || n[axis] != static_cast<int>(n[axis])) {
      settings.refuse("model.tiles", fmt::format("whole numbers in 1..{}", kMaxExperts));
    }
    tile.n[axis] = static_cast<int>(n[axis]);
  }
  return tile;
}

/// Read after model.widths, whose number one tile for all levels takes.
void read_tiles(const Settings& settings, NetworkConfig& network) {
  std::vector<std::array<double, kMaxDims>> tiles;
  if (settings.is_number("model.tiles")) {
    std::array<double, kMaxDims> n{};
    n.fill(settings.get_double("model.tiles", 1, 1, kMaxExperts));
    tiles.assign(network.widths.size(), n);
  } else {
    tiles = get_axis_list(settings, "model.tiles", network.n_dims);
  }
  network.tiles.clear();
  for (const std::array<double, kMaxDims>& n : tiles) {
    network.tiles.push_back(tile_of(settings, n, network.n_dims));
  }
}

std::string lists_text(int n_dims) {
  return n_dims == 2 ? "list of pairs" : "list of triples";
}

void add_tiles(SettingTable& table, NetworkConfig& network) {
  table.add({.key = "model.tiles",
             .type = "number, list or " + lists_text(network.n_dims),
             .values = fmt::format("1..{0} per axis, at most {0} experts", kMaxExperts),
             .meaning = "experts per axis of each level, one number for all; 1 is a plain layer",
             .read = [&network](const Settings& settings) { read_tiles(settings, network); },
             .write =
                 [&network] {
                   std::vector<std::array<int, kMaxDims>> tiles;
                   for (const Tile& tile : network.tiles) {
                     tiles.push_back(tile.n);
                   }
                   return axis_lists(tiles, network.n_dims);
                 }});
}

void add_layout(SettingTable& table, NetworkConfig& network) {
  LayoutConfig& layout = network.layout;
  table.choice("model.layout", layout.kind,
               {LayoutKind::CoarseToFine, LayoutKind::FineToCoarse, LayoutKind::GrayCode, LayoutKind::RandomPermute,
                LayoutKind::RandomAffine, LayoutKind::Interleaved, LayoutKind::Chunked, LayoutKind::SingleScale},
               "how resolutions become the levels' grids");
  table.add({.key = "model.resolutions",
             .type = "list or " + lists_text(network.n_dims),
             .values = "above 0, up to 2^30",
             .meaning = "cells of each level across the picture, coarse to fine; need not be whole. `size / 2^k` makes "
                        "cells of 2^k pixels",
             .read =
                 [&network](const Settings& settings) {
                   network.layout.resolutions = get_axis_list(settings, "model.resolutions", network.n_dims);
                 },
             .write = [&network] { return axis_lists(network.layout.resolutions, network.n_dims); }});
  table.wholes("model.permutation", layout.permutation, 0, kMaxLayers, "each of 0..n-1 once, or empty",
               "`random_permute`: level l takes resolution `permutation[l]`; empty: shuffled by `layout_seed`");
  table.number("model.gray_first_offset", layout.gray_first_offset, below(0, 1),
               "`gray_code`: offset b of the first level; 0.5, as the paper prints it for all levels, makes the first "
               "two see the same digit");
  table.number("model.affine_std", layout.affine_std, above(0, 1e6),
               "`random_affine`: standard deviation of the entries of A");
  table.number("model.single_resolution", layout.single_resolution, above(0, 1e6),
               "`single_scale`: the resolution of every level");
  table.seed("model.layout_seed", layout.seed, "seed of `random_permute` and `random_affine`").default_text =
      "`train.seed`";
}

void add_activation(SettingTable& table, NetworkConfig& network) {
  table.choice("model.interpolation", network.interpolation, {Interpolation::Nearest, Interpolation::Linear},
               "one expert per sample, or a blend of up to 4 (8) at about 4 (8) times the cost");
  table.number("model.node_offset", network.node_offset, below(0, 1),
               "`linear`: experts sit at q = j + offset; 0.5 is the cells' centres");
  table.choice("model.activation", network.activation.kind,
               {ActivationKind::Identity, ActivationKind::LeakyRelu, ActivationKind::Relu, ActivationKind::Sine,
                ActivationKind::Sigmoid, ActivationKind::Tanh, ActivationKind::Softplus},
               "after every level; none after the last layer");
  table.number("model.slope", network.activation.slope, below(0, 1), "`leaky_relu`: slope below 0");
  table.number("model.omega", network.activation.omega, above(0, 1e6), "`sine`: sin(omega x)");
  table.choice("model.init", network.init.scheme, {InitScheme::ByActivation, InitScheme::Lecun},
               "how a matrix is drawn. `by_activation`: Kaiming-uniform; for `sine` as SIREN, which is meant for raw "
               "coordinates and omega 30. `lecun`: U(-sqrt(3/n), sqrt(3/n)) for n inputs, half of that in the last "
               "layer, zero biases: for `sine` with `omega = 1` behind an encoding");
  table.choice("model.expert_init", network.init.experts, {ExpertInit::Independent, ExpertInit::Shared},
               "whether each expert of a level has a start of its own, or all the same: the network then starts as a "
               "plain one");
  table.numbers("model.output_range", network.output_range.data(), 2, "two numbers [low, high], low < high",
                "outputs of the network that stand for the signal's 0 and 1. [-1, 1] is usual and gains 2 to 3 dB "
                "where the noise of the updates limits the fit ([paper.md](paper.md)). Unset, the range of a picture "
                "of floats outside [0, 1] takes the place of 0 and 1");
}

}  // namespace

SettingTable network_setting_table(NetworkConfig& network, InputDraft& draft) {
  SettingTable table;
  table.wholes("model.widths", network.widths, 1, kMaxWidth,
               fmt::format("1..{} each, 1 to {} levels", kMaxWidth, kMaxLayers - 1),
               "outputs of each level; a plain layer to the signal's channels follows");
  add_tiles(table, network);
  add_layout(table, network);
  table.append(input_setting_table(network, draft));
  add_activation(table, network);
  return table;
}

}  // namespace loe
