// Losses over groups of samples: what a tile of whole groups gives equals the reference, on every backend.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "backend/cuda/emulated_backend.h"
#include "backend/network_builders.h"
#include "backend/rounding_model.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using test::make_network;
using test::NetworkRecipe;
using test::random_floats;
using test::random_params;

/// 1/2 |sum over the group of (weight of the sample * outputs) - target of the group|^2: every sample's gradient
/// depends on the whole group, as in a rendered ray.
class GroupSums final : public Objective {
 public:
  GroupSums(const NetworkSpec& spec, std::vector<int64_t> groups)
      : spec_(spec),
        groups_(std::move(groups)),
        n_samples_(groups_.back()),
        coords_(random_floats(n_samples_ * spec.n_dims, 0, 1, 61)),
        features_(random_floats(n_samples_ * spec.n_features(), -1, 1, 62)),
        weights_(random_floats(n_samples_, 0, 0.2, 63)) {}

  int64_t n_samples() const override { return n_samples_; }
  std::span<const int64_t> groups() const override { return groups_; }
  void fill(int64_t first, int64_t count, float* coords, float* features) const override {
    std::copy_n(coords_.begin() + first * spec_.n_dims, count * spec_.n_dims, coords);
    std::copy_n(features_.begin() + first * spec_.n_features(), count * spec_.n_features(), features);
  }
  double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const override {
    const int n_out = spec_.n_out();
    double loss = 0;
    auto begin = std::find(groups_.begin(), groups_.end(), first);
    EXPECT_NE(begin, groups_.end()) << "a tile that does not begin with a group";
    for (; *begin < first + count; ++begin) {
      EXPECT_LE(begin[1], first + count) << "a group that is cut";
      for (int o = 0; o < n_out; ++o) {
        double sum = -0.3 * o;
        for (int64_t i = begin[0]; i < begin[1]; ++i) sum += weights_[i] * outputs[(i - first) * n_out + o];
        loss += 0.5 * sum * sum;
        for (int64_t i = begin[0]; i < begin[1]; ++i) {
          output_grads[(i - first) * n_out + o] = static_cast<float>(weights_[i] * sum);
        }
      }
    }
    return loss;
  }

 private:
  const NetworkSpec& spec_;
  std::vector<int64_t> groups_;
  int64_t n_samples_;
  std::vector<float> coords_;
  std::vector<float> features_;
  std::vector<float> weights_;
};

/// Groups of 1 to 60 samples, so that no tile is full.
std::vector<int64_t> uneven_groups(int n_groups) {
  std::vector<int64_t> groups = {0};
  for (int i = 0; i < n_groups; ++i) groups.push_back(groups.back() + 1 + (i * 37) % 60);
  return groups;
}

NetworkSpec branched() {
  NetworkRecipe recipe;
  recipe.n_dims = 3;
  recipe.tile = {{2, 2, 2, 1}};
  recipe.widths = {24, 20};
  recipe.side_features = 5;
  return make_network(recipe);
}

TEST(Objective, EqualsTheReferenceOnEveryInstructionSet) {
  const NetworkSpec spec = branched();
  const GroupSums objective(spec, uneven_groups(60));
  const std::vector<float> params = random_params(spec, 9);
  const auto reference = reference_backend().compile(spec, {.max_group = 60});
  reference->set_params(params);
  std::vector<float> expected(params.size());
  const double expected_loss = reference->objective_gradients(objective, expected);
  EXPECT_GT(expected_loss, 0);
  const std::vector<double> exact(expected.begin(), expected.end());
  const auto check = [&](const Backend& backend, const std::string& isa) {
    SCOPED_TRACE(backend.name() + " " + isa);
    const auto executor = backend.compile(spec, {Precision::F32, 2, isa, 60});
    executor->set_params(params);
    std::vector<float> found(params.size());
    EXPECT_NEAR(executor->objective_gradients(objective, found), expected_loss, 1e-5 * expected_loss);
    double difference = 0;
    for (size_t k = 0; k < found.size(); ++k) difference += std::pow(found[k] - exact[k], 2);
    // Three layers of sums over up to 24 terms in f32 and 1,800 samples: some 1e-6 of the norm (rounding_model.h).
    EXPECT_LT(std::sqrt(difference), 2e-5 * test::norm(exact));
  };
  for (const std::string& isa : test::cpu_isas()) check(cpu_backend(), isa);
  for (const Backend* backend : test::cuda_backends()) check(*backend, "");
}

