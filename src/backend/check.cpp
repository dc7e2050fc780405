#include "backend/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "loe/backend/adam.h"
#include "loe/backend/product_chunks.h"
#include "loe/base/error.h"

namespace loe {

void check_size(const char* what, int64_t n_expected, const char* shape, size_t n_found) {
  if (n_found != static_cast<size_t>(n_expected)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[executor] {}: expected {} numbers ({}), got {}", what, n_expected, shape, n_found));
  }
}

void check_batch(const NetworkSpec& spec, const BatchView& batch) {
  if (batch.n_samples < 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[executor] n_samples: expected 0 or more, got {}", batch.n_samples));
  }
  check_size("coords", batch.n_samples * spec.n_dims, "[B, n_dims]", batch.coords.size());
  const int n_features = spec.n_features();
  check_size("features", batch.n_samples * n_features,
             n_features > 0 ? "[B, n_features]" : "the input of this network takes none", batch.features.size());
}

void check_backward(const NetworkSpec& spec, const BatchView& batch, std::span<const float> output_grads,
                    std::span<const float> param_grads, std::span<const float> feature_grads) {
  check_batch(spec, batch);
  check_size("output_grads", batch.n_samples * spec.n_out(), "[B, n_out]", output_grads.size());
  check_size("param_grads", spec.n_params(), "[n_params]", param_grads.size());
  if (feature_grads.empty()) {
    return;
  }
  if (spec.input.kind == InputKind::Features) {
    check_size("feature_grads", batch.n_samples * spec.input.n_features, "[B, n_features]", feature_grads.size());
  } else {
    check_size("feature_grads", 0, "the input of this network takes none", feature_grads.size());
  }
}

void check_source(const NetworkSpec& spec, const SampleSource& source) {
  if (source.n_samples() < 1) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[executor] source: expected at least 1 sample, got {}", source.n_samples()));
  }
  if (spec.n_features() > 0) {
    throw Error(ErrorKind::InvalidArgument,
                "[executor] source: expected a network fed by coordinates, got one with features, which a sample "
                "source does not supply; use forward and backward");
  }
}

void check_pixels(const NetworkSpec& spec, int64_t n_samples, const PixelSamples& pixels) {
  constexpr int64_t kMaxSide = 65536;
  const auto expect = [](bool condition, const char* what, int64_t expected, int64_t found) {
    if (condition) return;
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[executor] pixels: expected {} {}, got {}", expected, what, found));
  };
  expect(pixels.n_dims == spec.n_dims, "dimensions", spec.n_dims, pixels.n_dims);
  expect(pixels.n_dims == 2 || pixels.n_dims == 3, "or 3 dimensions", 2, pixels.n_dims);
  expect(pixels.n_channels == spec.n_out(), "channels (outputs of the network)", spec.n_out(), pixels.n_channels);
  for (const int64_t size : pixels.size) expect(size >= 1 && size <= kMaxSide, "pixels a side at most", kMaxSide, size);
  expect(pixels.n_dims == 3 || pixels.size[2] == 1, "frame in a picture", 1, pixels.size[2]);
  expect(std::ssize(pixels.frames) == pixels.size[2], "frames", pixels.size[2], std::ssize(pixels.frames));
  expect(pixels.n_samples == n_samples, "samples, as the source has", n_samples, pixels.n_samples);
  if (pixels.every_pixel) expect(n_samples == pixels.n_pixels(), "samples, every pixel", pixels.n_pixels(), n_samples);
  if (pixels.signal == 0) {
    throw Error(ErrorKind::InvalidArgument, "[executor] pixels: expected a signal from new_signal_id(), got 0");
  }
}

namespace {

void check_update(const NetworkSpec& spec, const AdamUpdate& update, const ParamSlice& state) {
  validate(update);
  check_size("state.params", spec.n_params(), "[n_params]", state.params.size());
  check_size("state.adam_m", spec.n_params(), "[n_params]", state.adam_m.size());
  check_size("state.adam_v", spec.n_params(), "[n_params]", state.adam_v.size());
}

}  // namespace

void check_options(const ExecutorOptions& options) {
  constexpr int kMaxGroup = 65536;
  if (options.max_group < 1 || options.max_group > kMaxGroup) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[executor] max_group: expected 1..{} samples, got {}", kMaxGroup, options.max_group));
  }
}

