// Room for the batch of the next step beside that of this one.
#pragma once

#include <utility>
#include <vector>

#include "backend/cuda/network_memory.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// All of NetworkMemory that is of a batch and not of its way through the network: samples, routes, encoded inputs.
/// swap() puts this in its place, so that what launches kernels on a NetworkMemory need not know of two.
template <typename F, typename B>
class SecondBatch {
 public:
  using Memory = NetworkMemory<F, B>;

  /// Device memory that it takes beside `memory`, made for training.
  static int64_t planned_bytes(const Memory& memory) {
    int64_t n = memory.coords.n_bytes() + memory.targets.n_bytes() + memory.experts.n_bytes() +
                memory.starts.n_bytes() + memory.input.n_bytes();
    for (const RouteMemory& route : memory.routes) n += route.n_bytes() - route.cells.n_bytes();
    return n;
  }
  int64_t n_bytes() const {
    int64_t n = coords_.n_bytes() + targets_.n_bytes() + experts_.n_bytes() + starts_.n_bytes() + input_.n_bytes();
    for (const RouteMemory& route : routes_) n += route.n_bytes();
    return n;
  }

  bool is_empty() const { return routes_.empty(); }
  /// As large as memory's. What was launched before must be done.
  void make(const NetworkPlan& plan, const Memory& memory) {
    coords_.resize(memory.coords.size());
    targets_.resize(memory.targets.size());
    experts_.resize(memory.experts.size());
    starts_.resize(memory.starts.size());
    input_.resize(memory.n_rows, plan.input_stride);
    routes_.resize(memory.routes.size());
    for (std::size_t r = 0; r < routes_.size(); ++r) {
      routes_[r].order.resize(memory.routes[r].order.size());
      routes_[r].offsets.resize(memory.routes[r].offsets.size());
      routes_[r].tile_offsets.resize(memory.routes[r].tile_offsets.size());
      routes_[r].coefficients.resize(memory.routes[r].coefficients.size());
    }
  }
  /// After all that was launched is done; also needed once memory's sizes have changed.
  void release() { *this = SecondBatch(); }

  void swap(Memory& memory) {
    std::swap(coords_, memory.coords);
    std::swap(targets_, memory.targets);
    std::swap(experts_, memory.experts);
    std::swap(starts_, memory.starts);
    std::swap(input_, memory.input);
    for (std::size_t r = 0; r < routes_.size(); ++r) {
      std::swap(routes_[r].order, memory.routes[r].order);
      std::swap(routes_[r].offsets, memory.routes[r].offsets);
      std::swap(routes_[r].tile_offsets, memory.routes[r].tile_offsets);
      std::swap(routes_[r].coefficients, memory.routes[r].coefficients);
    }
  }

 private:
  DeviceArray<float> coords_;
  DeviceArray<float> targets_;
  DeviceArray<int> experts_;
  DeviceArray<int> starts_;
  Rows<F, B> input_;
  std::vector<RouteMemory> routes_;
};

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
