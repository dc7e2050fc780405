// The rivals that this build has.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "loe/backend/backend.h"

namespace loe::app {

/// A training step by somebody else's library, see bench/peer/peer.h.
struct Rival {
  std::string name;
  std::function<void(const SampleSource& source)> prepare;
  std::function<double(std::span<const float> params, std::span<float> param_grads)> mse_gradients;
  std::function<double(const AdamUpdate& update, ParamState& state)> train_step;
  std::function<std::string()> full_name;  ///< after a step: with its kernels
};

/// The rival for this device, network and precision: on the CPU oneDNN, on device cuda cuBLAS. Without train_step, and
/// named "none: <reason>", if there is none.
Rival make_rival(const std::string& device, const NetworkSpec& spec, Precision precision, int n_threads);

/// How far a rival's results are from ours.
struct Agreement {
  double loss_error = 0;      ///< |a - b| / b of the losses
  double gradient_error = 0;  ///< |a - b| / |b| of dL/dparams, Euclidean
  bool agrees = false;
};

/// Compares loss and gradients on `source`. Allowed in f32: 1e-5 and 1e-3, the sums' order and the few activations next
/// to zero that fall on the other side of the LeakyReLU. In bf16 and tf32: 2e-2 and 0.15, as every rounding differs.
Agreement compare(Executor& executor, Rival& rival, Precision precision, std::span<const float> params,
                  const SampleSource& source);

}  // namespace loe::app
