// A ConvExecutor on the device.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/check.h"
#include "backend/conv_check.h"
#include "backend/cuda/conv_plan.h"
#include "backend/cuda/device/memory.h"
#include "backend/cuda/kernels/maps.h"
#include "loe/backend/conv_net.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Pieces of a batch go through the network one after the other; their gradients are added in order. The objective is
/// computed on the host, on the caller's thread.
///
/// Convolutions does the products, all in device memory, each in one order of sums that never changes:
///   Convolutions(const Stream&)
///   int64_t workspace_bytes(const ConvPlan&, bool has_backward)
///   void forward(const ConvShape&, const float* x, const float* w, float* y, Workspace)          y = w * x, no bias
///   void input_gradient(const ConvShape&, const float* w, const float* dy, float* dx, Workspace)
///   void weight_gradient(const ConvShape&, const float* x, const float* dy, bool adds, float* dw, Workspace)
///   std::vector<KernelInfo> kernels(const ConvPlan&)
struct Workspace {
  void* data = nullptr;
  std::size_t n_bytes = 0;
};

template <typename Convolutions>
class DeviceConvExecutor final : public ConvExecutor {
 public:
  /// Of a valid spec.
  explicit DeviceConvExecutor(const ConvNetSpec& spec, int64_t max_piece_floats = kMaxPieceFloats)
      : spec_(spec), max_piece_floats_(max_piece_floats), convolutions_(stream_.get()), values_(spec.layers.size()) {
    check_memory(2 * spec_.n_params() * static_cast<int64_t>(sizeof(float)));
    params_.resize(spec_.n_params());
    grads_.resize(spec_.n_params());
  }

  const ConvNetSpec& spec() const override { return spec_; }
  /// The caller's.
  int n_threads() const override { return 1; }
  int64_t memory_bytes() const override;
  std::vector<KernelInfo> kernels(MapSize picture) override;
  void set_params(std::span<const float> params) override;
  void forward(const PictureBatch& batch, std::span<float> outputs) override;
  double gradients(const PictureBatch& batch, const PictureObjective& objective, std::span<float> param_grads,
                   std::span<float> picture_grads) override;

 private:
  /// Plans that are kept; trainings need two.
  static constexpr std::size_t kMaxPlans = 16;
  const Stream& stream() const { return stream_.get(); }
  Workspace workspace() { return {workspace_.data(), static_cast<std::size_t>(workspace_.n_bytes())}; }
  const ConvPlan& plan(const std::vector<MapSize>& sizes, int64_t n_pictures);
  void reserve(const ConvPlan& plan, bool has_backward);
  /// body(plan, first) for the pieces of the batch.
  template <typename Body>
  void for_each_piece(const PictureBatch& batch, const std::vector<MapSize>& sizes, bool has_backward,
                      const Body& body);
  void run_forward(const ConvPlan& plan, const float* pictures);
  void run_backward(const ConvPlan& plan, bool adds, bool wants_params, float* picture_grads);

  ConvNetSpec spec_;
  int64_t max_piece_floats_;
  OwnStream stream_;
  Convolutions convolutions_;
  std::map<std::tuple<int64_t, int, int>, ConvPlan> plans_;
  DeviceArray<float> params_;
  DeviceArray<float> grads_;  ///< by the parameters, of the pieces so far
  DeviceArray<float> pictures_;
  std::vector<DeviceArray<float>> values_;  ///< outputs of every layer
  DeviceArray<float> map_grads_[2];         ///< by a layer's output and by its input, taking turns
  DeviceArray<unsigned char> workspace_;
};

template <typename C>
int64_t DeviceConvExecutor<C>::memory_bytes() const {
  int64_t n = params_.n_bytes() + grads_.n_bytes() + pictures_.n_bytes() + map_grads_[0].n_bytes() +
              map_grads_[1].n_bytes() + workspace_.n_bytes();
  for (const DeviceArray<float>& values : values_) n += values.n_bytes();
  return n;
}

template <typename C>
std::vector<KernelInfo> DeviceConvExecutor<C>::kernels(MapSize picture) {
  std::vector<KernelInfo> list = convolutions_.kernels(plan(spec_.map_sizes(picture), 1));
  const std::string reason = "the backend's only kernel for it";
  list.push_back({"convolution bias and activation f32", "cuda a thread per number", reason});
  list.push_back({"convolution bias gradient f32", "cuda a block per channel, f64 sums", reason});
  return list;
}

template <typename C>
void DeviceConvExecutor<C>::set_params(std::span<const float> params) {
  check_size("params", spec_.n_params(), "[n_params]", params.size());
  params_.upload(stream(), params.data(), spec_.n_params());
  finish(stream());
}

template <typename C>
const ConvPlan& DeviceConvExecutor<C>::plan(const std::vector<MapSize>& sizes, int64_t n_pictures) {
  const std::tuple key(n_pictures, sizes.front().height, sizes.front().width);
  auto found = plans_.find(key);
  if (found == plans_.end()) found = plans_.emplace(key, ConvPlan(spec_, sizes, n_pictures)).first;
  return found->second;
}

/// Buffers grow and never shrink. Nothing is allocated unless all of it has room.
template <typename C>
void DeviceConvExecutor<C>::reserve(const ConvPlan& plan, bool has_backward) {
  std::vector<std::pair<DeviceArray<float>*, int64_t>> arrays = {{&pictures_, plan.n_picture_floats()}};
  for (std::size_t i = 0; i < values_.size(); ++i) arrays.emplace_back(&values_[i], plan.layers[i].n_outputs());
  if (has_backward) {
    for (DeviceArray<float>& grads : map_grads_) arrays.emplace_back(&grads, plan.largest_map());
  }
  const int64_t n_workspace = convolutions_.workspace_bytes(plan, has_backward);
  int64_t n_bytes = std::max<int64_t>(0, n_workspace - workspace_.n_bytes());
  for (const auto& [array, size] : arrays) {
    n_bytes += std::max<int64_t>(0, size * static_cast<int64_t>(sizeof(float)) - array->n_bytes());
  }
  check_memory(n_bytes);
  for (const auto& [array, size] : arrays) {
    if (array->size() < size) array->resize(size);
  }
  if (workspace_.size() < n_workspace) workspace_.resize(n_workspace);
}

