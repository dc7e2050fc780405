// What the bench commands run: the networks of the presets on lattices whose pixels are computed, not stored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/backend/product_chunks.h"
#include "loe/nn/network.h"

namespace loe::app {

/// A network and the lattice in the shape of a picture or a video that it is trained on.
struct Workload {
  std::string name;
  NetworkConfig network;
  int width = 0;
  int height = 0;
  int n_frames = 1;         ///< above 1: a video, coordinates (x, y, t)
  int64_t batch = 0;        ///< default batch; as many as there are pixels stands for every pixel each step
  bool is_product = false;  ///< batches are drawn as product chunks (data.sampling = "product_chunks")
};

/// "toy": preset toy (Table 5, Quad Tree), 9 x 64, 4 experts, 512 x 512, every pixel each step.
/// "pluto": preset pluto (Table 1, "Ours"), 512 384 256 x 5, 16 experts, 8192 x 8192, 65,536 random pixels.
/// "pluto-constant": pluto with the constant 1 as input (Table 1, "Constant Input").
/// "video": Table 2, "Ours": 5 x 256, 8 and then 64 experts, 512 x 512 x 300, 65,536 random pixels.
/// "narrow": 3 x 32 with 16 x 16 experts each, encoding of 10 frequencies, 4096 x 4096, product chunks of 16,384
/// pixels. "narrow-sine": the same of 3 x 16 sines. "siren", "siren-l": Table 2's networks of sines, 5 x 256 and 5 x
/// 1024, on the same.
std::vector<std::string> workload_names();
/// Error(InvalidArgument) listing the choices.
Workload find_workload(const std::string& name);

/// The same network with one expert in each layer.
NetworkConfig plain_twin(NetworkConfig network);
/// The same network with bilinear interpolation.
NetworkConfig bilinear_twin(NetworkConfig network);

/// The same network with LeakyReLU instead of its activation.
NetworkConfig leaky_relu_twin(NetworkConfig network);

/// Floating-point operations of a training step on `batch` samples: batch (6 MAC - 2 MAC_0), the forward pass and the
/// two products of the backward pass, less the input gradient of layer 0.
double flops_per_step(const NetworkSpec& spec, int64_t batch);

/// In which order the pixels of a batch come: along a Morton curve, frame by frame and row by row, or as drawn.
enum class SampleOrder { Morton, Raster, Random };
/// "morton", "raster" or "random".
SampleOrder sample_order_from_string(const std::string& name);

/// Pixels of the workload's lattice with computed targets in [0, 1]: all of them if there are `batch`, else `batch`
/// uniform random draws that change with the step, as ImageSampler and VideoSampler do it.
/// Of a workload with is_product: product chunks, drawn by the executor where it can; the lattice fills their box.
class LatticeSource : public SampleSource, public ProductSamples {
 public:
  LatticeSource(const Workload& workload, int64_t batch, SampleOrder order = SampleOrder::Morton);
  /// Draws and sorts the pixels of `step`; nothing to do if all are taken.
  void begin_step(int64_t step);
  int64_t n_samples() const override { return static_cast<int64_t>(keys_.size()); }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override;
  const ProductSamples* product() const override { return chunks_ ? this : nullptr; }

  const ProductChunks& chunks() const override { return *chunks_; }
  uint64_t seed() const override;
  int64_t step() const override { return step_; }
  float largest_value() const override { return 8; }  ///< see waves()
  void read(std::span<const PixelPlace> places, float* targets) const override;
  void note_inside(int64_t) const override {}  // counted when drawn

 private:
  void draw_chunks();
  void write_targets(const std::array<uint32_t, 3>& at, float* targets) const;
  uint64_t key_of(const std::array<uint32_t, 3>& pixel) const;
  std::array<uint32_t, 3> pixel_of(uint64_t key) const;
  void sort();

  std::array<int, 3> size_;
  int n_dims_;
  int n_channels_;
  SampleOrder order_;
  bool all_pixels_;
  std::optional<ProductChunks> chunks_;
  int64_t step_ = 0;
  std::vector<std::vector<float>> coords_;  ///< [axis] pixel centres
  std::vector<std::vector<float>> waves_;   ///< [axis] targets are products of one wave along each axis
  std::vector<uint64_t> keys_;              ///< Morton or raster keys, sorted if the order says so; a key is the pixel
  std::vector<uint64_t> scratch_;
};

}  // namespace loe::app
