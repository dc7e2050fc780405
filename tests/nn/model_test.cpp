#include "loe/nn/model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "backend/network_builders.h"
#include "loe/base/error.h"
#include "loe/nn/network.h"

namespace loe {
namespace {

NetworkSpec network_of(int width) {
  test::NetworkRecipe recipe;
  recipe.widths = {width};
  return test::make_network(recipe);
}

ModelSpec two_networks() {
  ModelSpec model;
  model.parts = {{"coarse", network_of(4)}, {"fine", network_of(6)}};
  return model;
}

TEST(Model, OneNetworkKeepsItsNamesAndParameters) {
  const NetworkSpec network = network_of(4);
  const ModelSpec model = network;
  model.validate();
  EXPECT_EQ(model.n_params(), network.n_params());
  EXPECT_EQ(model.tensors()[0].name, "levels.0.weight");
  EXPECT_EQ(initial_params(model, 7), initial_params(network, 7));
}

TEST(Model, PartsLieOneBehindTheOther) {
  const ModelSpec model = two_networks();
  model.validate();
  const int64_t n_coarse = network_of(4).n_params();
  EXPECT_EQ(model.n_params(), n_coarse + network_of(6).n_params());
  EXPECT_EQ(model.param_offset(1), n_coarse);
  EXPECT_EQ(model.macs_per_sample(), network_of(6).macs_per_sample());
  int64_t end = 0;
  for (const TensorInfo& tensor : model.tensors()) {
    EXPECT_EQ(tensor.offset, end) << tensor.name;
    EXPECT_EQ(tensor.name.starts_with("coarse."), end < n_coarse) << tensor.name;
    end += tensor.size();
  }
  EXPECT_EQ(end, model.n_params());
  const std::vector<float> params = initial_params(model, 7);
  EXPECT_TRUE(std::equal(params.begin() + n_coarse, params.end(), initial_params(network_of(6), 8).begin()));
  const InitConfig shared = {.experts = ExpertInit::Shared};
  const std::vector<float> alike = initial_params(model, 7, shared);
  EXPECT_NE(alike, params);
  EXPECT_TRUE(std::equal(alike.begin() + n_coarse, alike.end(), initial_params(network_of(6), 8, shared).begin()));
}

TEST(Model, NamesMustTellPartsApart) {
  ModelSpec model = two_networks();
  model.parts[1].name = "coarse";
  EXPECT_THROW(model.validate(), Error);
  model.parts[1].name = "";
  EXPECT_THROW(model.validate(), Error);
  EXPECT_THROW(ModelSpec().validate(), Error);
}

TEST(Model, AStepOfOnePartLeavesTheOtherAlone) {
  const ModelSpec spec = two_networks();
  ModelExecutor model = compile(reference_backend(), spec, {});
  ParamState state;
  state.params = initial_params(spec, 1);
  state.adam_m.assign(state.params.size(), 0);
  state.adam_v.assign(state.params.size(), 0);
  model.set_params(state.params);
  const std::vector<float> before = state.params;

  struct Ones : SampleSource {
    int64_t n_samples() const override { return 4; }
    void fill(int64_t first, int64_t count, float* coords, float* targets) const override {
      for (int64_t i = 0; i < 2 * count; ++i) coords[i] = 0.1F * static_cast<float>(first + i);
      std::fill_n(targets, 3 * count, 1.0F);
    }
  } source;
  ASSERT_EQ(spec.main().n_dims, 2);
  ASSERT_EQ(spec.main().n_out(), 3);
  model[1].train_step(source, {}, model.slice(state, 1));
  const auto n_coarse = static_cast<std::ptrdiff_t>(spec.param_offset(1));
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + n_coarse, state.params.begin()));
  EXPECT_FALSE(std::equal(before.begin() + n_coarse, before.end(), state.params.begin() + n_coarse));

  // The executor keeps what it has learned, and set_params hands each part its own.
  std::vector<float> outputs(3);
  std::vector<float> again(3);
  const std::vector<float> p = {0.3F, 0.6F};
  model[1].forward({1, p, {}}, outputs);
  ModelExecutor fresh = compile(reference_backend(), spec, {});
  fresh.set_params(state.params);
  fresh.main().forward({1, p, {}}, again);
  EXPECT_EQ(outputs, again);
  EXPECT_THROW(fresh.set_params(std::span(state.params).first(5)), Error);
}

}  // namespace
}  // namespace loe
