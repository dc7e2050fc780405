// What an update may come to, given the reference's gradients and rounded ones.
#pragma once

#include <span>
#include <vector>

#include "backend/network_builders.h"
#include "backend/reference/adam.h"
#include "backend/rounding_model.h"

namespace loe::test {

/// Moments of the size that a run has after some steps, so that an update is a smooth function of the gradient.
inline ParamState state_after_some_steps(const std::vector<float>& params, const std::vector<double>& grads) {
  const double size = norm(grads) / std::sqrt(static_cast<double>(grads.size()));
  ParamState state{params, random_floats(static_cast<int64_t>(params.size()), -size, size, 5), {}};
  state.adam_v = random_floats(static_cast<int64_t>(params.size()), 0.5 * size * size, 2 * size * size, 6);
  return state;
}

/// The reference's update: of the layers, and of the embedding's tables by their own rule.
inline void reference_step(const NetworkSpec& spec, const AdamUpdate& update, std::span<const double> grads,
                           ParamState& state) {
  const int64_t tables = spec.embedding_offset();
  const auto n_params = static_cast<int64_t>(grads.size());
  ParamSlice all(state);
  reference::adam_step(update, grads.first(tables), all.slice(0, tables));
  if (tables < n_params && update.moves_embedding()) {
    reference::adam_step(update.of_embedding(), grads.subspan(tables), all.slice(tables, n_params - tables),
                         update.embedding.skips_zeros);
  }
}

/// What Adam makes of the reference's gradients, and of the rounded ones in f32.
struct StepExpectation {
  Expectation params;
  Expectation adam_m;
  Expectation adam_v;

  StepExpectation(const NetworkSpec& spec, const Expectation& grads, const ParamState& start,
                  const AdamUpdate& update) {
    ParamState end = start;
    reference_step(spec, update, grads.exact, end);
    params.exact.assign(end.params.begin(), end.params.end());
    adam_m.exact.assign(end.adam_m.begin(), end.adam_m.end());
    adam_v.exact.assign(end.adam_v.begin(), end.adam_v.end());
    Uniform uniform(7);
    for (const std::vector<double>& run : grads.runs) {
      ParamState rounded = start;
      reference_step(spec, update, run, rounded);
      std::vector<double>& run_params = params.runs.emplace_back(rounded.params.begin(), rounded.params.end());
      std::vector<double>& run_m = adam_m.runs.emplace_back(rounded.adam_m.begin(), rounded.adam_m.end());
      std::vector<double>& run_v = adam_v.runs.emplace_back(rounded.adam_v.begin(), rounded.adam_v.end());
      // About ten roundings lead from the gradient to the step, four to each moment, one to the parameter.
      for (size_t k = 0; k < run_params.size(); ++k) {
        const double step = run_params[k] - start.params[k];
        const double m_terms = std::abs(run_m[k]) + std::abs(start.adam_m[k]);
        run_params[k] += kUnitF32 * (std::abs(run_params[k]) + 10 * std::abs(step)) * uniform(-1, 1);
        run_m[k] += 4 * kUnitF32 * m_terms * uniform(-1, 1);
        run_v[k] += 4 * kUnitF32 * run_v[k] * uniform(-1, 1);
      }
    }
  }

  void check(const ParamState& found, const std::vector<Block>& blocks) const {
    SCOPED_TRACE("after an update");
    params.check(found.params, blocks);
    adam_m.check(found.adam_m, blocks);
    adam_v.check(found.adam_v, blocks);
  }
};

}  // namespace loe::test
