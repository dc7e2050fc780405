// Convolutional networks on oneDNN: pieces of the batch in parallel, each on one thread.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "backend/check.h"
#include "backend/conv_check.h"
#include "backend/onednn/one_thread.h"
#include "backend/onednn/workspace.h"
#include "loe/base/error.h"
#include "loe/base/thread_pool.h"

namespace loe::onednn {
namespace {

/// Plans that are kept. Trainings need four (two sizes of pieces, forward and both ways).
constexpr size_t kMaxPlans = 16;
/// Pieces per thread between two additions of their gradients: more even out what threads take, fewer save memory.
constexpr int64_t kPiecesPerThread = 2;
/// Floats that one thread adds.
constexpr int64_t kAddChunk = 16384;

/// Runs body, with oneDNN's exceptions as the project's.
template <class Body>
auto with_errors(const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    const bool is_memory = error.status == dnnl_out_of_memory;
    throw Error(is_memory ? ErrorKind::OutOfMemory : ErrorKind::Unsupported,
                fmt::format("[onednn] convolution: expected it to run, but oneDNN says \"{}\"; {}", error.what(),
                            is_memory ? "use smaller pictures" : "use --device reference"));
  }
}

class OneDnnConvExecutor final : public ConvExecutor {
 public:
  OneDnnConvExecutor(const ConvNetSpec& spec, int n_threads)
      : spec_(spec), pool_(n_threads), engine_(dnnl::engine::kind::cpu, 0), weights_(spec_, engine_) {
    for (int i = 0; i < pool_.n_threads(); ++i) {
      workspaces_.emplace_back(spec_, engine_);
    }
  }

  const ConvNetSpec& spec() const override { return spec_; }
  int n_threads() const override { return pool_.n_threads(); }
  std::vector<KernelInfo> kernels(MapSize picture) override;
  int64_t memory_bytes() const override;

  void set_params(std::span<const float> params) override {
    check_size("params", spec_.n_params(), "[n_params]", params.size());
    weights_.set(params);
  }

  void forward(const PictureBatch& batch, std::span<float> outputs) override {
    const std::vector<MapSize> sizes = check_conv_forward(spec_, batch, outputs);
    with_errors([&] { run_forward(batch, sizes, outputs); });
  }

  double gradients(const PictureBatch& batch, const PictureObjective& objective, std::span<float> param_grads,
                   std::span<float> picture_grads) override {
    const std::vector<MapSize> sizes = check_conv_gradients(spec_, batch, param_grads, picture_grads);
    return with_errors([&] { return run_gradients(batch, sizes, objective, param_grads, picture_grads); });
  }

 private:
  /// The pieces of a batch: all of the same size, but the last, which may be smaller.
  struct Pieces {
    int64_t n_pictures = 0;
    int64_t size = 1;
    const ConvPlan* plan = nullptr;
    const ConvPlan* last_plan = nullptr;
    int64_t count() const { return (n_pictures + size - 1) / size; }
    int64_t first(int64_t piece) const { return piece * size; }
    const ConvPlan& plan_of(int64_t piece) const { return piece + 1 == count() ? *last_plan : *plan; }
  };

  Pieces cut(const PictureBatch& batch, const std::vector<MapSize>& sizes, bool has_backward);
  const ConvPlan& plan(const std::vector<MapSize>& sizes, int64_t n_pictures, bool has_backward);
  void run_forward(const PictureBatch& batch, const std::vector<MapSize>& sizes, std::span<float> outputs);
  double run_gradients(const PictureBatch& batch, const std::vector<MapSize>& sizes, const PictureObjective& objective,
                       std::span<float> param_grads, std::span<float> picture_grads);
  double run_piece(const PictureBatch& batch, const Pieces& pieces, int64_t piece, Workspace& work,
                   const PictureObjective& objective, const GradientLayout& layout, float* sums, float* picture_grads);
  void add_partials(int64_t n_partials, int64_t size);
  void write_gradients(const GradientLayout& layout, std::span<float> param_grads);

