// An Executor on the device.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "backend/check.h"
#include "backend/cuda/device_rays.h"
#include "backend/cuda/drawn_batches.h"
#include "loe/backend/backend.h"
#include "loe/base/error.h"
#include "loe/base/thread_pool.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// A batch is cut into pieces of NetworkPlan::piece_rows samples; gradients of pieces are added in order. A training
/// step of one piece, the usual case, is recorded once and replayed, in two parts: the loss is read between them, so
/// that train_step returns while the gradients are still to come, and the host is a step ahead of the device.
template <typename ForwardMath, typename BackwardMath>
class NetworkExecutor final : public Executor {
 public:
  NetworkExecutor(NetworkPlan plan, const ExecutorOptions& options, std::string math_name)
      : plan_(std::move(plan)),
        max_group_(options.max_group),
        math_name_(std::move(math_name)),
        pool_(options.n_threads),
        memory_(plan_, stream_.get()),
        pass_(plan_, memory_, stream_.get()),
        batches_(plan_, memory_, pass_) {}

  /// Recorded launches may still run, on memory that is about to go.
  ~NetworkExecutor() override {
    try {
      finish(stream());
    } catch (const Error&) {  // a device that is gone
    }
  }

  const NetworkSpec& spec() const override { return plan_.spec; }
  int n_threads() const override { return pool_.n_threads(); }
  int64_t memory_bytes() const override { return memory_.n_bytes() + batches_.n_bytes() + rays_.n_bytes(); }
  std::vector<KernelInfo> kernels() const override;

  void set_params(std::span<const float> params) override;
  void forward(const BatchView& batch, std::span<float> outputs) override;
  void backward(const BatchView& batch, std::span<const float> output_grads, std::span<float> param_grads,
                std::span<float> feature_grads) override;
  double mse_gradients(const SampleSource& source, std::span<float> param_grads) override;
  double objective_gradients(const Objective& objective, std::span<float> param_grads) override;
  double train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) override;
  double train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) override;
  void download(ParamSlice state) override;

 private:
  /// Samples that one task of the pool fills in.
  static constexpr int64_t kFillRows = 4096;
  const Stream& stream() const { return stream_.get(); }
  /// body(first, count) for the pieces of n samples, at least once; cut between groups if there are any.
  template <typename Body>
  void for_each_piece(int64_t n, std::span<const int64_t> groups, const Body& body) const;
  void reserve(int64_t n, bool is_training);
  int64_t largest_piece(int64_t n) const { return std::min(n, plan_.piece_rows); }
  void load(const BatchView& batch, int64_t first, int64_t n);
  void load(const SampleSource& source, int64_t first, int64_t n);
  /// Where a batch of one piece comes from.
  enum class Samples { Host, Drawn, EveryPixel };
  struct StepKind {
    int64_t n_samples = -1;
    Samples samples = Samples::Host;
    int64_t version = 0;
    bool operator==(const StepKind&) const = default;
  };
  /// A step of one kind, with the batch in one of its two places.
  struct RecordedStep {
    StepKind kind;
    Replay until_loss;
    Replay after_loss;
  };
  RecordedStep& recorded_step(const StepKind& kind);
  double train_at_once(const SampleSource& source, const PixelSamples* pixels);
  double train_in_pieces(const SampleSource& source, const PixelSamples* pixels);
  const RayLoss* take_rays(const Objective& objective);
  void run_rays(const Objective& objective);
  double run_objective(const Objective& objective);
  double evaluate_loss(const Objective& objective, int64_t first, int64_t n);
  double read_loss();
  void take_moments(const AdamUpdate& update, const ParamSlice& state);
  void download_gradients(std::span<float> param_grads);

  NetworkPlan plan_;
  int max_group_;
  std::string math_name_;
  ThreadPool pool_;
  OwnStream stream_;
  NetworkMemory<typename ForwardMath::Number, typename BackwardMath::Number> memory_;
  NetworkPass<ForwardMath, BackwardMath> pass_;
  DrawnBatches<ForwardMath, BackwardMath> batches_;
  DeviceRays rays_;
  RecordedStep steps_[2];  ///< by DrawnBatches::side
  EarlyRead<double> early_loss_;
  bool has_moments_ = false;  ///< those of the state that is trained
  bool is_ahead_ = false;     ///< of the state that the caller has
  std::vector<float> coords_;
  std::vector<float> features_;
  std::vector<float> targets_;
  std::vector<float> outputs_;
  std::vector<float> output_grads_;
};

