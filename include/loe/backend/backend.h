// The seam between "what to compute" and "who computes it": a backend compiles a NetworkSpec into an Executor.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/backend/pixel_samples.h"
#include "loe/backend/ray_loss.h"

namespace loe {

class ProductSamples;  // product_chunks.h

/// Arithmetic of the hot path. Parameters, Adam's moments, coordinates, encodings, loss and outputs are always f32
/// (or wider); sums are always accumulated in f32 or wider.
enum class Precision {
  F32,    ///< activations, weights and gradients in f32
  Mixed,  ///< f32 forward, bf16 backward
  Bf16,   ///< activations, weight copies and gradients rounded to bf16
  Tf32,   ///< f32 in memory, operands of products rounded to tf32 (10 bits of mantissa); NVIDIA GPUs only
};
const char* to_string(Precision precision);
Precision precision_from_string(const std::string& text);

struct ExecutorOptions {
  Precision precision = Precision::F32;
  int n_threads = 0;  ///< 0: all usable cores
  std::string isa{};  ///< "" picks the best of this machine; else a name from Backend::isas()
  int max_group = 1;  ///< samples of the largest group of an Objective, 1..65536: they go through the network together
};

/// Inputs of a batch of B samples.
struct BatchView {
  int64_t n_samples = 0;
  std::span<const float> coords;    ///< [B, n_dims] in [0, 1]; wraps outside
  std::span<const float> features;  ///< [B, n_features()] of the network: empty if it takes none
};

/// Supervised samples pulled piece by piece, so that a batch never exists as a whole.
/// fill() is called from several threads at once, on disjoint ranges, any number of times, and must be a pure
/// function of (first, count).
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual int64_t n_samples() const = 0;
  /// Writes coords [count, n_dims] and targets [count, n_out] of samples first .. first + count - 1.
  /// Neighbouring samples should be close in space: it makes coarse levels contiguous. Not needed for correctness.
  virtual void fill(int64_t first, int64_t count, float* coords, float* targets) const = 0;
  /// The same samples as pixels of a signal in memory, for backends that can draw them where they compute; or null.
  /// Valid as long as the batch is.
  virtual const PixelSamples* pixels() const { return nullptr; }
  /// The same samples as product chunks, if they were drawn so, for backends that update an expert as soon as its chunk
  /// is done; or null. The source's samples are those of the chunks, in order, without the ones outside the signal.
  virtual const ProductSamples* product() const { return nullptr; }
};

/// A loss over samples that belong together in groups: the samples of one ray, of which only the rendered colour is
/// known. fill() and loss() are called from several threads at once, on disjoint ranges of whole groups, any number of
/// times, and must be pure functions of their arguments.
class Objective {
 public:
  virtual ~Objective() = default;
  virtual int64_t n_samples() const = 0;
  /// Where groups begin: ascending, the first 0, the last n_samples(). Empty: every sample is a group of its own. A
  /// group has at most ExecutorOptions::max_group samples.
  virtual std::span<const int64_t> groups() const { return {}; }
  /// Writes coords [count, n_dims] and features [count, n_features()] of samples first .. first + count - 1.
  virtual void fill(int64_t first, int64_t count, float* coords, float* features) const = 0;
  /// What these samples add to the loss, given their outputs [count, n_out]; writes its gradient by them, same shape.
  virtual double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const = 0;
  /// The same samples and loss as rays, for backends that can compute them where the network is, but for rounding of
  /// the loss and its gradients; or null. The groups are the rays that have samples. Valid as long as the objective is.
  virtual const RayLoss* rays() const { return nullptr; }
};

/// How the tables of an embedding are updated, where that differs from the other parameters: AdamUpdate's rule with
/// `rate` times its learning rate, and with the values given here.
struct EmbeddingUpdate {
  double rate = 1;
  double beta2 = -1;    ///< below 0: that of the other parameters
  double epsilon = -1;  ///< below 0: that of the other parameters
  /// k: the tables move in updates t that are multiples of k, with the sum of the gradients of the last k updates and
  /// t / k in place of t; the learning rate is that of update t. 1: in every update. Gradients between two such updates
  /// are the executor's, not part of a state: all calls but forward() and train_step() forget them, and so does a step
  /// whose loss is not finite.
  int every = 1;
  /// True: a number whose gradient is exactly 0 keeps its value and its moments, as if this update had not been (it
  /// counts for t all the same).
  bool skips_zeros = false;
  bool operator==(const EmbeddingUpdate&) const = default;
};

/// Adam's hyper-parameters for one update (Kingma & Ba 2015, algorithm 1). t counts from 1.
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   theta -= learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
struct AdamUpdate {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  int64_t t = 1;
  EmbeddingUpdate embedding = {};
  /// Whether this update moves an embedding's tables.
  bool moves_embedding() const { return t % embedding.every == 0; }
  /// The rule for an embedding's tables in an update that moves them.
  AdamUpdate of_embedding() const;
};

