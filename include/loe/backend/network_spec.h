// What a network is, as plain data: the unit that a backend compiles. Nothing here computes.
#pragma once

#include <array>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

namespace loe {

/// Coordinates have 1..kMaxDims components.
inline constexpr int kMaxDims = 4;
/// Limits that keep every index in range and hostile descriptions harmless.
inline constexpr int kMaxExperts = 4096;
inline constexpr int kMaxWidth = 16384;
inline constexpr int kMaxLayers = 64;
/// Nodes of an embedding along one axis, and numbers in its table (8 GiB).
inline constexpr int kMaxEmbeddingResolution = 65536;
inline constexpr int64_t kMaxEmbeddingSize = int64_t{1} << 31;
inline constexpr int kMaxEmbeddingLevels = 64;

/// The N x N (x N) arrangement of experts that repeats over the cells of a grid. Axes beyond n_dims are 1.
struct Tile {
  std::array<int, kMaxDims> n = {1, 1, 1, 1};
  int n_experts() const { return n[0] * n[1] * n[2] * n[3]; }
  bool operator==(const Tile&) const = default;
};

/// Lattice of a level, q = A p + b (paper eq. 8). Cells are the unit cubes of q.
struct Grid {
  std::array<std::array<double, kMaxDims>, kMaxDims> a{};  ///< a[row][column]; unused rows and columns are 0
  std::array<double, kMaxDims> b{};
  bool operator==(const Grid&) const = default;
};

enum class Interpolation {
  Nearest,  ///< the one expert that owns the cell (paper eq. 4)
  Linear,   ///< multilinear blend of 2^D experts (paper eq. 5); axes with tile size 1 do not blend
};

enum class ActivationKind { Identity, LeakyRelu, Relu, Sine, Sigmoid, Tanh, Softplus };

/// phi, applied elementwise to a layer's output.
struct Activation {
  ActivationKind kind = ActivationKind::Identity;
  double slope = 0.2;  ///< LeakyRelu: phi(x) = x if x > 0 else slope * x, slope in [0, 1)
  double omega = 30;   ///< Sine: phi(x) = sin(omega * x)
  bool operator==(const Activation&) const = default;
};

enum class InputKind {
  Encoding,  ///< gamma(p), see InputSpec
  Constant,  ///< the constant 1, width 1 (paper Table 1, "Constant Input")
  Features,  ///< n_features numbers per sample supplied by the caller
};

/// One level of a grid of features: a lattice of nodes whose distance is 1 / s_d along axis d, entry of the table by
/// entry of the table while it is dense, several nodes to an entry where it is hashed. See EmbeddingSpec.
struct GridLevel {
  /// s_d: cells that [0, 1] has along axis d, above 0, at most kMaxEmbeddingResolution - 1, rounded to float before use
  /// and need not be whole (a picture of 3:2 has s_y = 2/3 s_x); 0 beyond n_dims.
  std::array<double, kMaxDims> cells{};
  /// Rows of the level's table: R_0 R_1 .. (dense), or a power of two below that (hashed), 2..2^30.
  int64_t n_entries = 0;
  /// R_d = ceil(s_d) + 1 nodes along axis d, so that p_d = 1 has a node on either side; 1 beyond n_dims.
  std::array<int, kMaxDims> resolution() const;
  /// R_0 R_1 .. nodes of the lattice.
  int64_t n_nodes() const;
  bool is_dense() const { return n_entries == n_nodes(); }
  bool operator==(const GridLevel&) const = default;
};

/// Learned tables of features over the unit cube, blended multilinearly between the nodes around a sample: one table
/// ("PE + CE" of the paper's Tables 1, 2 and 4), or the levels of a multiresolution grid (Mueller et al. 2022, instant
/// neural graphics primitives). embedding.h has the equations.
///
/// The features of a sample are those of level 0 [n_channels], then of level 1, .., and follow gamma(p) in the row that
/// the first layer reads. The table in the parameter buffer is that of level 0, [n_entries, n_channels] row-major, then
/// of level 1, .. with no gaps. A dense level's entry is its node: i_0 + R_0 (i_1 + R_1 (..)).
struct EmbeddingSpec {
  /// Without `levels`: R_d nodes along axis d, 1..kMaxEmbeddingResolution, of the one table, at the centres of R_d
  /// equal cells of [0, 1]. 0 beyond n_dims, and everywhere if there is no embedding or it has `levels`.
  std::array<int, kMaxDims> resolution{};
  int n_channels = 0;        ///< features per node and level, 1..kMaxWidth; 0: no embedding
  double init_bound = 1e-4;  ///< the tables start as U(-init_bound, init_bound); finite, 0 or more
  /// 1..kMaxEmbeddingLevels levels, any order, usually coarse to fine; empty: the one table of `resolution`.
  std::vector<GridLevel> levels = {};
  int n_levels() const { return n_channels == 0 ? 0 : levels.empty() ? 1 : static_cast<int>(levels.size()); }
  /// Features per sample.
  int n_features() const { return n_levels() * n_channels; }
  /// Entries of a level's table.
  int64_t n_entries(int level) const;
  /// Entries of the levels before it.
  int64_t first_entry(int level) const;
  /// Entries of all tables; 0 if there is no embedding. At most kMaxEmbeddingSize / n_channels.
  int64_t n_nodes() const;
  /// Numbers in all tables.
  int64_t size() const { return n_nodes() * n_channels; }
  bool operator==(const EmbeddingSpec&) const = default;
};

/// What the first layer reads.
///
/// Encoding: gamma(p) = [low + (high - low) p_0 .. low + (high - low) p_{D-1} if include_coordinates,
///   then for d in 0..D-1, for k in 0..L-1: sin(2^k c p_d), cos(2^k c p_d)], width D + 2 D L (paper.md section 1.3),
///   then the features of the embedding, if there is one. With one, gamma(p) may be empty (no frequencies, no
///   coordinates): the grid is then the whole input.
struct InputSpec {
  InputKind kind = InputKind::Encoding;
  int n_frequencies = 0;                      ///< L, 0..24
  double frequency_scale = std::numbers::pi;  ///< c
  bool include_coordinates = true;
  int n_features = 0;            ///< Features only
  EmbeddingSpec embedding = {};  ///< Encoding only
  /// low and high: where the raw coordinates 0 and 1 go, finite, low < high, at most 2^30 in size. Sines, routing and
  /// embedding read p itself. SIREN works on [-1, 1].
  std::array<double, 2> coordinate_range = {0, 1};
  bool has_embedding() const { return embedding.n_channels > 0; }
  /// Numbers per sample; `encoding_width` leaves out the features of the embedding.
  int width(int n_dims) const { return encoding_width(n_dims) + embedding.n_features(); }
  int encoding_width(int n_dims) const;
  bool operator==(const InputSpec&) const = default;
};

/// LayerSpec::from: the layer before, or for the first layer the network's input.
inline constexpr int kPreviousLayer = -1;
/// LayerSpec::residual: nothing is added.
inline constexpr int kNoResidual = -1;

/// One linear layer, position-dependent if its tile has more than one expert:
///   y = phi(W(p) x + bias + r), W(p) = sum_j B_j(A p + b) W_j   (paper eqs. 2-5, 7, 8),
/// r the output of an earlier layer (a residual connection), 0 for most layers.
/// The bias is one vector, shared by all experts.
struct LayerSpec {
  std::string name;  ///< "levels.0", "head"
  int n_in = 0;
  int n_out = 0;
  Tile tile;
  Grid grid;
  Interpolation interpolation = Interpolation::Nearest;
  double node_offset = 0;  ///< Linear: experts sit at q = j + node_offset; 0 (paper) or 1/2 (cell centres)
  Activation activation;
  int from = kPreviousLayer;   ///< the layer whose output is read: an earlier one's index, or kPreviousLayer
  int n_features = 0;          ///< the last so many of the n_in inputs come from the caller, not from that layer
  int residual = kNoResidual;  ///< index of the earlier layer, as wide as this one, whose output is r
  bool has_bias = true;        ///< false: a projection beside layers that have one
  int n_experts() const { return tile.n_experts(); }
  int n_biases() const { return has_bias ? n_out : 0; }
  bool operator==(const LayerSpec&) const = default;
};

/// What the last layer's output y stands for: signal value = offset + scale * y, per channel. Not trained. Scale 1/2
/// and offset 1/2 let a network work in [-1, 1] on a signal in [0, 1].
struct OutputSpec {
  double scale = 1;  ///< not 0
  double offset = 0;
  bool operator==(const OutputSpec&) const = default;
};

/// A named block of the flat parameter buffer.
struct TensorInfo {
  std::string name;            ///< "levels.0.weight"
  std::vector<int64_t> shape;  ///< weight: [n_experts, n_out, n_in], or [n_out, n_in] for a plain layer; bias: [n_out]
  int64_t offset = 0;          ///< in floats from the start of the buffer
  int64_t size() const;
};

/// Layers over an input. Most networks are a chain: layer i reads the output of layer i - 1, and `output` maps the last
/// one's to the signal. LayerSpec::from makes it a tree (a radiance field's density and colour read the same features),
/// LayerSpec::residual adds an earlier layer's output to a later one's sums (a generator's residual blocks),
/// LayerSpec::n_features lets a layer read numbers of the caller beside the layer before it (the view's direction), and
/// `outputs` says which layers' outputs, one behind the other, are the network's.
///
/// Parameters live in ONE flat float buffer: for each layer its weight [n_experts, n_out, n_in] row-major, then its
/// bias [n_out], if it has one, with no gaps; last the embedding's tables, if there are any: "embedding.weight"
/// [R_{D-1},
/// .., R_0, n_channels] row-major (after the channels, x is the fastest), or of a grid "embedding.0.weight", .., each
/// so if it is dense, else [n_entries, n_channels].
struct NetworkSpec {
  int n_dims = 2;
  InputSpec input;
  std::vector<LayerSpec> layers;
  OutputSpec output;
  std::vector<int>
      outputs;  ///< indices of layers; empty: the last layer alone. A layer is read or among them, never both

