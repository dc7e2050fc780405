#include "row_plan.h"

#include "loe/backend/routing.h"

namespace loe::peer {
namespace {

int64_t round_up(int64_t n) {
  return (n + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
}

LayerOrder order_by_expert(const LayerSpec& layer, int n_dims, std::span<const float> coords) {
  const auto n_samples = static_cast<int64_t>(coords.size()) / n_dims;
  std::vector<int> expert(n_samples);
  route(layer, n_dims, coords, expert);
  std::vector<int64_t> n_of(layer.n_experts(), 0);
  for (int e : expert) {
    ++n_of[e];
  }
  LayerOrder order;
  std::vector<int64_t> next(layer.n_experts(), 0);
  int64_t n_rows = 0;
  for (int e = 0; e < layer.n_experts(); ++e) {
    next[e] = n_rows;
    if (n_of[e] > 0) {
      order.groups.push_back({e, n_rows, round_up(n_of[e])});
      n_rows += round_up(n_of[e]);
    }
  }
  order.sample_of.assign(n_rows, -1);
  order.position_of.resize(n_samples);
  for (int64_t i = 0; i < n_samples; ++i) {
    const int64_t position = next[expert[i]]++;
    order.sample_of[position] = static_cast<int32_t>(i);
    order.position_of[i] = static_cast<int32_t>(position);
  }
  return order;
}

std::vector<int32_t> positions_in(const LayerOrder& order, const LayerOrder& other) {
  std::vector<int32_t> positions(order.sample_of.size(), -1);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (order.sample_of[i] >= 0) {
      positions[i] = other.position_of[order.sample_of[i]];
    }
  }
  return positions;
}

}  // namespace

std::vector<LayerOrder> plan_rows(const NetworkSpec& spec, std::span<const float> coords) {
  std::vector<LayerOrder> orders;
  for (const LayerSpec& layer : spec.layers) {
    orders.push_back(order_by_expert(layer, spec.n_dims, coords));
  }
  for (std::size_t l = 0; l < orders.size(); ++l) {
    orders[l].from_below = l == 0 ? orders[l].sample_of : positions_in(orders[l], orders[l - 1]);
    if (l + 1 < orders.size()) {
      orders[l].from_above = positions_in(orders[l], orders[l + 1]);
    }
  }
  return orders;
}

}  // namespace loe::peer
