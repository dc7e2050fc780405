// The reference backend: an executor that chains the plain loops of this folder.
#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "backend/check.h"
#include "backend/reference/adam.h"
#include "backend/reference/mse.h"
#include "backend/reference/network.h"
#include "loe/base/error.h"

namespace loe::reference {
namespace {

/// Samples that go through the network together. Only bounds memory: samples are summed in order either way.
constexpr int64_t kChunk = 1024;

class ReferenceExecutor final : public Executor {
 public:
  ReferenceExecutor(const NetworkSpec& spec, int max_group)
      : spec_(spec), max_group_(max_group), params_(spec.n_params()) {}

  const NetworkSpec& spec() const override { return spec_; }
  int n_threads() const override { return 1; }
  std::vector<KernelInfo> kernels() const override;
  int64_t memory_bytes() const override {
    return static_cast<int64_t>((params_.capacity() + grads_.capacity() + table_grads_.capacity()) * sizeof(double));
  }

  void set_params(std::span<const float> params) override;
  void forward(const BatchView& batch, std::span<float> outputs) override;
  void backward(const BatchView& batch, std::span<const float> output_grads, std::span<float> param_grads,
                std::span<float> feature_grads) override;
  double mse_gradients(const SampleSource& source, std::span<float> param_grads) override;
  double train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) override;
  double objective_gradients(const Objective& objective, std::span<float> param_grads) override;
  double train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) override;

 private:
  BatchView chunk_of(const BatchView& batch, int64_t first) const;
  double accumulate_mse(const SampleSource& source);
  double accumulate_objective(const Objective& objective);
  void forget_table_grads() { table_grads_.assign(static_cast<size_t>(spec_.input.embedding.size()), 0.0); }
  void update_params(const AdamUpdate& update, ParamSlice state);
  double update_with(double loss, const AdamUpdate& update, ParamSlice state);

  NetworkSpec spec_;
  int max_group_;
  std::vector<double> params_;
  std::vector<double> grads_;        ///< dL/dparams of the call under way
  std::vector<double> table_grads_;  ///< of the embedding, over the updates since it last moved
};

std::vector<KernelInfo> ReferenceExecutor::kernels() const {
  const char* kernel = "reference plain loops f64";
  const char* reason = "the reference has one kernel per operation";
  std::vector<KernelInfo> kernels;
  for (const char* operation :
       {"routing", "encoding", "expert_linear forward", "expert_linear backward", "activation", "mse", "adam"}) {
    kernels.push_back({operation, kernel, reason});
  }
  if (spec_.input.has_embedding()) {
    kernels.push_back({"embedding", kernel, reason});
  }
  return kernels;
}

void ReferenceExecutor::set_params(std::span<const float> params) {
  check_size("params", spec_.n_params(), "[n_params]", params.size());
  params_.assign(params.begin(), params.end());
  forget_table_grads();
}

BatchView ReferenceExecutor::chunk_of(const BatchView& batch, int64_t first) const {
  BatchView chunk;
  chunk.n_samples = std::min(kChunk, batch.n_samples - first);
  chunk.coords = batch.coords.subspan(first * spec_.n_dims, chunk.n_samples * spec_.n_dims);
  chunk.features = batch.features.subspan(first * spec_.n_features(), chunk.n_samples * spec_.n_features());
  return chunk;
}

void ReferenceExecutor::forward(const BatchView& batch, std::span<float> outputs) {
  check_batch(spec_, batch);
  check_size("outputs", batch.n_samples * spec_.n_out(), "[B, n_out]", outputs.size());
  for (int64_t first = 0; first < batch.n_samples; first += kChunk) {
    const NetworkPass pass = network_forward(spec_, params_, chunk_of(batch, first));
    std::copy(pass.outputs().begin(), pass.outputs().end(), outputs.begin() + first * spec_.n_out());
  }
}

void ReferenceExecutor::backward(const BatchView& batch, std::span<const float> output_grads,
                                 std::span<float> param_grads, std::span<float> feature_grads) {
  check_backward(spec_, batch, output_grads, param_grads, feature_grads);
  forget_table_grads();
  grads_.assign(params_.size(), 0.0);
  const int n_out = spec_.n_out();
  for (int64_t first = 0; first < batch.n_samples; first += kChunk) {
    const BatchView chunk = chunk_of(batch, first);
    const NetworkPass pass = network_forward(spec_, params_, chunk);
    const std::span<const float> chunk_grads = output_grads.subspan(first * n_out, chunk.n_samples * n_out);
    const std::vector<double> y_grads(chunk_grads.begin(), chunk_grads.end());
    std::vector<double> input_grads(feature_grads.empty() ? 0 : chunk.n_samples * spec_.n_in());
    network_backward(spec_, params_, pass, y_grads, grads_, input_grads);
    if (!feature_grads.empty()) {
      std::copy(input_grads.begin(), input_grads.end(), feature_grads.begin() + first * spec_.n_in());
    }
  }
  std::copy(grads_.begin(), grads_.end(), param_grads.begin());
}