  const ConvNetSpec spec_;
  ThreadPool pool_;
  dnnl::engine engine_;
  PackedWeights weights_;
  std::vector<Workspace> workspaces_;  ///< of each thread
  std::map<std::tuple<int64_t, int, int, bool>, ConvPlan> plans_;
  AlignedBuffer<float> sums_;                   ///< gradients of the pieces so far, in a GradientLayout
  std::vector<AlignedBuffer<float>> partials_;  ///< of single pieces
};

const ConvPlan& OneDnnConvExecutor::plan(const std::vector<MapSize>& sizes, int64_t n_pictures, bool has_backward) {
  const std::tuple key(n_pictures, sizes.front().height, sizes.front().width, has_backward);
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    found = plans_.emplace(key, ConvPlan(spec_, sizes, n_pictures, has_backward, engine_)).first;
  }
  weights_.prepare(found->second);
  return found->second;
}

OneDnnConvExecutor::Pieces OneDnnConvExecutor::cut(const PictureBatch& batch, const std::vector<MapSize>& sizes,
                                                   bool has_backward) {
  if (plans_.size() + 2 > kMaxPlans) {
    plans_.clear();
  }
  Pieces pieces;
  pieces.n_pictures = batch.n_pictures;
  pieces.size = pictures_per_piece(spec_, sizes, batch.n_pictures);
  pieces.plan = &plan(sizes, pieces.size, has_backward);
  const int64_t n_last = batch.n_pictures - (pieces.count() - 1) * pieces.size;
  pieces.last_plan = pieces.count() == 0 ? pieces.plan : &plan(sizes, n_last, has_backward);
  return pieces;
}

void OneDnnConvExecutor::run_forward(const PictureBatch& batch, const std::vector<MapSize>& sizes,
                                     std::span<float> outputs) {
  const OneThread one;
  const Pieces pieces = cut(batch, sizes, false);
  const int64_t n_in = spec_.n_in() * sizes.front().n_pixels();
  const int64_t n_out = spec_.n_out() * sizes.back().n_pixels();
  pool_.parallel_for(pieces.count(), [&](int64_t piece, int worker) {
    const OneThread one_here;
    const int64_t first = pieces.first(piece);
    workspaces_[worker].forward(pieces.plan_of(piece), weights_, batch.pictures.data() + first * n_in,
                                outputs.data() + first * n_out);
  });
}

double OneDnnConvExecutor::run_piece(const PictureBatch& batch, const Pieces& pieces, int64_t piece, Workspace& work,
                                     const PictureObjective& objective, const GradientLayout& layout, float* sums,
                                     float* picture_grads) {
  const OneThread one;
  const ConvPlan& plan = pieces.plan_of(piece);
  const int64_t first = pieces.first(piece);
  const int64_t n_in = spec_.n_in() * plan.sizes.front().n_pixels();
  const float* pictures = batch.pictures.data() + first * n_in;
  work.outputs.resize(plan.n_pictures * spec_.n_out() * plan.sizes.back().n_pixels());
  work.output_grads.assign(work.outputs.size(), 0.0F);
  work.forward(plan, weights_, pictures, work.outputs.data());
  const double loss = objective.loss(first, plan.n_pictures, work.outputs.data(), work.output_grads.data());
  if (sums != nullptr || picture_grads != nullptr) {
    work.backward(plan, weights_, pictures, work.output_grads.data(), layout, sums,
                  picture_grads == nullptr ? nullptr : picture_grads + first * n_in);
  }
  return loss;
}