template <typename C>
template <typename Body>
void DeviceConvExecutor<C>::for_each_piece(const PictureBatch& batch, const std::vector<MapSize>& sizes,
                                           bool has_backward, const Body& body) {
  if (plans_.size() + 2 > kMaxPlans) plans_.clear();
  const int64_t size = pictures_per_piece(spec_, sizes, batch.n_pictures, max_piece_floats_);
  for (int64_t first = 0; first < batch.n_pictures; first += size) {
    const ConvPlan& piece = plan(sizes, std::min(size, batch.n_pictures - first));
    reserve(piece, has_backward);
    body(piece, first);
  }
}

/// Leaves the outputs of every layer in values_.
template <typename C>
void DeviceConvExecutor<C>::run_forward(const ConvPlan& plan, const float* pictures) {
  pictures_.upload(stream(), pictures, plan.n_picture_floats());
  const float* inputs = pictures_.data();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const ConvShape& layer = plan.layers[i];
    convolutions_.forward(layer, inputs, params_.data() + layer.weight_offset, values_[i].data(), workspace());
    launch_items(stream(), layer.n_outputs(), add_bias_to_maps, MapLayout{layer.n_out, layer.output.n_pixels()},
                 layer.slope, Buffer<const float>(params_.data() + layer.bias_offset, layer.n_out),
                 values_[i].buffer());
    inputs = values_[i].data();
  }
}

/// From the gradient of the outputs in map_grads_[0].
template <typename C>
void DeviceConvExecutor<C>::run_backward(const ConvPlan& plan, bool adds, bool wants_params, float* picture_grads) {
  DeviceArray<float>* grads = &map_grads_[0];
  DeviceArray<float>* input_grads = &map_grads_[1];
  for (int i = static_cast<int>(values_.size()) - 1; i >= 0; --i) {
    const ConvShape& layer = plan.layers[static_cast<std::size_t>(i)];
    const float* const inputs = i == 0 ? pictures_.data() : values_[static_cast<std::size_t>(i - 1)].data();
    if (layer.is_leaky) {
      launch_items(stream(), layer.n_outputs(), mask_maps, layer.slope,
                   values_[static_cast<std::size_t>(i)].const_buffer(), grads->buffer());
    }
    if (wants_params) {
      launch(stream(), layer.n_out, kErrorThreads, add_bias_gradients, layer.n,
             MapLayout{layer.n_out, layer.output.n_pixels()}, adds, grads->const_buffer(),
             Buffer<float>(grads_.data() + layer.bias_offset, layer.n_out));
      convolutions_.weight_gradient(layer, inputs, grads->data(), adds, grads_.data() + layer.weight_offset,
                                    workspace());
    }
    if (i == 0 && picture_grads == nullptr) return;
    convolutions_.input_gradient(layer, params_.data() + layer.weight_offset, grads->data(), input_grads->data(),
                                 workspace());
    std::swap(grads, input_grads);
  }
  grads->download(stream(), picture_grads, plan.n_picture_floats());
}

template <typename C>
void DeviceConvExecutor<C>::forward(const PictureBatch& batch, std::span<float> outputs) {
  const std::vector<MapSize> sizes = check_conv_forward(spec_, batch, outputs);
  const int64_t n_in = spec_.n_in() * sizes.front().n_pixels();
  const int64_t n_out = spec_.n_out() * sizes.back().n_pixels();
  for_each_piece(batch, sizes, false, [&](const ConvPlan& piece, int64_t first) {
    run_forward(piece, batch.pictures.data() + first * n_in);
    values_.back().download(stream(), outputs.data() + first * n_out, piece.n_output_floats());
    finish(stream());
  });
}

template <typename C>
double DeviceConvExecutor<C>::gradients(const PictureBatch& batch, const PictureObjective& objective,
                                        std::span<float> param_grads, std::span<float> picture_grads) {
  const std::vector<MapSize> sizes = check_conv_gradients(spec_, batch, param_grads, picture_grads);
  const int64_t n_in = spec_.n_in() * sizes.front().n_pixels();
  const bool wants_params = !param_grads.empty();
  if (wants_params) grads_.clear(stream());
  std::vector<float> outputs;
  std::vector<float> output_grads;
  double loss = 0;
  for_each_piece(batch, sizes, true, [&](const ConvPlan& piece, int64_t first) {
    run_forward(piece, batch.pictures.data() + first * n_in);
    outputs.resize(static_cast<std::size_t>(piece.n_output_floats()));
    output_grads.assign(outputs.size(), 0.0F);
    values_.back().download(stream(), outputs.data(), piece.n_output_floats());
    finish(stream());
    loss += objective.loss(first, piece.n_pictures, outputs.data(), output_grads.data());
    if (!wants_params && picture_grads.empty()) return;
    map_grads_[0].upload(stream(), output_grads.data(), piece.n_output_floats());
    run_backward(piece, first > 0, wants_params, picture_grads.empty() ? nullptr : picture_grads.data() + first * n_in);
    finish(stream());
  });
  if (wants_params) grads_.download(stream(), param_grads.data(), spec_.n_params());
  finish(stream());
  return loss;
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
