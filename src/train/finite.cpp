#include "train/finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace loe {
namespace {

/// Index of the first value that is not finite, or -1.
int64_t first_non_finite(const float* values, int64_t count) {
  const float* end = values + count;
  const float* found = std::find_if_not(values, end, [](float value) { return std::isfinite(value); });
  return found == end ? -1 : found - values;
}

}  // namespace

std::string find_non_finite(const ModelSpec& spec, const ParamState& state) {
  const std::pair<const char*, const std::vector<float>*> buffers[] = {
      {"params", &state.params}, {"adam_m", &state.adam_m}, {"adam_v", &state.adam_v}};
  for (const auto& [name, values] : buffers) {
    for (const TensorInfo& tensor : spec.tensors()) {
      const float* begin = values->data() + tensor.offset;
      const int64_t index = first_non_finite(begin, tensor.size());
      if (index >= 0) {
        return fmt::format("{} of {} (element {} is {})", name, tensor.name, index, begin[index]);
      }
    }
  }
  return "";
}

std::string find_non_finite_target(const SampleSource& source, int n_dims, int n_out) {
  constexpr int64_t kChunk = 4096;
  std::vector<float> coords(kChunk * n_dims);
  std::vector<float> targets(kChunk * n_out);
  for (int64_t first = 0; first < source.n_samples(); first += kChunk) {
    const int64_t count = std::min(kChunk, source.n_samples() - first);
    source.fill(first, count, coords.data(), targets.data());
    const int64_t index = first_non_finite(targets.data(), count * n_out);
    if (index >= 0) {
      return fmt::format("target of sample {}, output {} is {}", first + index / n_out, index % n_out, targets[index]);
    }
  }
  return "";
}

}  // namespace loe
