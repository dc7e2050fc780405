#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <type_traits>

#include "loe/base/error.h"
#include "onednn_gemm.h"
#include "peer.h"
#include "peer/peer_network.h"
#include "row_kernels.h"
#include "row_plan.h"

namespace loe::peer {
namespace {

// A thread takes a chunk of samples through all layers, forward and backward, by itself: no thread ever waits for
// another inside a step. (One chunk at a time with the threads inside each GEMM meets at some thousand barriers a step,
// and fell to a tenth of the speed whenever another program ran.) Chunks are large enough to give each expert's GEMM
// some hundred rows.
constexpr int64_t kMaxChunk = 8192;
constexpr int64_t kMinChunk = 1024;

int64_t chunk_size(int64_t n_samples, int n_threads) {
  return std::clamp(n_samples / (4 * n_threads), kMinChunk, kMaxChunk);
}

struct Chunk {
  int64_t first = 0;
  int64_t n_samples = 0;
  std::vector<LayerOrder> orders;
};

/// What all threads read.
template <class T>
struct Batch {
  NetworkSpec spec;
  int64_t n_samples = 0;
  std::vector<float> targets;  ///< [B, n_out]
  std::vector<T> encoded;      ///< [B, n_in]
  std::vector<T> weights;      ///< copy of the parameters in the operand type
};

/// One thread's share of a step: a chunk through all layers and back.
template <class T>
class Worker {
 public:
  Worker(const Batch<T>& batch, const std::vector<Chunk>& chunks)
      : batch_(batch), gemms_(std::is_same_v<T, float> ? Operand::F32 : Operand::Bf16) {
    inputs_.resize(batch.spec.layers.size());
    for (const Chunk& chunk : chunks) {
      for (std::size_t l = 0; l < inputs_.size(); ++l) {
        const LayerSpec& layer = batch.spec.layers[l];
        const std::size_t n_rows = chunk.orders[l].n_rows();
        inputs_[l].resize(std::max(inputs_[l].size(), n_rows * layer.n_in));
        input_grads_.resize(std::max(input_grads_.size(), n_rows * layer.n_in));
        outputs_.resize(std::max(outputs_.size(), n_rows * layer.n_out));
      }
      predictions_.resize(
          std::max(predictions_.size(), std::size_t(chunk.orders.back().n_rows()) * batch.spec.n_out()));
    }
    output_grads_.resize(outputs_.size());
    param_grads_.resize(batch.spec.n_params());
  }

  void begin() {
    squared_error_ = 0;
    std::fill(param_grads_.begin(), param_grads_.end(), 0.0F);
  }
  void run(const Chunk& chunk, std::span<const float> params) {
    forward(chunk, params);
    compare_with_targets(chunk);
    backward(chunk);
  }
  double squared_error() const { return squared_error_; }
  const std::vector<float>& param_grads() const { return param_grads_; }
  const std::set<std::string>& kernels() const { return gemms_.kernels(); }

 private:
  const T* weights(int layer, int expert) const {
    const LayerSpec& spec = batch_.spec.layers[layer];
    return batch_.weights.data() + batch_.spec.weight_offset(layer) + int64_t{expert} * spec.n_in * spec.n_out;
  }
  void gather_inputs(const Chunk& chunk, int layer);
  void forward(const Chunk& chunk, std::span<const float> params);
  void compare_with_targets(const Chunk& chunk);
  void backward(const Chunk& chunk);
  void pass_down(const Chunk& chunk, int layer);