/// Everything an update changes. Owned by the caller; all three have n_params() elements.
struct ParamState {
  std::vector<float> params;
  std::vector<float> adam_m;
  std::vector<float> adam_v;
};

/// One network's part of a ParamState, which may hold several networks one after another.
struct ParamSlice {
  std::span<float> params;
  std::span<float> adam_m;
  std::span<float> adam_v;

  ParamSlice() = default;
  ParamSlice(ParamState& state) : params(state.params), adam_m(state.adam_m), adam_v(state.adam_v) {}
  /// Elements offset .. offset + count - 1 of each; they must exist.
  ParamSlice slice(int64_t offset, int64_t count) const {
    ParamSlice part;
    part.params = params.subspan(offset, count);
    part.adam_m = adam_m.subspan(offset, count);
    part.adam_v = adam_v.subspan(offset, count);
    return part;
  }
};

/// One operation and who runs it, for `loe info`: no silent slow path.
struct KernelInfo {
  std::string operation;  ///< "expert_linear forward f32"
  std::string kernel;     ///< "cpu avx512 6x64 row-pointer FMA"
  std::string reason;     ///< "best instruction set of this CPU"
};

/// A network compiled for one backend, precision and thread count. Holds its own packed copy of the parameters.
/// Not thread-safe: one caller at a time. Same inputs, same backend and instruction set: same bits, for any n_threads.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual const NetworkSpec& spec() const = 0;
  virtual int n_threads() const = 0;
  virtual std::vector<KernelInfo> kernels() const = 0;
  /// Bytes held by the executor now, packed parameters and work space.
  virtual int64_t memory_bytes() const = 0;

  /// Takes over new parameters (flat, n_params()). Call after loading or changing them; train_step keeps them itself.
  virtual void set_params(std::span<const float> params) = 0;

  /// outputs [B, n_out] = network(batch). Any B, 0 included.
  /// Error(InvalidArgument) naming the offending shape.
  virtual void forward(const BatchView& batch, std::span<float> outputs) = 0;

  /// Vector-Jacobian product: given dL/doutputs [B, n_out], writes dL/dparams [n_params()] (overwritten) and, if not
  /// empty, dL/dfeatures [B, n_features] of the input (only for InputKind::Features). Recomputes activations: costs one
  /// forward more than a fused step.
  virtual void backward(const BatchView& batch, std::span<const float> output_grads, std::span<float> param_grads,
                        std::span<float> feature_grads) = 0;

  /// Mean squared error over all samples and outputs, L = 1/(B n_out) sum (y - target)^2, and dL/dparams.
  virtual double mse_gradients(const SampleSource& source, std::span<float> param_grads) = 0;

  /// The loss of an objective, summed over its groups, and dL/dparams.
  virtual double objective_gradients(const Objective& objective, std::span<float> param_grads) = 0;

  /// One fused optimiser update on an objective; otherwise as below.
  virtual double train_step(const Objective& objective, const AdamUpdate& update, ParamSlice state) = 0;

  /// One fused optimiser update on the MSE. Returns the loss before the update. If the loss is not finite, nothing
  /// is changed. state.params must be what set_params was last given, or the result of the last train_step; see
  /// download(). An executor on another device may still be computing the update when it returns; all other calls wait
  /// for it. SampleSource::product() may change who computes the update, never what it is.
  virtual double train_step(const SampleSource& source, const AdamUpdate& update, ParamSlice state) = 0;

  /// Brings `state` up to date. An executor whose parameters live on another device, or in another order (product
  /// chunks on the CPU), takes state's moments over at the first train_step after set_params, and from then on changes
  /// its own copies only, until the next set_params: call this before you read a state. Nothing to do where train_step
  /// writes to the state itself.
  virtual void download(ParamSlice state) { static_cast<void>(state); }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  ///< "reference", "cpu"
  /// Instruction sets that this build has AND this machine can run, best first; {""} if the notion does not apply.
  virtual std::vector<std::string> isas() const = 0;
  /// Error(InvalidArgument) for an invalid spec or unknown isa, Error(Unsupported) for a precision it cannot do.
  virtual std::unique_ptr<Executor> compile(const NetworkSpec& spec, const ExecutorOptions& options) const = 0;
};

/// Device string of the program: "auto" (cuda where it can run, else cpu), "cpu", "cuda", "reference".
/// Error(Unsupported) lists what this machine can run.
const Backend& find_backend(const std::string& device);
std::vector<std::string> available_devices();

/// Plain loops with double accumulation: the oracle (src/backend/reference).
const Backend& reference_backend();
/// Row-pointer kernels, instruction set chosen at run time (src/backend/cpu).
const Backend& cpu_backend();
/// Kernels for NVIDIA GPUs (src/backend/cuda). Error(Unsupported) with why_no_cuda().
const Backend& cuda_backend();
/// Why cuda_backend() cannot run: no kernels in this build, no driver, no device, too old a device. "" if it can.
const std::string& why_no_cuda();

}  // namespace loe