void check_objective(const Objective& objective, int max_group) {
  const auto fail = [](const std::string& message) {
    throw Error(ErrorKind::InvalidArgument, "[executor] objective: " + message);
  };
  const int64_t n_samples = objective.n_samples();
  if (n_samples < 0) {
    fail(fmt::format("expected 0 or more samples, got {}", n_samples));
  }
  const std::span<const int64_t> groups = objective.groups();
  if (groups.empty()) {
    return;
  }
  if (groups.front() != 0 || groups.back() != n_samples) {
    fail(fmt::format("expected groups from 0 to {}, got {} to {}", n_samples, groups.front(), groups.back()));
  }
  for (size_t i = 0; i + 1 < groups.size(); ++i) {
    const int64_t size = groups[i + 1] - groups[i];
    if (size < 1 || size > max_group) {
      fail(fmt::format("expected groups of 1..{} samples (max_group of the options), got {} in group {}", max_group,
                       size, i));
    }
  }
}

void check_rays(const NetworkSpec& spec, const Objective& objective, const RayLoss& rays) {
  const auto expect = [](const char* what, int64_t expected, int64_t found) {
    if (expected == found) return;
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[executor] rays: expected {} {}, got {}", expected, what, found));
  };
  expect("coordinates of the network", 3, spec.n_dims);
  expect("outputs of the network", 4, spec.n_out());
  const int64_t n_rays = rays.n_rays();
  const int64_t n_samples = objective.n_samples();
  if (n_rays < 1) throw Error(ErrorKind::InvalidArgument, "[executor] rays: expected one or more, got none");
  expect("numbers in origins [R, 3]", 3 * n_rays, std::ssize(rays.origins));
  expect("numbers in directions [R, 3]", 3 * n_rays, std::ssize(rays.directions));
  expect("numbers in encoded_directions [R, n_features]", spec.n_features() * n_rays,
         std::ssize(rays.encoded_directions));
  expect("numbers in targets [R, 3]", 3 * n_rays, std::ssize(rays.targets));
  expect("numbers in backgrounds [R, 3]", 3 * n_rays, std::ssize(rays.backgrounds));
  expect("distances t, as the objective has samples", n_samples, std::ssize(rays.t));
  expect("intervals delta, as the objective has samples", n_samples, std::ssize(rays.delta));
  expect("weights, as the objective has samples", n_samples, std::ssize(rays.weights));
  // Without rays that have no samples, offsets are the groups, which are in order.
  std::vector<int64_t> ends = {0};
  for (const int64_t offset : rays.offsets) {
    if (offset != ends.back()) ends.push_back(offset);
  }
  expect("as the first offset", 0, rays.offsets.front());
  expect("as the last offset", n_samples, ends.back());
  const std::span<const int64_t> groups = objective.groups();
  const bool is_same =
      n_samples == 0 ? ends.size() == 1 : std::equal(ends.begin(), ends.end(), groups.begin(), groups.end());
  if (!is_same) {
    throw Error(ErrorKind::InvalidArgument,
                "[executor] rays: expected those that have samples to be the objective's groups, got others");
  }
}

void check_train_step(const NetworkSpec& spec, const Objective& objective, int max_group, const AdamUpdate& update,
                      const ParamSlice& state) {
  check_objective(objective, max_group);
  check_update(spec, update, state);
}

void check_train_step(const NetworkSpec& spec, const SampleSource& source, const AdamUpdate& update,
                      const ParamSlice& state) {
  check_source(spec, source);
  check_update(spec, update, state);
}

void check_train_step(const NetworkSpec& spec, const ProductSamples& samples, const AdamUpdate& update,
                      const ParamSlice& state) {
  const ProductChunks& chunks = samples.chunks();
  const auto fits = [&](const ProductChunks::Level& level) {
    return level.layer < static_cast<int>(spec.layers.size()) &&
           level.experts.back() < spec.layers[level.layer].n_experts();
  };
  if (chunks.n_dims() != spec.n_dims || !std::all_of(chunks.levels().begin(), chunks.levels().end(), fits)) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[executor] product chunks: expected them made for this network ({} dimensions, {} layers), "
                    "got those of another; make them from the executor's spec()",
                    spec.n_dims, spec.layers.size()));
  }
  check_update(spec, update, state);
}

}  // namespace loe
