// Networks that are trained, evaluated and saved together.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/backend/network_spec.h"
#include "loe/nn/network.h"

namespace loe {

/// A picture's or a video's model is one network without a name; a radiance field's two, "coarse" and "fine". Their
/// parameters lie one behind the other in one flat buffer.
struct ModelSpec {
  struct Part {
    std::string name;  ///< "" if it is the only one
    NetworkSpec network;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;

  ModelSpec() = default;
  ModelSpec(NetworkSpec network) { parts.push_back({"", std::move(network)}); }

  /// The network whose outputs are the model's: the last.
  const NetworkSpec& main() const { return parts.back().network; }
  int64_t n_params() const;
  /// Of one sample in main().
  int64_t macs_per_sample() const { return main().macs_per_sample(); }
  /// Where a part's parameters start.
  int64_t param_offset(std::size_t part) const;
  /// Tensors of all parts, "levels.0.weight" or "fine.levels.0.weight", with offsets in the flat buffer.
  std::vector<TensorInfo> tensors() const;
  /// Error(InvalidArgument) unless there is a part, parts are valid, and several have different names.
  void validate() const;
  bool operator==(const ModelSpec&) const = default;
};

/// initial_params of each part, the k-th with seed + k.
std::vector<float> initial_params(const ModelSpec& spec, uint64_t seed, const InitConfig& init = {});

/// The executors of a model's parts, in order.
class ModelExecutor {
 public:
  /// Error(InvalidArgument) if there are not as many executors as parts.
  ModelExecutor(ModelSpec spec, std::vector<std::shared_ptr<Executor>> executors);
  /// A model of one network, whose executor the caller keeps alive.
  explicit ModelExecutor(Executor& executor)
      : ModelExecutor(executor.spec(), {std::shared_ptr<Executor>(std::shared_ptr<void>(), &executor)}) {}

  const ModelSpec& spec() const { return spec_; }
  Executor& operator[](std::size_t part) { return *executors_[part]; }
  /// The executor of ModelSpec::main().
  Executor& main() { return *executors_.back(); }
  const Executor& main() const { return *executors_.back(); }
  /// Hands each executor its part of the flat buffer.
  void set_params(std::span<const float> params);
  /// Executor::download for each part of a state of the whole model.
  void download(ParamState& state);
  /// The part of a state of the whole model.
  ParamSlice slice(ParamState& state, std::size_t part) const;

 private:
  ModelSpec spec_;
  std::vector<std::shared_ptr<Executor>> executors_;
};

/// All parts with the same options. Errors of Backend::compile.
ModelExecutor compile(const Backend& backend, const ModelSpec& spec, const ExecutorOptions& options);

}  // namespace loe
