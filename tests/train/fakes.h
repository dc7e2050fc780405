// A problem and an executor whose every answer a test decides.
#pragma once

#include <chrono>
#include <cmath>
#include <functional>
#include <thread>
#include <vector>

#include "loe/train/trainer.h"

namespace loe {

/// A plain layer: 2 coordinates -> 1 output, 3 parameters.
inline NetworkSpec tiny_spec() {
  NetworkSpec spec;
  LayerSpec layer;
  layer.name = "head";
  layer.n_in = 2;
  layer.n_out = 1;
  spec.layers.push_back(layer);
  return spec;
}

struct FakeSource : SampleSource {
  float target = 0.5F;
  int64_t n_samples() const override { return 5000; }
  void fill(int64_t first, int64_t count, float* coords, float* targets) const override {
    for (int64_t i = 0; i < count; ++i) {
      coords[2 * i] = coords[2 * i + 1] = 0.25F;
      targets[i] = first + i == 4999 ? target : 0.5F;
    }
  }
};

struct FakeProblem : SupervisedProblem {
  FakeSource source;
  std::vector<int64_t> batches;  ///< steps asked for
  std::function<double(int64_t n_batches)> psnr = [](int64_t) { return 20.0; };
  int n_evaluations = 0;
  double evaluation_seconds = 0;

  const SampleSource& batch(int64_t step) override {
    batches.push_back(step);
    return source;
  }
  std::optional<double> evaluate_psnr(ModelExecutor&) override {
    ++n_evaluations;
    std::this_thread::sleep_for(std::chrono::duration<double>(evaluation_seconds));
    return psnr(static_cast<int64_t>(batches.size()));
  }
};

/// Adds 1 to every parameter per step and reports the loss that `loss` gives.
struct FakeExecutor : Executor {
  NetworkSpec network = tiny_spec();
  std::vector<AdamUpdate> updates;
  std::function<double(const AdamUpdate&, ParamSlice)> loss = [](const AdamUpdate&, ParamSlice) { return 0.01; };
  double step_seconds = 0;
  int n_set_params = 0;

  const NetworkSpec& spec() const override { return network; }
  int n_threads() const override { return 1; }
  std::vector<KernelInfo> kernels() const override { return {}; }
  int64_t memory_bytes() const override { return 0; }
  void set_params(std::span<const float>) override { ++n_set_params; }
  void forward(const BatchView&, std::span<float>) override {}
  void backward(const BatchView&, std::span<const float>, std::span<float>, std::span<float>) override {}
  double mse_gradients(const SampleSource&, std::span<float>) override { return 0; }
  double objective_gradients(const Objective&, std::span<float>) override { return 0; }
  double train_step(const Objective&, const AdamUpdate&, ParamSlice) override { return 0; }
  double train_step(const SampleSource&, const AdamUpdate& update, ParamSlice state) override {
    updates.push_back(update);
    std::this_thread::sleep_for(std::chrono::duration<double>(step_seconds));
    const double value = loss(update, state);
    if (std::isfinite(value)) {
      for (float& param : state.params) {
        param += 1;
      }
    }
    return value;
  }
};

/// Everything that events reported.
struct Recorder {
  std::vector<Progress> logs;
  std::vector<std::pair<int64_t, double>> evaluations;  ///< step, PSNR
  std::vector<std::pair<int64_t, bool>> saves;          ///< step, is_last
  RunState last_saved;

  TrainerEvents events() {
    TrainerEvents result;
    result.on_log = [this](const Progress& progress) { logs.push_back(progress); };
    result.on_eval = [this](const RunState& state, std::optional<double> psnr_db) {
      evaluations.emplace_back(state.step, psnr_db.value_or(0));
    };
    result.on_save = [this](const RunState& state, bool is_last) {
      saves.emplace_back(state.step, is_last);
      last_saved = state;
    };
    return result;
  }
};

}  // namespace loe
