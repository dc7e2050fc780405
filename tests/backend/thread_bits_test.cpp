// Same bits for any number of threads, in all backend cases, over and over: what one thread writes where another reads
// shows in few of many runs. LOE_STRESS_ROUNDS=100 looks longer, and at every instruction set.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend_cases.h"
#include "loe/backend/backend.h"

namespace loe {
namespace {

using test::ArraySource;
using test::BackendCase;
using test::DrawnCase;

/// 0: the short run of the suite.
int stress_rounds() {
  const char* const text = std::getenv("LOE_STRESS_ROUNDS");
  return text == nullptr ? 0 : std::atoi(text);
}

/// All that an executor computes.
struct Results {
  std::vector<float> outputs;
  std::vector<float> param_grads;
  std::vector<float> feature_grads;
  std::vector<double> losses;
  std::vector<float> params;
  std::vector<float> adam_m;
  std::vector<float> adam_v;
  bool operator==(const Results&) const = default;
};

class ThreadBits : public testing::TestWithParam<std::tuple<Precision, BackendCase>> {
 protected:
  /// The case's samples again and again: enough for several tiles, chunks and threads.
  ThreadBits() : drawn_(std::get<1>(GetParam())) {
    constexpr int64_t kSamples = 2500;
    const int64_t repeats = drawn_.n_samples == 0 ? 0 : (kSamples + drawn_.n_samples - 1) / drawn_.n_samples;
    for (int64_t i = 0; i < repeats; ++i) {
      append(drawn_.coords, coords_);
      append(drawn_.features, features_);
      append(drawn_.output_grads, output_grads_);
      append(drawn_.targets, targets_);
    }
    n_samples_ = repeats * drawn_.n_samples;
  }

  std::unique_ptr<Executor> compile(int n_threads, const std::string& isa) const {
    ExecutorOptions options;
    options.precision = std::get<0>(GetParam());
    options.n_threads = n_threads;
    options.isa = isa;
    std::unique_ptr<Executor> executor = cpu_backend().compile(drawn_.spec, options);
    executor->set_params(drawn_.params);
    return executor;
  }

  Results run(Executor& executor) const {
    const BatchView batch{n_samples_, coords_, features_};
    Results results;
    executor.set_params(drawn_.params);
    results.outputs.resize(n_samples_ * drawn_.spec.n_out());
    results.param_grads.resize(drawn_.params.size());
    const bool has_grads = drawn_.spec.input.kind == InputKind::Features;
    results.feature_grads.resize(has_grads ? n_samples_ * drawn_.spec.n_in() : 0);
    executor.forward(batch, results.outputs);
    executor.backward(batch, output_grads_, results.param_grads, results.feature_grads);
    if (n_samples_ == 0 || drawn_.spec.n_features() > 0) return results;
    ParamState state;
    state.params = drawn_.params;
    state.adam_m.assign(state.params.size(), 0.0F);
    state.adam_v.assign(state.params.size(), 0.0F);
    const ArraySource source(coords_, targets_, n_samples_);
    // From the third equal batch on routes are remembered.
    for (int64_t t = 1; t <= 3; ++t) results.losses.push_back(executor.train_step(source, {.t = t}, state));
    executor.download(state);
    results.params = state.params;
    results.adam_m = state.adam_m;
    results.adam_v = state.adam_v;
    return results;
  }

 private:
  static void append(const std::vector<float>& from, std::vector<float>& to) {
    to.insert(to.end(), from.begin(), from.end());
  }

  DrawnCase drawn_;
  int64_t n_samples_ = 0;
  std::vector<float> coords_;
  std::vector<float> features_;
  std::vector<float> output_grads_;
  std::vector<float> targets_;
};

TEST_P(ThreadBits, AreTheSameInEveryRun) {
  const int n_rounds = stress_rounds();
  const std::vector<std::string> isas = n_rounds > 0 ? test::cpu_isas() : std::vector<std::string>{""};
  for (const std::string& isa : isas) {
    SCOPED_TRACE(isa);
    const Results expected = run(*compile(1, isa));
    for (const int n_threads : {1, 2, 3, 7}) {
      const std::unique_ptr<Executor> executor = compile(n_threads, isa);
      for (int round = 0; round < std::max(1, n_rounds); ++round) {
        ASSERT_TRUE(run(*executor) == expected) << n_threads << " threads, round " << round;
      }
    }
  }
}

std::string case_name(const testing::TestParamInfo<ThreadBits::ParamType>& param) {
  return std::string(to_string(std::get<0>(param.param))) + "_" + std::get<1>(param.param).name;
}

INSTANTIATE_TEST_SUITE_P(Cases, ThreadBits,
                         testing::Combine(testing::Values(Precision::F32, Precision::Mixed, Precision::Bf16),
                                          testing::ValuesIn(test::backend_cases())),
                         case_name);

}  // namespace
}  // namespace loe
