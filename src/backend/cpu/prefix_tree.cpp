#include "backend/cpu/prefix_tree.h"

#include <algorithm>
#include <numeric>

#include "backend/cpu/tile.h"

namespace loe::cpu {

bool PrefixTree::fits(const NetworkPlan& plan) {
  const auto is_link = [&](const LayerPlan& layer) {
    return layer.n_blended == 1 && layer.n_features == 0 && layer.residual < 0 &&
           layer.source == &layer - plan.layers.data() - 1;
  };
  return plan.spec.input.kind == InputKind::Constant && std::all_of(plan.layers.begin(), plan.layers.end(), is_link);
}

void PrefixTree::start(int n) {
  n_nodes_ = 1;
  nodes_.assign(n, 0);
}

void PrefixTree::descend(LevelGroups& groups) {
  groups_.clear();
  parents_.clear();
  if (groups.groups().size() == 1) {
    // Coarse levels and the head: every node has one child, no sample needs to be looked at.
    parents_.resize(n_nodes_);
    std::iota(parents_.begin(), parents_.end(), uint16_t{0});
    groups_.push_back({groups.groups().front().index, 0, n_nodes_});
    groups.merge(groups_, parents_);
    return;
  }
  latest_.assign(n_nodes_, -1);
  for (const Group& group : groups.groups()) {
    const int begin = static_cast<int>(parents_.size());
    const uint16_t* rows = groups.rows(group);
    for (int i = 0; i < group.end - group.begin; ++i) {
      uint16_t& node = nodes_[rows[i]];
      int& child = latest_[node];
      if (child < begin) {
        child = static_cast<int>(parents_.size());
        parents_.push_back(node);
      }
      node = static_cast<uint16_t>(child);
    }
    groups_.push_back({group.index, begin, static_cast<int>(parents_.size())});
  }
  n_nodes_ = static_cast<int>(parents_.size());
  groups.merge(groups_, parents_);
}

int64_t PrefixTree::n_bytes() const {
  return static_cast<int64_t>((nodes_.capacity() + parents_.capacity()) * sizeof(uint16_t) +
                              groups_.capacity() * sizeof(Group) + latest_.capacity() * sizeof(int));
}

const float* TileWorker::forward_tree(Tile& tile) {
  const NetworkSpec& spec = plan_->spec;
  const int n = tile.n;
  tree_.start(n);
  // From here on a level's rows are the nodes of the level: the functions that run a layer see a tile of that many.
  tile.n = tree_.n_nodes();
  encode(tile);
  for (int l = 0; l < static_cast<int>(spec.layers.size()); ++l) {
    tile.groups[l].build(spec.layers[l], spec.n_dims, 1, tile.coords, n, routing_);
    tree_.descend(tile.groups[l]);
    tile.n = tree_.n_nodes();
    forward_layer(tile, l);
  }
  tile.n = n;
  for (int i = 0; i < n; ++i) write_signal(i, tree_.node(i));
  return signal_.data();
}

}  // namespace loe::cpu