TEST(Objective, MatchesFiniteDifferences) {
  NetworkRecipe recipe;
  recipe.widths = {5};
  recipe.activation = {ActivationKind::Tanh};
  recipe.side_features = 2;
  const NetworkSpec spec = make_network(recipe);
  const GroupSums objective(spec, {0, 3, 4, 11});
  std::vector<float> params = random_params(spec, 9);
  const auto executor = reference_backend().compile(spec, {.max_group = 7});
  std::vector<float> gradient(params.size());
  std::vector<float> ignored(params.size());
  executor->set_params(params);
  executor->objective_gradients(objective, gradient);
  const float step = 0x1p-7F;
  for (size_t k = 0; k < params.size(); k += 3) {
    const float start = std::round(params[k] * 0x1p10F) * 0x1p-10F;  // the step is then exact
    params[k] = start + step;
    executor->set_params(params);
    const double above = executor->objective_gradients(objective, ignored);
    params[k] = start - step;
    executor->set_params(params);
    const double below = executor->objective_gradients(objective, ignored);
    params[k] = start;
    // The loss is rounded with its f32 outputs, the third derivative is of order 1.
    EXPECT_NEAR(gradient[k], (above - below) / (2 * step), 2e-3) << k;
  }
}

TEST(Objective, SameBitsForAnyThreadCountAndSmallerGroups) {
  const NetworkSpec spec = branched();
  const GroupSums objective(spec, uneven_groups(300));
  std::vector<std::vector<float>> results;
  for (const int n_threads : {1, 2, 5}) {
    const auto executor = cpu_backend().compile(spec, {Precision::Mixed, n_threads, "", 60});
    ParamState state{random_params(spec, 9), {}, {}};
    state.adam_m.assign(state.params.size(), 0);
    state.adam_v.assign(state.params.size(), 0);
    executor->set_params(state.params);
    const double first = executor->train_step(objective, {.learning_rate = 0.01, .t = 1}, state);
    const double second = executor->train_step(objective, {.learning_rate = 0.01, .t = 2}, state);
    EXPECT_LT(second, first);
    results.push_back(state.params);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

class NotFinite final : public Objective {
 public:
  int64_t n_samples() const override { return 3; }
  void fill(int64_t, int64_t count, float* coords, float*) const override { std::fill_n(coords, 2 * count, 0.5F); }
  double loss(int64_t, int64_t count, const float*, float* output_grads) const override {
    std::fill_n(output_grads, 3 * count, 0.0F);
    return std::nan("");
  }
};

TEST(Objective, RefusesWrongGroupsAndKeepsTheStateIfTheLossIsNotFinite) {
  const NetworkSpec spec = make_network({});
  for (const Backend* backend : test::all_backends()) {
    const auto executor = backend->compile(spec, {.max_group = 8});
    std::vector<float> gradient(spec.n_params());
    for (const std::vector<int64_t>& groups :
         std::vector<std::vector<int64_t>>{{0, 9}, {1, 4}, {0, 4, 4, 6}, {0, 5, 3}}) {
      EXPECT_THROW(executor->objective_gradients(GroupSums(spec, groups), gradient), Error);
    }
    std::vector<float> too_small(1);
    EXPECT_THROW(executor->objective_gradients(GroupSums(spec, {0, 2}), too_small), Error);
    ParamState state{random_params(spec, 9), std::vector<float>(spec.n_params()), std::vector<float>(spec.n_params())};
    const ParamState before = state;
    executor->set_params(state.params);
    EXPECT_TRUE(std::isnan(executor->train_step(NotFinite(), {.t = 1}, state)));
    executor->download(state);
    EXPECT_EQ(state.params, before.params);
    EXPECT_EQ(state.adam_m, before.adam_m);
  }
}

}  // namespace
}  // namespace loe
