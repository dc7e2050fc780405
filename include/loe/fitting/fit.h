// Fit something, look at what it became: the few calls that most programs need. No file is written.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "loe/fitting/fit_job.h"
#include "loe/io/model_file.h"
#include "loe/signal/image.h"
#include "loe/signal/video.h"
#include "loe/task/region.h"

namespace loe {

/// A fitted network, and how close it is.
struct FitResult {
  Model model;                               ///< for write_model, decode_picture and the executors of nn/model.h
  Evaluation evaluation;                     ///< of the whole signal, in f32
  StopReason reason = StopReason::MaxSteps;  ///< Cancelled: should_stop said so; then nothing was evaluated
  int64_t n_steps = 0;
  double seconds = 0;
};

/// Fits a network to what the request names: a file, a folder or a signal in memory. Deterministic for a seed unless a
/// time limit decides. For a run that can be resumed: resolve_fit and run_fit.
/// Error of resolve_fit, Error(Numerical) if the training diverges, Error(InvalidArgument) for a request to resume.
FitResult fit(const FitRequest& request, const FitEvents& events = {});
/// The same for the data at a path, and for a picture or a video in memory.
FitResult fit(const std::string& path, const Settings& settings = {}, const FitEvents& events = {});
FitResult fit(Image image, const Settings& settings = {}, const FitEvents& events = {});
FitResult fit(Video video, const Settings& settings = {}, const FitEvents& events = {});

/// A part of a picture as the model has it, at any size: values [size.height, size.width, n_channels], as the network
/// gives them (not clipped). Error(InvalidArgument) if the model is no picture's or values has another length. Each
/// call compiles the network: for many parts, decode_image (task/image_task.h) with one executor.
void decode_picture(const Model& model, const Region& region, const PictureSize& size, std::span<float> values,
                    const std::string& device = "auto");
/// The whole picture in its own size, type and tags.
Image decode_picture(const Model& model, const std::string& device = "auto");

}  // namespace loe
