// What an emulated executor computes, to be compared with another's.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "backend/cuda/executor.h"
#include "backend/network_builders.h"

namespace loe::test {

/// What a caller can see, from one executor.
struct Results {
  std::vector<float> outputs;
  std::vector<float> grads;
  std::vector<float> feature_grads;
  double loss = 0;
  ParamState state;
};

template <typename FM, typename BM>
Results run(const cuda::NetworkPlan& plan, int64_t n, double coordinate_range = 1) {
  const NetworkSpec& spec = plan.spec;
  cuda::NetworkExecutor<FM, BM> executor(plan, {}, "");
  const auto n_params = static_cast<std::size_t>(plan.n_params);
  const std::vector<float> coords = random_floats(n * spec.n_dims, 0, coordinate_range, 1);
  const std::vector<float> features = random_floats(n * spec.n_features(), -1, 1, 2);
  Results r;
  r.state = {random_params(spec, 3), std::vector<float>(n_params), std::vector<float>(n_params)};
  r.outputs.resize(static_cast<std::size_t>(n * spec.n_out()));
  r.grads.resize(n_params);
  r.feature_grads.resize(static_cast<std::size_t>(n * spec.input.n_features));
  executor.set_params(r.state.params);
  executor.forward({n, coords, features}, r.outputs);
  executor.backward({n, coords, features}, random_floats(n * spec.n_out(), -1, 1, 4), r.grads, r.feature_grads);
  if (spec.n_features() > 0) return r;
  const ArraySource source(coords, random_floats(n * spec.n_out(), 0, 1, 5), n);
  r.loss = executor.train_step(source, {.learning_rate = 0.01, .t = 1}, r.state);
  executor.download(r.state);
  return r;
}

inline void expect_equal(const Results& found, const Results& expected) {
  EXPECT_EQ(found.outputs, expected.outputs);
  EXPECT_EQ(found.grads, expected.grads);
  EXPECT_EQ(found.feature_grads, expected.feature_grads);
  EXPECT_NEAR(found.loss, expected.loss, 1e-13 * expected.loss);  // another order of a sum in double
  EXPECT_EQ(found.state.params, expected.state.params);
  EXPECT_EQ(found.state.adam_m, expected.state.adam_m);
  EXPECT_EQ(found.state.adam_v, expected.state.adam_v);
}

}  // namespace loe::test
