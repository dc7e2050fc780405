// Routes of a batch that comes again: every pixel of a picture in every step has the same groups each time.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/cpu/level_groups.h"
#include "backend/cpu/plan.h"

namespace loe::cpu {

/// Remembers the groups of each tile of a batch with the coordinates they belong to. Which groups a tile gets is the
/// same with and without: a hit compares all its coordinates.
///
/// Routing and sorting 9 levels takes as long as a fifth of their products on tile registers. A batch that changes (its
/// first tile does) is not remembered until two batches in a row began alike. Tiles may be asked for by several
/// threads, each tile by one.
class RouteCache {
 public:
  explicit RouteCache(const NetworkPlan& plan) : plan_(&plan) {}

  /// Before the tiles of a batch of so many samples.
  void begin_batch(int64_t n_samples, int64_t n_tiles);
  /// Groups [n_layers] of tile `index`, or nullptr if this batch is not remembered. is_known: they are those of coords
  /// [n, n_dims]; otherwise the caller builds them there.
  LevelGroups* find(int64_t index, const float* coords, int n, bool& is_known);
  int64_t n_bytes() const;

 private:
  struct Entry {
    std::vector<float> coords;
    std::vector<LevelGroups> groups;
  };

  const NetworkPlan* plan_;
  bool is_on_ = false;
  bool began_alike_ = false;         ///< the last batch's tile 0 and the one's before
  std::vector<float> first_coords_;  ///< of the last tile 0
  std::vector<Entry> entries_;
};

}  // namespace loe::cpu