  int n_in() const { return input.width(n_dims); }
  /// Numbers per sample that the network gives: the widths of its output layers together.
  int n_out() const;
  /// Indices of the layers that make the output, never empty.
  std::vector<int> output_layers() const;
  /// The layer that `layer` reads, -1: the network's input.
  int source_of(int layer) const;
  /// Numbers per sample that the caller supplies (BatchView::features): those of the input, then those of each layer.
  int n_features() const;
  /// Where the features of `layer` start among them.
  int feature_offset(int layer) const;
  /// Trainable numbers, the embedding's table included (conventions.md; asserted against the paper's tables).
  int64_t n_params() const;
  /// Multiply-accumulates per sample in linear layers: no encoding, no bias, no blending, neither of experts nor of the
  /// embedding's nodes. A Linear layer counts one product per blended expert.
  int64_t macs_per_sample() const;
  int64_t weight_offset(int layer) const;
  int64_t bias_offset(int layer) const;
  /// Where the embedding's tables start: behind the last layer.
  int64_t embedding_offset() const;
  std::vector<TensorInfo> tensors() const;
  /// Error(InvalidArgument) naming layer and field if widths do not chain, a limit is exceeded, a grid is not
  /// finite, names repeat, an embedding lacks an encoding to follow, a layer is neither read (or added) nor an output
  /// or both, or there is no layer.
  void validate() const;
  bool operator==(const NetworkSpec&) const = default;
};

/// Experts that one sample blends in this layer: 1 for Nearest, 2^(axes with tile size > 1) for Linear.
int n_blended(const LayerSpec& layer, int n_dims);

const char* to_string(Interpolation interpolation);
const char* to_string(ActivationKind kind);
const char* to_string(InputKind kind);
/// The reverse; Error(InvalidArgument) listing the choices.
Interpolation interpolation_from_string(const std::string& text);
ActivationKind activation_kind_from_string(const std::string& text);
InputKind input_kind_from_string(const std::string& text);

}  // namespace loe
