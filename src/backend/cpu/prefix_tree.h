// A network with a constant input is a tree: what a sample computes depends on its path of experts alone.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cpu/level_groups.h"
#include "backend/cpu/plan.h"

namespace loe::cpu {

/// The distinct paths of experts that the samples of one tile take, level by level.
///
/// A node of level l is a path (e_0, ..., e_l); samples of the same node have the same activations, so each node is
/// computed once and the samples look their node up at the end. On a coarse-to-fine layout neighbours share all but
/// the last levels; where every sample has a path of its own the same rows are computed as without the tree, and what
/// it costs is bookkeeping, a few ns per sample and level. Nodes are numbered by expert and then by their first sample:
/// a function of the tile's samples alone.
class PrefixTree {
 public:
  /// Constant input, a chain of layers without features or residuals, and one expert per sample in every layer: nothing
  /// but the path distinguishes two samples.
  static bool fits(const NetworkPlan& plan);

  /// n samples at the root, whose single row is the input.
  void start(int n);
  /// One level down: `groups` of samples become groups of nodes that read the rows of the level above.
  void descend(LevelGroups& groups);
  /// Nodes of the level reached, 1 at the root.
  int n_nodes() const { return n_nodes_; }
  /// The node of a sample.
  int node(int sample) const { return nodes_[sample]; }
  int64_t n_bytes() const;

 private:
  int n_nodes_ = 0;
  std::vector<uint16_t> nodes_;    ///< [n] of the samples
  std::vector<uint16_t> parents_;  ///< [n_nodes] of the level below, while it is built
  std::vector<Group> groups_;
  std::vector<int> latest_;  ///< [nodes of the level above]: its latest child; older than the group: none in it yet
};

}  // namespace loe::cpu