/// Leaves dL/dparams in grads_ and returns L.
double ReferenceExecutor::accumulate_mse(const SampleSource& source) {
  const int64_t n_samples = source.n_samples();
  const int n_out = spec_.n_out();
  grads_.assign(params_.size(), 0.0);
  double loss = 0;
  for (int64_t first = 0; first < n_samples; first += kChunk) {
    const int64_t count = std::min(kChunk, n_samples - first);
    std::vector<float> coords(count * spec_.n_dims);
    std::vector<float> targets(count * n_out);
    source.fill(first, count, coords.data(), targets.data());
    const NetworkPass pass = network_forward(spec_, params_, BatchView{count, coords, {}});
    loss += mse_forward(pass.outputs(), targets, n_samples * n_out);
    std::vector<double> y_grads(targets.size());
    mse_backward(pass.outputs(), targets, n_samples * n_out, y_grads);
    network_backward(spec_, params_, pass, y_grads, grads_, {});
  }
  return loss;
}

double ReferenceExecutor::mse_gradients(const SampleSource& source, std::span<float> param_grads) {
  check_source(spec_, source);
  check_size("param_grads", spec_.n_params(), "[n_params]", param_grads.size());
  forget_table_grads();
  const double loss = accumulate_mse(source);
  std::copy(grads_.begin(), grads_.end(), param_grads.begin());
  return loss;
}

double ReferenceExecutor::train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) {
  check_train_step(spec_, source, update, state);
  return update_with(accumulate_mse(source), update, state);
}

/// Leaves dL/dparams in grads_ and returns L. Groups are taken one after the other: they only bound the memory.
double ReferenceExecutor::accumulate_objective(const Objective& objective) {
  const std::span<const int64_t> groups = objective.groups();
  const int64_t n_samples = objective.n_samples();
  const int n_out = spec_.n_out();
  grads_.assign(params_.size(), 0.0);
  double loss = 0;
  size_t group = 0;
  for (int64_t first = 0; first < n_samples;) {
    int64_t end = std::min(n_samples, first + kChunk);
    if (!groups.empty()) {
      end = groups[++group];
    }
    const int64_t count = end - first;
    std::vector<float> coords(count * spec_.n_dims);
    std::vector<float> features(count * spec_.n_features());
    objective.fill(first, count, coords.data(), features.data());
    const NetworkPass pass = network_forward(spec_, params_, BatchView{count, coords, features});
    const std::vector<float> outputs(pass.outputs().begin(), pass.outputs().end());
    std::vector<float> output_grads(count * n_out);
    loss += objective.loss(first, count, outputs.data(), output_grads.data());
    network_backward(spec_, params_, pass, std::vector<double>(output_grads.begin(), output_grads.end()), grads_, {});
    first = end;
  }
  return loss;
}

double ReferenceExecutor::objective_gradients(const Objective& objective, std::span<float> param_grads) {
  check_objective(objective, max_group_);
  check_size("param_grads", spec_.n_params(), "[n_params]", param_grads.size());
  forget_table_grads();
  const double loss = accumulate_objective(objective);
  std::copy(grads_.begin(), grads_.end(), param_grads.begin());
  return loss;
}

double ReferenceExecutor::train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) {
  check_train_step(spec_, objective, max_group_, update, state);
  return update_with(accumulate_objective(objective), update, state);
}

void ReferenceExecutor::update_params(const AdamUpdate& update, ParamSlice state) {
  const std::span<const double> grads = grads_;
  const int64_t n_layers = spec_.embedding_offset();
  const auto n_table = static_cast<int64_t>(table_grads_.size());
  adam_step(update, grads.first(n_layers), state.slice(0, n_layers));
  std::transform(table_grads_.begin(), table_grads_.end(), grads_.begin() + n_layers, table_grads_.begin(),
                 std::plus<>());
  if (!update.moves_embedding()) {
    return;
  }
  adam_step(update.of_embedding(), table_grads_, state.slice(n_layers, n_table), update.embedding.skips_zeros);
  forget_table_grads();
}

double ReferenceExecutor::update_with(double loss, const AdamUpdate& update, ParamSlice state) {
  if (std::isfinite(loss)) {
    update_params(update, state);
    params_.assign(state.params.begin(), state.params.end());
  } else {
    forget_table_grads();
  }
  return loss;
}

class ReferenceBackend final : public Backend {
 public:
  std::string name() const override { return "reference"; }
  std::vector<std::string> isas() const override { return {""}; }

  std::unique_ptr<Executor> compile(const NetworkSpec& spec, const ExecutorOptions& options) const override {
    spec.validate();
    check_options(options);
    if (!options.isa.empty()) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[reference] isa: expected none, the reference has no instruction sets, got \"{}\"",
                              options.isa));
    }
    if (options.precision != Precision::F32) {
      throw Error(ErrorKind::Unsupported,
                  fmt::format("[reference] precision: expected f32, the reference computes in double, got {}; use "
                              "--device cpu for other precisions",
                              to_string(options.precision)));
    }
    return std::make_unique<ReferenceExecutor>(spec, options.max_group);
  }
};

}  // namespace
}  // namespace loe::reference

namespace loe {

const Backend& reference_backend() {
  static const reference::ReferenceBackend backend;
  return backend;
}

}  // namespace loe