template <typename FM, typename BM>
template <typename Body>
void NetworkExecutor<FM, BM>::for_each_piece(int64_t n, std::span<const int64_t> groups, const Body& body) const {
  if (groups.size() < 2) {
    for (int64_t first = 0; first == 0 || first < n; first += plan_.piece_rows) {
      body(first, std::min(plan_.piece_rows, n - first));
    }
    return;
  }
  int64_t first = 0;
  for (std::size_t i = 1; i < groups.size(); ++i) {
    const bool is_last = i + 1 == groups.size();
    if (!is_last && groups[i + 1] - first <= plan_.piece_rows) continue;
    body(first, groups[i] - first);
    first = groups[i];
  }
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::reserve(int64_t n, bool is_training) {
  bool has_moved = false;
  try {
    has_moved = memory_.reserve(plan_, stream(), n, is_training);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::OutOfMemory || !batches_.has_memory()) throw;
    batches_.refuse(stream(), "the signal's memory was needed for the network");
    has_moved = memory_.reserve(plan_, stream(), n, is_training);
  }
  if (has_moved) batches_.forget_second(stream());
}

template <typename FM, typename BM>
std::vector<KernelInfo> NetworkExecutor<FM, BM>::kernels() const {
  const std::string reason = "the backend's only kernel for it in this precision";
  const TilePlan& tile = pass_.tile_plan();
  const std::string in_tile = "cuda tiles of samples through all layers in shared memory";
  const std::string why_no_warpgroups = pass_.why_no_warpgroups();
  const bool has_warpgroups = why_no_warpgroups.empty();
  const std::string products = has_warpgroups
                                   ? "cuda weights in shared memory, rows gathered by expert past them, wgmma"
                                   : "cuda 64x64 tiles of rows gathered by expert";
  const std::string which = has_warpgroups
                                ? "bf16 layers of at least " + std::to_string(kMinWarpgroupColumns) + " outputs"
                                : "no warpgroups: " + why_no_warpgroups;
  const std::string& why = tile.is_on() ? tile.reason : which;
  std::vector<KernelInfo> list = {
      batches_.info(),
      {"routing", "cuda stable counting sort by expert, f64 positions", reason},
      {"expert_linear forward", (tile.is_on() ? in_tile : products) + ", " + math_name_, why},
      {"expert_linear input gradient",
       tile.is_on()     ? in_tile
       : has_warpgroups ? "cuda wgmma, with the weight gradient"
                        : "cuda 64x64 tiles, transposed weights",
       why},
      {"expert_linear weight gradient",
       has_warpgroups ? "cuda wgmma, owner-computes" : "cuda 64x64 tiles of weights, owner-computes", which},
      {"adam", "cuda partial sums in order, update and copies of the weights in one", reason},
  };
  if (plan_.spec.input.has_embedding()) {
    list.push_back({"embedding", "cuda a thread per sample, f32", reason});
    list.push_back({"embedding gradient", "cuda sums of 64-bit integers", "the order of additions does not matter"});
  }
  const bool may_have_rays = plan_.spec.n_dims == 3 && plan_.spec.n_out() == kRayOutputs;
  if (may_have_rays || rays_.is_decided()) list.push_back(rays_.info());
  return list;
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::set_params(std::span<const float> params) {
  check_size("params", plan_.n_params, "[n_params]", params.size());
  memory_.params.upload(stream(), params.data(), plan_.n_params);
  pass_.write_weight_copies();
  finish(stream());
  has_moments_ = false;
  is_ahead_ = false;
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::load(const BatchView& batch, int64_t first, int64_t n) {
  const int64_t n_dims = plan_.spec.n_dims;
  const int64_t n_features = plan_.spec.n_features();
  memory_.coords.upload(stream(), batch.coords.data() + first * n_dims, n * n_dims);
  memory_.features.upload(stream(), batch.features.data() + first * n_features, n * n_features);
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::load(const SampleSource& source, int64_t first, int64_t n) {
  const int64_t n_dims = plan_.spec.n_dims;
  const int64_t n_out = plan_.spec.n_out();
  coords_.resize(static_cast<std::size_t>(n * n_dims));
  targets_.resize(static_cast<std::size_t>(n * n_out));
  pool_.parallel_for((n + kFillRows - 1) / kFillRows, [&](int64_t i, int) {
    const int64_t at = i * kFillRows;
    source.fill(first + at, std::min(kFillRows, n - at), coords_.data() + at * n_dims, targets_.data() + at * n_out);
  });
  memory_.coords.upload(stream(), coords_.data(), n * n_dims);
  memory_.targets.upload(stream(), targets_.data(), n * n_out);
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::forward(const BatchView& batch, std::span<float> outputs) {
  check_batch(plan_.spec, batch);
  const int64_t n_out = plan_.spec.n_out();
  check_size("outputs", batch.n_samples * n_out, "[B, n_out]", outputs.size());
  if (batch.n_samples == 0) return;
  reserve(largest_piece(batch.n_samples), false);
  for_each_piece(batch.n_samples, {}, [&](int64_t first, int64_t n) {
    load(batch, first, n);
    pass_.forward(n);
    memory_.outputs.download(stream(), outputs.data() + first * n_out, n * n_out);
    finish(stream());
  });
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::backward(const BatchView& batch, std::span<const float> output_grads,
                                       std::span<float> param_grads, std::span<float> feature_grads) {
  check_backward(plan_.spec, batch, output_grads, param_grads, feature_grads);
  const int64_t n_out = plan_.spec.n_out();
  const int64_t n_features = plan_.spec.input.n_features;
  reserve(largest_piece(batch.n_samples), true);
  std::vector<float> rows(feature_grads.empty() ? 0 : static_cast<std::size_t>(memory_.input_grads.size()));
  for_each_piece(batch.n_samples, {}, [&](int64_t first, int64_t n) {
    load(batch, first, n);
    memory_.output_grads.upload(stream(), output_grads.data() + first * n_out, n * n_out);
    pass_.forward(n);
    pass_.backward(n, first > 0, !feature_grads.empty());
    if (!feature_grads.empty()) memory_.input_grads.download(stream(), rows.data(), n * plan_.input_stride);
    finish(stream());
    for (int64_t i = 0; !feature_grads.empty() && i < n; ++i) {
      std::copy_n(rows.data() + i * plan_.input_stride, n_features, feature_grads.data() + (first + i) * n_features);
    }
  });
  download_gradients(param_grads);
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::download_gradients(std::span<float> param_grads) {
  memory_.param_grads.resize(plan_.n_params);
  pass_.write_gradients();
  memory_.param_grads.download(stream(), param_grads.data(), plan_.n_params);
  finish(stream());
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::read_loss() {
  double loss = 0;
  memory_.loss.download(stream(), &loss, 1);
  finish(stream());
  return loss;
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::mse_gradients(const SampleSource& source, std::span<float> param_grads) {
  check_source(plan_.spec, source);
  check_size("param_grads", plan_.n_params, "[n_params]", param_grads.size());
  const int64_t n_samples = source.n_samples();
  reserve(largest_piece(n_samples), true);
  for_each_piece(n_samples, {}, [&](int64_t first, int64_t n) {
    load(source, first, n);
    pass_.prepare(stream(), n);
    pass_.mse(n, n_samples * plan_.spec.n_out(), first > 0);
    pass_.mse_backward(n, first > 0);
  });
  const double loss = read_loss();
  download_gradients(param_grads);
  return loss;
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::take_moments(const AdamUpdate& update, const ParamSlice& state) {
  if (plan_.spec.input.has_embedding() && update.embedding.every != 1) {
    throw Error(ErrorKind::Unsupported,
                "[cuda] embedding.every: expected 1, an update of the tables in every step, got " +
                    std::to_string(update.embedding.every) + "; use --device cpu");
  }
  if (!has_moments_) {
    memory_.adam_m.upload(stream(), state.adam_m.data(), plan_.n_params);
    memory_.adam_v.upload(stream(), state.adam_v.data(), plan_.n_params);
    has_moments_ = true;
  }
  is_ahead_ = true;
  put(stream(), AdamScalars(update), memory_.scalars);
  put(stream(), TableScalars{AdamScalars(update.of_embedding()), update.embedding.skips_zeros}, memory_.table_scalars);
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) {
  check_train_step(plan_.spec, source, update, state);
  const int64_t n_samples = source.n_samples();
  const PixelSamples* pixels = source.pixels();
  if (pixels != nullptr) check_pixels(plan_.spec, n_samples, *pixels);
  reserve(largest_piece(n_samples), true);
  if (pixels != nullptr && !batches_.take_signal(stream(), *pixels)) pixels = nullptr;
  take_moments(update, state);
  return n_samples <= plan_.piece_rows ? train_at_once(source, pixels) : train_in_pieces(source, pixels);
}

template <typename FM, typename BM>
typename NetworkExecutor<FM, BM>::RecordedStep& NetworkExecutor<FM, BM>::recorded_step(const StepKind& kind) {
  RecordedStep& step = steps_[batches_.side()];
  if (step.kind == kind) return step;
  finish(stream());
  step.until_loss.forget();
  step.after_loss.forget();
  step.kind = kind;
  return step;
}

/// pixels: null if the host fills the batch.
template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::train_at_once(const SampleSource& source, const PixelSamples* pixels) {
  const int64_t n = source.n_samples();
  Samples samples = Samples::Host;
  if (pixels == nullptr) {
    load(source, 0, n);
  } else {
    samples = pixels->every_pixel ? Samples::EveryPixel : Samples::Drawn;
    batches_.take(stream(), *pixels);
    batches_.announce_next(stream(), *pixels);
  }
  RecordedStep& step = recorded_step({n, samples, batches_.version()});
  step.until_loss.run(stream(), [&] {
    if (samples == Samples::Host) pass_.prepare(stream(), n);
    pass_.mse(n, n * plan_.spec.n_out(), false);
  });
  early_loss_.start(stream(), memory_.loss);
  step.after_loss.run(stream(), [&] {
    if (samples == Samples::Drawn) batches_.fork(stream());
    pass_.mse_backward_and_update(n);
    if (samples == Samples::Drawn) batches_.join(stream());
  });
  if (pixels != nullptr) batches_.leave(*pixels);
  return early_loss_.finish();
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::train_in_pieces(const SampleSource& source, const PixelSamples* pixels) {
  const int64_t n_samples = source.n_samples();
  if (pixels != nullptr) batches_.draw_all(stream(), *pixels);
  for_each_piece(n_samples, {}, [&](int64_t first, int64_t n) {
    if (pixels != nullptr) {
      batches_.take_piece(stream(), first, n);
    } else {
      load(source, first, n);
    }
    pass_.prepare(stream(), n);
    pass_.mse(n, n_samples * plan_.spec.n_out(), first > 0);
    pass_.mse_backward(n, first > 0);
  });
  pass_.update();
  return read_loss();
}

/// Of samples first .. first + n - 1, whose outputs are in outputs_; leaves output_grads_.
template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::evaluate_loss(const Objective& objective, int64_t first, int64_t n) {
  const int64_t n_out = plan_.spec.n_out();
  const std::span<const int64_t> groups = objective.groups();
  std::vector<int64_t> cuts = {first};
  if (groups.empty()) {
    for (int64_t at = first + kFillRows; at < first + n; at += kFillRows) cuts.push_back(at);
  } else {
    for (auto end = std::upper_bound(groups.begin(), groups.end(), first); end != groups.end() && *end < first + n;
         ++end) {
      if (*end - cuts.back() >= kFillRows) cuts.push_back(*end);
    }
  }
  cuts.push_back(first + n);
  std::vector<double> losses(cuts.size() - 1);
  pool_.parallel_for(static_cast<int64_t>(losses.size()), [&](int64_t i, int) {
    const auto k = static_cast<std::size_t>(i);
    const int64_t at = (cuts[k] - first) * n_out;
    losses[k] = objective.loss(cuts[k], cuts[k + 1] - cuts[k], outputs_.data() + at, output_grads_.data() + at);
  });
  double loss = 0;
  for (const double part : losses) loss += part;
  return loss;
}

/// Memory for the objective's step, and its rays if it describes them and there is room; else null.
template <typename FM, typename BM>
const RayLoss* NetworkExecutor<FM, BM>::take_rays(const Objective& objective) {
  const RayLoss* const rays = objective.rays();
  if (rays != nullptr) check_rays(plan_.spec, objective, *rays);
  reserve(largest_piece(objective.n_samples()), true);
  if (rays == nullptr) rays_.say_undescribed();
  return rays != nullptr && rays_.take(stream(), *rays) ? rays : nullptr;
}

/// Of rays that were taken. Waits for nothing: the loss and the weights are on their way when the last piece's
/// gradients are still to come.
template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::run_rays(const Objective& objective) {
  const int64_t n_samples = objective.n_samples();
  for_each_piece(n_samples, objective.groups(), [&](int64_t first, int64_t n) {
    rays_.fill(stream(), first, n, memory_.coords, memory_.features);
    pass_.forward(n);
    rays_.find_loss(stream(), first, n, first > 0, memory_.outputs, memory_.output_grads, memory_.loss);
    if (first + n == n_samples) rays_.start_reading(stream(), memory_.loss);
    pass_.backward(n, first > 0, false);
  });
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::run_objective(const Objective& objective) {
  const NetworkSpec& spec = plan_.spec;
  const int64_t n_out = spec.n_out();
  const int64_t n_features = spec.n_features();
  double loss = 0;
  for_each_piece(objective.n_samples(), objective.groups(), [&](int64_t first, int64_t n) {
    coords_.resize(static_cast<std::size_t>(n * spec.n_dims));
    features_.resize(static_cast<std::size_t>(n * n_features));
    outputs_.resize(static_cast<std::size_t>(n * n_out));
    output_grads_.resize(outputs_.size());
    // Whole groups, as the contract of fill() has it: one call.
    objective.fill(first, n, coords_.data(), features_.data());
    memory_.coords.upload(stream(), coords_.data(), n * spec.n_dims);
    memory_.features.upload(stream(), features_.data(), n * n_features);
    pass_.forward(n);
    memory_.outputs.download(stream(), outputs_.data(), n * n_out);
    finish(stream());
    if (n > 0) loss += evaluate_loss(objective, first, n);
    memory_.output_grads.upload(stream(), output_grads_.data(), n * n_out);
    pass_.backward(n, first > 0, false);
  });
  memory_.loss.upload(stream(), &loss, 1);
  finish(stream());
  return loss;
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::objective_gradients(const Objective& objective, std::span<float> param_grads) {
  check_objective(objective, max_group_);
  check_size("param_grads", plan_.n_params, "[n_params]", param_grads.size());
  const RayLoss* const rays = take_rays(objective);
  if (rays == nullptr) {
    const double loss = run_objective(objective);
    download_gradients(param_grads);
    return loss;
  }
  run_rays(objective);
  download_gradients(param_grads);
  return rays_.finish(rays->weights);
}

template <typename FM, typename BM>
double NetworkExecutor<FM, BM>::train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) {
  check_train_step(plan_.spec, objective, max_group_, update, state);
  const RayLoss* const rays = take_rays(objective);
  const double loss = rays == nullptr ? run_objective(objective) : 0;
  take_moments(update, state);
  if (rays != nullptr) run_rays(objective);
  pass_.update();
  if (rays != nullptr) return rays_.finish(rays->weights);
  finish(stream());
  return loss;
}

template <typename FM, typename BM>
void NetworkExecutor<FM, BM>::download(ParamSlice state) {
  if (!is_ahead_) return;
  check_size("state.params", plan_.n_params, "[n_params]", state.params.size());
  check_size("state.adam_m", plan_.n_params, "[n_params]", state.adam_m.size());
  check_size("state.adam_v", plan_.n_params, "[n_params]", state.adam_v.size());
  memory_.params.download(stream(), state.params.data(), plan_.n_params);
  memory_.adam_m.download(stream(), state.adam_m.data(), plan_.n_params);
  memory_.adam_v.download(stream(), state.adam_v.data(), plan_.n_params);
  finish(stream());
  is_ahead_ = false;
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
