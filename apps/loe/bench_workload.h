// What the bench commands run: the networks of the presets on lattices whose pixels are computed, not stored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/nn/network.h"

namespace loe::app {

/// A network and the picture-shaped lattice it is trained on.
struct Workload {
  std::string name;
  NetworkConfig network;
  int width = 0;
  int height = 0;
  int64_t batch = 0;  ///< default batch; width * height stands for every pixel each step
};

/// "toy": preset toy (Table 5, Quad Tree), 9 x 64, 4 experts, 512 x 512, every pixel each step.
/// "pluto": preset pluto (Table 1, "Ours"), 512 384 256 x 5, 16 experts, 8192 x 8192, 65,536 random pixels.
/// "pluto-constant": pluto with the constant 1 as input (Table 1, "Constant Input").
std::vector<std::string> workload_names();
/// Error(InvalidArgument) listing the choices.
Workload find_workload(const std::string& name);

/// The same network with one expert in each layer.
NetworkConfig plain_twin(NetworkConfig network);
/// The same network with bilinear interpolation.
NetworkConfig bilinear_twin(NetworkConfig network);

/// Floating-point operations of a training step on `batch` samples: batch (6 MAC - 2 MAC_0), the forward pass and the
/// two products of the backward pass, less the input gradient of layer 0.
double flops_per_step(const NetworkSpec& spec, int64_t batch);

/// Pixels of a width x height lattice with computed targets in [0, 1], in Morton order: all of them if batch is
/// width * height, else `batch` uniform random draws that change with the step, as ImageSampler does it.
class LatticeSource : public SampleSource {
 public:
  LatticeSource(int width, int height, int n_channels, int64_t batch);
  /// Draws and sorts the pixels of `step`; nothing to do if all are taken.
  void begin_step(int64_t step);
  int64_t n_samples() const override { return static_cast<int64_t>(keys_.size()); }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override;

 private:
  bool all_pixels_;
  int n_channels_;
  std::vector<float> x_coords_;  ///< pixel centres
  std::vector<float> y_coords_;
  std::vector<float> x_waves_;  ///< targets are products of one wave along each axis
  std::vector<float> y_waves_;
  std::vector<uint32_t> keys_;  ///< Morton keys, sorted; a key is the pixel
  std::vector<uint32_t> scratch_;
};

}  // namespace loe::app
