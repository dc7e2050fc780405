// Convolutional networks: what one is, as plain data, and who runs it. The discriminator of a GAN is one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/backend/network_spec.h"

namespace loe {

/// Limits that keep every index in range. Widths and layers share kMaxWidth and kMaxLayers.
inline constexpr int kMaxConvKernel = 16;
inline constexpr int kMaxConvStride = 16;
inline constexpr int kMaxPictureSide = 16384;
inline constexpr int64_t kMaxConvParams = int64_t{1} << 31;

/// Height and width of a picture or of a map of features, in pixels.
struct MapSize {
  int height = 0;
  int width = 0;
  int64_t n_pixels() const { return int64_t{height} * width; }
  bool operator==(const MapSize&) const = default;
};

/// One convolution (a cross-correlation, as everywhere in this field) with zero padding:
///   y[o, i, j] = phi(bias[o] + sum over c, r, s of weight[o, c, r, s] x[c, stride i + r - padding, stride j + s -
///   padding])
struct ConvLayerSpec {
  int n_in = 0;           ///< channels, 1..kMaxWidth
  int n_out = 0;          ///< channels, 1..kMaxWidth
  int kernel = 3;         ///< rows and columns, 1..kMaxConvKernel
  int stride = 1;         ///< 1..kMaxConvStride
  int padding = 0;        ///< rows and columns of zeros on every side, 0..kernel - 1
  Activation activation;  ///< Identity or LeakyRelu
  int64_t n_weights() const { return int64_t{n_out} * n_in * kernel * kernel; }
  /// floor((side + 2 padding - kernel) / stride) + 1 per side, 0 or less if the kernel does not fit.
  MapSize output_size(MapSize input) const;
  bool operator==(const ConvLayerSpec&) const = default;
};

/// A chain of convolutions over pictures of any size.
///
/// Parameters live in ONE flat float buffer: for each layer its weight [n_out, n_in, kernel, kernel] row-major, then
/// its bias [n_out], with no gaps.
struct ConvNetSpec {
  std::vector<ConvLayerSpec> layers;

  int n_in() const { return layers.front().n_in; }
  int n_out() const { return layers.back().n_out; }
  int64_t n_params() const;
  /// Multiply-accumulates for one picture, those with the padding's zeros included, no bias.
  int64_t macs(MapSize picture) const;
  int64_t weight_offset(int layer) const;
  int64_t bias_offset(int layer) const;
  /// "layers.0.weight", "layers.0.bias", ...
  std::vector<TensorInfo> tensors() const;
  /// The picture's size, then that of every layer's output. Error(InvalidArgument) if a side is not
  /// 1..kMaxPictureSide or a layer's kernel does not fit into what it gets.
  std::vector<MapSize> map_sizes(MapSize picture) const;
  MapSize output_size(MapSize picture) const { return map_sizes(picture).back(); }
  /// Error(InvalidArgument) naming layer and field: widths that do not chain, a limit exceeded, another activation than
  /// Identity and LeakyRelu, no layer.
  void validate() const;
  bool operator==(const ConvNetSpec&) const = default;
};

/// n pictures of one size; the numbers are not copied.
struct PictureBatch {
  int64_t n_pictures = 0;
  MapSize size;
  std::span<const float> pictures;  ///< [n, n_in, height, width]
};

/// A loss over pictures. loss() is called from several threads at once, on disjoint ranges, and must be a pure function
/// of its arguments.
class PictureObjective {
 public:
  virtual ~PictureObjective() = default;
  /// What pictures first .. first + count - 1 add to the loss, given their outputs [count, n_out, height, width] of the
  /// last layer; writes its gradient by them, same shape.
  virtual double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const = 0;
};

/// A convolutional network compiled for one backend and thread count. Holds its own packed copy of the parameters, and
/// prepares kernels for each size of picture when it first meets it.
///
/// A batch goes through the network in pieces, so that memory is bounded by the size of a picture, the number of
/// threads and the parameters, not by the batch. Pieces are cut by the batch and the network alone and added in order:
/// same inputs, same backend and instruction set: same bits, for any n_threads. Not thread-safe: one caller at a time.
class ConvExecutor {
 public:
  virtual ~ConvExecutor() = default;
  virtual const ConvNetSpec& spec() const = 0;
  virtual int n_threads() const = 0;
  /// What runs for pictures of this size.
  virtual std::vector<KernelInfo> kernels(MapSize picture) = 0;
  /// Bytes held by the executor now: parameters, packed parameters and work space.
  virtual int64_t memory_bytes() const = 0;

  /// Takes over new parameters (flat, n_params()).
  virtual void set_params(std::span<const float> params) = 0;

  /// outputs [n, n_out, height, width] of the last layer. Any n, 0 included.
  /// Error(InvalidArgument) naming the offending shape, here and below.
  virtual void forward(const PictureBatch& batch, std::span<float> outputs) = 0;

  /// The loss, summed over the batch in double; overwrites dL/dparams [n_params()] and dL/dpictures
  /// [n, n_in, height, width], each unless empty.
  virtual double gradients(const PictureBatch& batch, const PictureObjective& objective, std::span<float> param_grads,
                           std::span<float> picture_grads) = 0;
};

/// The executor of a device of find_backend(): "cuda" runs cuDNN in f32, "cpu" oneDNN in f32, "reference" plain loops
/// in double on one thread, "auto" what conv_device() says. n_threads = 0: all usable cores; cuDNN and the reference
/// use the caller's alone. Error(InvalidArgument) for an invalid spec, Error(Unsupported) for an unknown device, for
/// "cuda" with why_no_cuda_conv(), or for a oneDNN that this machine cannot use.
std::unique_ptr<ConvExecutor> compile_conv(const std::string& device, const ConvNetSpec& spec, int n_threads);

/// Where the convolutions of a task on `device` run, and why not there.
struct ConvDevice {
  std::string device;  ///< for compile_conv
  std::string reason;  ///< "" if it is the task's own device
};
/// "auto": "cuda" if it can run convolutions, else "cpu". "cuda": the same, where cuda_backend() can run at all. Any
/// other: itself.
ConvDevice conv_device(const std::string& device);

/// Plain loops with double accumulation: the oracle (src/backend/reference).
std::unique_ptr<ConvExecutor> compile_reference_conv(const ConvNetSpec& spec);
/// oneDNN's primitives on pieces of the batch, each piece on one thread (src/backend/onednn).
std::unique_ptr<ConvExecutor> compile_onednn_conv(const ConvNetSpec& spec, int n_threads);
/// cuDNN's deterministic algorithms on pieces of the batch (src/backend/cuda). Error(Unsupported) with
/// why_no_cuda_conv(); Error(OutOfMemory), there and in the calls, if the device has too little.
std::unique_ptr<ConvExecutor> compile_cuda_conv(const ConvNetSpec& spec);
/// Why compile_cuda_conv() cannot run: what why_no_cuda() says, or no cuDNN in this build or on this machine. "" if it
/// can. The first call looks for cuDNN.
const std::string& why_no_cuda_conv();

}  // namespace loe
