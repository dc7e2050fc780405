// What every executor checks before it reads a span: the same mistakes get the same messages on every backend.
#pragma once

#include <cstdint>
#include <span>

#include "loe/backend/backend.h"

namespace loe {

/// Error(InvalidArgument) unless coords and features have the sizes that the spec and n_samples ask for.
void check_batch(const NetworkSpec& spec, const BatchView& batch);

/// Error(InvalidArgument) `[executor] what: expected n_expected numbers (shape), got n_found`.
void check_size(const char* what, int64_t n_expected, const char* shape, size_t n_found);

/// check_batch, and output_grads [B, n_out], param_grads [n_params()], feature_grads empty or [B, n_features].
void check_backward(const NetworkSpec& spec, const BatchView& batch, std::span<const float> output_grads,
                    std::span<const float> param_grads, std::span<const float> feature_grads);

/// At least one sample (the mean over none is undefined), and an input that a SampleSource can feed: not Features.
void check_source(const NetworkSpec& spec, const SampleSource& source);

/// Error(InvalidArgument) unless the pixels that a source describes are its samples, and a signal: as many of them, the
/// network's dimensions and outputs as channels, sizes and frames within their ranges.
void check_pixels(const NetworkSpec& spec, int64_t n_samples, const PixelSamples& pixels);

/// What no backend can do, whatever its precisions and instruction sets: max_group outside 1..65536.
void check_options(const ExecutorOptions& options);

/// Groups that cover the samples in order, none empty or larger than max_group.
void check_objective(const Objective& objective, int max_group);

/// Error(InvalidArgument) unless the rays that a (checked) objective describes are its groups, of a network with three
/// coordinates and four outputs, and every array has its size.
void check_rays(const NetworkSpec& spec, const Objective& objective, const RayLoss& rays);

/// check_objective, a valid update, and three buffers of n_params().
void check_train_step(const NetworkSpec& spec, const Objective& objective, int max_group, const AdamUpdate& update,
                      const ParamSlice& state);

/// check_source, a valid update, and three buffers of n_params().
void check_train_step(const NetworkSpec& spec, const SampleSource& source, const AdamUpdate& update,
                      const ParamSlice& state);

/// Chunks for a network with these dimensions and tiles, a valid update, and three buffers of n_params().
void check_train_step(const NetworkSpec& spec, const ProductSamples& samples, const AdamUpdate& update,
                      const ParamSlice& state);

}  // namespace loe
