#include "loe/nn/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "loe/base/error.h"
#include "loe/nn/network.h"

namespace loe {

int64_t ModelSpec::n_params() const {
  return param_offset(parts.size());
}

int64_t ModelSpec::param_offset(std::size_t part) const {
  int64_t offset = 0;
  for (std::size_t i = 0; i < part; ++i) {
    offset += parts[i].network.n_params();
  }
  return offset;
}

std::vector<TensorInfo> ModelSpec::tensors() const {
  std::vector<TensorInfo> all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (TensorInfo& info : parts[i].network.tensors()) {
      if (!parts[i].name.empty()) {
        info.name = parts[i].name + "." + info.name;
      }
      info.offset += param_offset(i);
      all.push_back(std::move(info));
    }
  }
  return all;
}

void ModelSpec::validate() const {
  if (parts.empty()) {
    throw Error(ErrorKind::InvalidArgument, "[model] networks: expected at least one, got none");
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].network.validate();
    const auto same = [&](const Part& other) { return other.name == parts[i].name; };
    if (parts.size() > 1 && (parts[i].name.empty() || std::count_if(parts.begin(), parts.end(), same) > 1)) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[model] networks: expected a name of its own for each of {}, got '{}' for number {}",
                              parts.size(), parts[i].name, i));
    }
  }
}

std::vector<float> initial_params(const ModelSpec& spec, uint64_t seed, const InitConfig& init) {
  std::vector<float> all;
  all.reserve(static_cast<std::size_t>(spec.n_params()));
  for (std::size_t i = 0; i < spec.parts.size(); ++i) {
    const std::vector<float> params = initial_params(spec.parts[i].network, seed + i, init);
    all.insert(all.end(), params.begin(), params.end());
  }
  return all;
}

ModelExecutor::ModelExecutor(ModelSpec spec, std::vector<std::shared_ptr<Executor>> executors)
    : spec_(std::move(spec)), executors_(std::move(executors)) {
  if (spec_.parts.empty() || executors_.size() != spec_.parts.size()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[model] executors: expected one for each of {} networks, got {}", spec_.parts.size(),
                            executors_.size()));
  }
}

void ModelExecutor::set_params(std::span<const float> params) {
  if (static_cast<int64_t>(params.size()) != spec_.n_params()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[model] parameters: expected {}, got {}", spec_.n_params(), params.size()));
  }
  for (std::size_t i = 0; i < executors_.size(); ++i) {
    executors_[i]->set_params(params.subspan(static_cast<std::size_t>(spec_.param_offset(i)),
                                             static_cast<std::size_t>(spec_.parts[i].network.n_params())));
  }
}

void ModelExecutor::download(ParamState& state) {
  for (std::size_t i = 0; i < executors_.size(); ++i) {
    executors_[i]->download(slice(state, i));
  }
}

ParamSlice ModelExecutor::slice(ParamState& state, std::size_t part) const {
  return ParamSlice(state).slice(spec_.param_offset(part), spec_.parts[part].network.n_params());
}

ModelExecutor compile(const Backend& backend, const ModelSpec& spec, const ExecutorOptions& options) {
  std::vector<std::shared_ptr<Executor>> executors;
  for (const ModelSpec::Part& part : spec.parts) {
    executors.push_back(backend.compile(part.network, options));
  }
  return {spec, std::move(executors)};
}

}  // namespace loe
