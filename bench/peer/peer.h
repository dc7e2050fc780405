// Rivals: the same training step written with somebody else's matrix library, to be timed beside ours.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "loe/backend/backend.h"

namespace loe::peer {

/// A training step by one GEMM per expert over gathered rows: gather the rows of each expert, multiply, add bias and
/// LeakyReLU, pass on in the next layer's order; the same backwards, then Adam.
///
/// What it is given for free, so that nobody can say it was held back: encodings, routing, row lists and the JIT
/// compilation of its kernels are done by prepare(), outside the step.
class PeerStep {
 public:
  virtual ~PeerStep() = default;
  /// After a step also which kernels ran, as far as the library says so.
  virtual std::string name() const = 0;
  /// Takes over the samples of `source`.
  virtual void prepare(const SampleSource& source) = 0;
  /// Mean squared error and dL/dparams [n_params], as Executor::mse_gradients.
  virtual double mse_gradients(std::span<const float> params, std::span<float> param_grads) = 0;
  /// As Executor::train_step.
  virtual double train_step(const AdamUpdate& update, ParamState& state) = 0;
};

/// oneDNN multiplies bf16 matrices with AVX-512 only, elsewhere it throws.
bool onednn_has_bf16();
/// oneDNN matmul primitives, F32 or Bf16 (bf16 operands, f32 accumulation). nullptr if the network or precision is not
/// for it: only Nearest, an encoding as input, LeakyRelu, Relu or Identity; no Mixed; Bf16 only where oneDNN has it.
std::unique_ptr<PeerStep> make_onednn_peer(const NetworkSpec& spec, Precision precision, int n_threads);

}  // namespace loe::peer