  const Batch<T>& batch_;
  GemmSet gemms_;
  std::vector<std::vector<T>> inputs_;  ///< of each layer, in its order [n_rows, n_in]
  std::vector<T> outputs_;              ///< of the current layer, in its order [n_rows, n_out]
  std::vector<float> predictions_;      ///< of the last layer [n_rows, n_out]
  std::vector<T> output_grads_;         ///< dL/dz of the current layer, in its order
  std::vector<T> input_grads_;          ///< dL/dx of the current layer, in its order
  std::vector<float> param_grads_;
  double squared_error_ = 0;
};

// From the order of the layer below straight into this layer's order: scatter and gather in one copy.
template <class T>
void Worker<T>::gather_inputs(const Chunk& chunk, int layer) {
  const LayerOrder& order = chunk.orders[layer];
  const int64_t n_in = batch_.spec.layers[layer].n_in;
  const T* source = layer == 0 ? &batch_.encoded[chunk.first * n_in] : outputs_.data();
  T* inputs = inputs_[layer].data();
  for (int64_t row = 0; row < order.n_rows(); ++row) {
    if (order.from_below[row] < 0) {
      std::fill_n(inputs + row * n_in, n_in, T{});
    } else {
      std::memcpy(inputs + row * n_in, source + order.from_below[row] * n_in, n_in * sizeof(T));
    }
  }
}

template <class T>
void Worker<T>::forward(const Chunk& chunk, std::span<const float> params) {
  const int n_layers = static_cast<int>(batch_.spec.layers.size());
  for (int l = 0; l < n_layers; ++l) {
    const LayerSpec& layer = batch_.spec.layers[l];
    gather_inputs(chunk, l);
    const bool is_last = l + 1 == n_layers;
    for (const Group& group : chunk.orders[l].groups) {
      void* y = is_last ? static_cast<void*>(predictions_.data() + group.first * layer.n_out)
                        : static_cast<void*>(outputs_.data() + group.first * layer.n_out);
      gemms_.forward(group.n_rows, layer.n_in, layer.n_out, slope_of(layer.activation), is_last,
                     inputs_[l].data() + group.first * layer.n_in, weights(l, group.expert),
                     params.data() + batch_.spec.bias_offset(l), y);
    }
  }
}

/// Adds the chunk's squared errors; dL/dy goes to output_grads_.
template <class T>
void Worker<T>::compare_with_targets(const Chunk& chunk) {
  const LayerOrder& order = chunk.orders.back();
  const int n_out = batch_.spec.n_out();
  const auto slope = static_cast<float>(batch_.spec.output.scale);
  const auto offset = static_cast<float>(batch_.spec.output.offset);
  const float scale = slope * 2.0F / (static_cast<float>(batch_.n_samples) * static_cast<float>(n_out));
  for (int64_t row = 0; row < order.n_rows(); ++row) {
    for (int c = 0; c < n_out; ++c) {
      float error = 0;
      if (order.sample_of[row] >= 0) {
        const float value = offset + slope * predictions_[row * n_out + c];
        error = value - batch_.targets[(chunk.first + order.sample_of[row]) * n_out + c];
      }
      squared_error_ += static_cast<double>(error) * static_cast<double>(error);
      store(scale * error, &output_grads_[row * n_out + c]);
    }
  }
}

/// dL/dx of `layer` times phi' of the layer below, in that layer's order. The layer's input is the output below, whose
/// sign says which side of the LeakyReLU it came from.
template <class T>
void Worker<T>::pass_down(const Chunk& chunk, int layer) {
  const LayerOrder& below = chunk.orders[layer - 1];
  const int64_t width = batch_.spec.layers[layer].n_in;
  const float slope = slope_of(batch_.spec.layers[layer - 1].activation);
  for (int64_t row = 0; row < below.n_rows(); ++row) {
    T* grads = &output_grads_[row * width];
    if (below.from_above[row] < 0) {
      std::fill_n(grads, width, T{});
    } else {
      const int64_t from = below.from_above[row] * width;
      leaky_relu_grad(&inputs_[layer][from], &input_grads_[from], width, slope, grads);
    }
  }
}

template <class T>
void Worker<T>::backward(const Chunk& chunk) {
  for (int l = static_cast<int>(batch_.spec.layers.size()) - 1; l >= 0; --l) {
    const LayerSpec& layer = batch_.spec.layers[l];
    const LayerOrder& order = chunk.orders[l];
    const int64_t n_weights = int64_t{layer.n_in} * layer.n_out;
    add_columns(output_grads_.data(), order.n_rows(), layer.n_out, &param_grads_[batch_.spec.bias_offset(l)]);
    for (const Group& group : order.groups) {
      const T* dz = output_grads_.data() + group.first * layer.n_out;
      gemms_.weight_grad(group.n_rows, layer.n_in, layer.n_out, dz, inputs_[l].data() + group.first * layer.n_in,
                         &param_grads_[batch_.spec.weight_offset(l) + group.expert * n_weights]);
      if (l > 0) {
        gemms_.input_grad(group.n_rows, layer.n_in, layer.n_out, dz, weights(l, group.expert),
                          input_grads_.data() + group.first * layer.n_in);
      }
    }
    if (l > 0) {
      pass_down(chunk, l);
    }
  }
}

template <class T>
class OneDnnPeer : public PeerStep {
 public:
  OneDnnPeer(const NetworkSpec& spec, int n_threads) : n_threads_(n_threads) { batch_.spec = spec; }

  std::string name() const override {
    std::string name = std::is_same_v<T, float> ? "oneDNN f32 GEMM per expert" : "oneDNN bf16 GEMM per expert";
    std::set<std::string> kernels;
    for (const auto& worker : workers_) kernels.insert(worker->kernels().begin(), worker->kernels().end());
    for (const std::string& kernel : kernels) name += (kernel == *kernels.begin() ? ", " : " + ") + kernel;
    return name;
  }

