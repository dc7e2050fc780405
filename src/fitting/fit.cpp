#include "loe/fitting/fit.h"

#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#include "loe/task/image_task.h"

namespace loe {
namespace {

void check_picture(const Model& model) {
  if (model.spec.parts.size() != 1 || model.spec.main().n_dims != 2 || model.spec.main().n_features() != 0) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[decode] model: expected a picture's, got one of the task \"{}\"; see the functions of its "
                    "task",
                    model.signal.task));
  }
}

FitResult fit_signal(std::shared_ptr<FitSignal> signal, const Settings& settings, const FitEvents& events) {
  FitRequest request;
  request.signal = std::move(signal);
  request.settings = settings;
  return fit(request, events);
}

}  // namespace

FitResult fit(const FitRequest& request, const FitEvents& events) {
  if (!request.resume.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[fit] resume: expected a fit without a run folder, got {}; continue it with run_fit",
                            request.resume));
  }
  const FitJob job = resolve_fit(request, events);
  ModelExecutor executor =
      compile(job.run.device, job.model, job.config.precision, job.run.threads, job.signal->max_group(job.config));
  RunState state = initial_run_state(job.model, job.config.seed, job.config.network.init);
  state.config_hash = job.config_hash;
  const std::unique_ptr<Problem> problem = job.signal->problem(job.config, job.run.device, job.run.threads);
  TrainerEvents heard;
  heard.on_log = events.on_progress;
  FitResult result;
  result.reason = train(*problem, executor, job.config.train, state, heard, events.should_stop);
  result.n_steps = state.step;
  result.seconds = state.seconds;
  result.model = {job.model, state.params.params, job.signal->info()};
  if (result.reason != StopReason::Cancelled) {
    ModelExecutor exact = compile(job.run.device, job.model, Precision::F32, job.run.threads);
    exact.set_params(result.model.params);
    result.evaluation = job.signal->evaluate(exact, [&](double share) { events.job("evaluating", share); });
  }
  return result;
}

FitResult fit(const std::string& path, const Settings& settings, const FitEvents& events) {
  FitRequest request;
  request.data = path;
  request.settings = settings;
  return fit(request, events);
}

FitResult fit(Image image, const Settings& settings, const FitEvents& events) {
  return fit_signal(picture_signal(std::move(image)), settings, events);
}

FitResult fit(Video video, const Settings& settings, const FitEvents& events) {
  return fit_signal(video_signal(std::move(video)), settings, events);
}

void decode_picture(const Model& model, const Region& region, const PictureSize& size, std::span<float> values,
                    const std::string& device) {
  check_picture(model);
  const std::size_t row = static_cast<std::size_t>(size.width) * model.spec.main().n_out();
  if (values.size() != row * size.height) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[decode] values: expected room for {} x {} x {} numbers, got {}", size.height, size.width,
                            model.spec.main().n_out(), values.size()));
  }
  ModelExecutor executor = compile(device, model.spec, Precision::F32, 0);
  executor.set_params(model.params);
  decode_image(executor.main(), model.signal.width, model.signal.height, region, size.width, size.height,
               [&](int first_row, int n_rows, const float* rows) {
                 std::copy_n(rows, row * n_rows, values.begin() + static_cast<std::ptrdiff_t>(row * first_row));
               });
}

Image decode_picture(const Model& model, const std::string& device) {
  check_picture(model);
  const SignalInfo& info = model.signal;
  Image image(info.width, info.height, model.spec.main().n_out(), pixel_type_from_string(info.pixel_type));
  image.tags = info.tags;
  std::vector<float> values(static_cast<std::size_t>(info.width) * info.height * image.n_channels());
  decode_picture(model, {0, 0, info.width, info.height}, {info.width, info.height}, values, device);
  for (int y = 0; y < info.height; ++y) {
    image.write_row(0, y, info.width, values.data() + static_cast<std::size_t>(y) * info.width * image.n_channels());
  }
  return image;
}

}  // namespace loe
