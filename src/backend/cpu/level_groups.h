// The routing of one tile in one layer: its rows sorted by the expert they use.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/backend/network_spec.h"

namespace loe::cpu {

/// Rows [begin, end) of LevelGroups::rows share one expert (Nearest) or one dual cell (Linear).
struct Group {
  int index = 0;
  int begin = 0;
  int end = 0;
};

/// A counting sort of the tile's samples, stable, so that the order of rows depends on the samples alone.
class LevelGroups {
 public:
  /// Routes coords [n, n_dims]. scratch is reused between calls.
  void build(const LayerSpec& layer, int n_dims, int n_blended, const float* coords, int n, std::vector<int>& scratch);

  /// Replaces samples by distinct rows (PrefixTree): groups[i] = {expert, begin, end} now own the output rows
  /// begin .. end - 1, and output row r is computed from input row sources[r]. Takes the contents of both vectors and
  /// leaves the old ones in them.
  void merge(std::vector<Group>& groups, std::vector<uint16_t>& sources);
  /// True after merge, until the next build: rows() are input rows, output rows are numbered by their place.
  bool is_merged() const { return is_merged_; }

  const std::vector<Group>& groups() const { return groups_; }
  const uint16_t* rows(const Group& group) const { return rows_.data() + group.begin; }
  /// Linear: coefficients [n_blended] of a row, in the order of blend_experts.
  const float* coefficients(int row) const { return coefficients_.data() + int64_t{row} * n_blended_; }
  /// The group of expert (or dual cell) `index`, or nullptr if no sample of the tile is in it.
  const Group* find(int index) const;
  int64_t n_bytes() const;

 private:
  int n_blended_ = 1;
  bool is_merged_ = false;
  std::vector<Group> groups_;
  std::vector<uint16_t> rows_;
  std::vector<float> coefficients_;
};

}  // namespace loe::cpu