  void prepare(const SampleSource& source) override;
  double mse_gradients(std::span<const float> params, std::span<float> param_grads) override;
  double train_step(const AdamUpdate& update, ParamState& state) override;

 private:
  /// Calls run(first, count) for equal parts of [0, n), one per thread.
  template <class F>
  void for_parts(int64_t n, F run) const {
#pragma omp parallel for num_threads(n_threads_) schedule(static)
    for (int part = 0; part < n_threads_; ++part) {
      const int64_t first = n * part / n_threads_;
      run(first, n * (part + 1) / n_threads_ - first);
    }
  }

  int n_threads_;
  Batch<T> batch_;
  std::vector<Chunk> chunks_;
  std::vector<std::unique_ptr<Worker<T>>> workers_;
  std::vector<float> param_grads_;
};

template <class T>
void OneDnnPeer<T>::prepare(const SampleSource& source) {
  const NetworkSpec& spec = batch_.spec;
  const int64_t n = source.n_samples();
  std::vector<float> coords(n * spec.n_dims);
  batch_.n_samples = n;
  batch_.targets.resize(n * spec.n_out());
  batch_.encoded.resize(n * spec.n_in());
  batch_.weights.resize(spec.n_params());
  source.fill(0, n, coords.data(), batch_.targets.data());
  for_parts(n, [&](int64_t first, int64_t count) {
    for (int64_t i = first; i < first + count; ++i) {
      encode(spec, &coords[i * spec.n_dims], &batch_.encoded[i * spec.n_in()]);
    }
  });
  chunks_.clear();
  const int64_t size = chunk_size(n, n_threads_);
  for (int64_t first = 0; first < n; first += size) {
    const int64_t count = std::min(size, n - first);
    chunks_.push_back(
        {first, count, plan_rows(spec, std::span(coords).subspan(first * spec.n_dims, count * spec.n_dims))});
  }
  workers_.clear();
  for (int i = 0; i < n_threads_; ++i) {
    workers_.push_back(std::make_unique<Worker<T>>(batch_, chunks_));
  }
}

template <class T>
double OneDnnPeer<T>::mse_gradients(std::span<const float> params, std::span<float> param_grads) {
  for_parts(static_cast<int64_t>(params.size()), [&](int64_t first, int64_t count) {
    convert(params.data() + first, count, batch_.weights.data() + first);
  });
  const auto n_chunks = static_cast<int64_t>(chunks_.size());
#pragma omp parallel num_threads(n_threads_)
  {
    // Inside a parallel region oneDNN computes on the calling thread alone.
    Worker<T>& worker = *workers_[omp_get_thread_num()];
    worker.begin();
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < n_chunks; ++i) {
      worker.run(chunks_[i], params);
    }
  }
  for_parts(static_cast<int64_t>(params.size()), [&](int64_t first, int64_t count) {
    std::fill_n(param_grads.begin() + first, count, 0.0F);
    for (const auto& worker : workers_) {
      add_columns(worker->param_grads().data() + first, 1, count, param_grads.data() + first);
    }
  });
  double sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->squared_error();
  }
  return sum / (static_cast<double>(batch_.n_samples) * batch_.spec.n_out());
}

template <class T>
double OneDnnPeer<T>::train_step(const AdamUpdate& update, ParamState& state) {
  param_grads_.resize(state.params.size());
  const double loss = mse_gradients(state.params, param_grads_);
  const auto t = static_cast<double>(update.t);
  const AdamScalars scalars{static_cast<float>(update.beta1), static_cast<float>(update.beta2),
                            static_cast<float>(update.learning_rate / (1 - std::pow(update.beta1, t))),
                            static_cast<float>(1 / (1 - std::pow(update.beta2, t))),
                            static_cast<float>(update.epsilon)};
  for_parts(static_cast<int64_t>(state.params.size()), [&](int64_t first, int64_t count) {
    adam(scalars, count, &param_grads_[first], &state.params[first], &state.adam_m[first], &state.adam_v[first]);
  });
  return loss;
}

}  // namespace

bool onednn_has_bf16() {
  // A set's value has the bits of all that it contains.
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

std::unique_ptr<PeerStep> make_onednn_peer(const NetworkSpec& spec, Precision precision, int n_threads) {
  if (precision == Precision::Tf32 || !is_supported(spec, precision)) {
    return nullptr;
  }
  if (precision == Precision::Bf16 && !onednn_has_bf16()) return nullptr;
  if (precision == Precision::Bf16) {
    return std::make_unique<OneDnnPeer<Bf16>>(spec, n_threads);
  }
  return std::make_unique<OneDnnPeer<float>>(spec, n_threads);
}

}  // namespace loe::peer