double OneDnnConvExecutor::run_gradients(const PictureBatch& batch, const std::vector<MapSize>& sizes,
                                         const PictureObjective& objective, std::span<float> param_grads,
                                         std::span<float> picture_grads) {
  const OneThread one;
  const Pieces pieces = cut(batch, sizes, true);
  const bool wants_params = !param_grads.empty();
  const GradientLayout layout(spec_, *pieces.plan);
  if (wants_params) {
    sums_.resize(layout.size);
    std::fill(sums_.data(), sums_.data() + layout.size, 0.0F);
  }
  // How many pieces run before their gradients are added depends on the threads; the order of the additions does not.
  const int64_t per_round = std::min(pieces.count(), kPiecesPerThread * pool_.n_threads());
  if (wants_params && static_cast<int64_t>(partials_.size()) < per_round) {
    partials_.resize(per_round);
  }
  std::vector<double> losses(pieces.count());
  for (int64_t first = 0; first < pieces.count(); first += per_round) {
    const int64_t count = std::min(per_round, pieces.count() - first);
    pool_.parallel_for(count, [&](int64_t i, int worker) {
      if (wants_params) {
        partials_[i].resize(layout.size);
      }
      losses[first + i] = run_piece(batch, pieces, first + i, workspaces_[worker], objective, layout,
                                    wants_params ? partials_[i].data() : nullptr,
                                    picture_grads.empty() ? nullptr : picture_grads.data());
    });
    if (wants_params) {
      add_partials(count, layout.size);
    }
  }
  if (wants_params) {
    write_gradients(layout, param_grads);
  }
  double loss = 0;
  for (const double share : losses) {
    loss += share;
  }
  return loss;
}

void OneDnnConvExecutor::add_partials(int64_t n_partials, int64_t size) {
  pool_.parallel_for((size + kAddChunk - 1) / kAddChunk, [&](int64_t chunk, int) {
    const int64_t begin = chunk * kAddChunk;
    const int64_t end = std::min(size, begin + kAddChunk);
    for (int64_t k = 0; k < n_partials; ++k) {
      const float* partial = partials_[k].data();
      for (int64_t i = begin; i < end; ++i) {
        sums_[i] += partial[i];
      }
    }
  });
}

void OneDnnConvExecutor::write_gradients(const GradientLayout& layout, std::span<float> param_grads) {
  dnnl::stream stream(engine_);
  for (int i = 0; i < static_cast<int>(spec_.layers.size()); ++i) {
    dnnl::memory from(layout.weights[i], engine_, sums_.data() + layout.weight_offset[i]);
    dnnl::memory to(plain_weights(spec_.layers[i]), engine_, param_grads.data() + spec_.weight_offset(i));
    dnnl::reorder(from, to).execute(stream, from, to);
    const float* bias = sums_.data() + layout.bias_offset[i];
    std::copy(bias, bias + spec_.layers[i].n_out, param_grads.data() + spec_.bias_offset(i));
  }
  stream.wait();
}

std::vector<KernelInfo> OneDnnConvExecutor::kernels(MapSize picture) {
  const std::vector<MapSize> sizes = spec_.map_sizes(picture);
  return with_errors([&] {
    const OneThread one;
    const int64_t n = pictures_per_piece(spec_, sizes, int64_t{1} << 20);
    const ConvPlan& both = plan(sizes, n, true);
    const std::string reason = fmt::format("oneDNN's choice for {} x {} pictures, {} at a time on one thread",
                                           picture.width, picture.height, n);
    std::vector<KernelInfo> kernels;
    for (size_t i = 0; i < both.layers.size(); ++i) {
      const ConvPlan::Layer& layer = both.layers[i];
      kernels.push_back({fmt::format("convolution {} forward f32", i), "onednn " + layer.forward.name, reason});
      kernels.push_back({fmt::format("convolution {} inputs f32", i), "onednn " + layer.input_grads.name, reason});
      kernels.push_back({fmt::format("convolution {} weights f32", i), "onednn " + layer.weight_grads.name, reason});
    }
    return kernels;
  });
}

int64_t OneDnnConvExecutor::memory_bytes() const {
  int64_t n = weights_.n_bytes() + sums_.n_bytes();
  for (const Workspace& work : workspaces_) {
    n += work.n_bytes();
  }
  for (const AlignedBuffer<float>& partial : partials_) {
    n += partial.n_bytes();
  }
  return n;
}

}  // namespace
}  // namespace loe::onednn

namespace loe {

std::unique_ptr<ConvExecutor> compile_onednn_conv(const ConvNetSpec& spec, int n_threads) {
  spec.validate();
  onednn::check_runtime();
  return onednn::with_errors(
      [&]() -> std::unique_ptr<ConvExecutor> { return std::make_unique<onednn::OneDnnConvExecutor>(spec, n_threads); });
}

}  // namespace loe
