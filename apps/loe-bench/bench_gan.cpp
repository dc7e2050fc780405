// `loe bench step --workload gan`: a step of Table 4's "Ours" on pictures of 64 x 64, and where its time goes.
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench.h"
#include "bench_measure.h"
#include "bench_peaks.h"
#include "bench_workload.h"
#include "loe/backend/conv_net.h"
#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/task/gan_task.h"

namespace loe::app {
namespace {

constexpr uint64_t kSeed = 7;
constexpr int kSide = 64;
constexpr int64_t kPictures = 64;
constexpr int64_t kDefaultBatch = 16;

/// Pictures of noise: what is seen decides no time.
PictureSet noisy_pictures() {
  std::vector<uint8_t> pixels(static_cast<std::size_t>(kPictures * 3 * kSide * kSide));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<uint8_t>(random_words(kSeed, RandomStream::Samples, i)[0]);
  }
  return {kSide, std::move(pixels)};
}

class GanBench {
 public:
  GanBench(Precision precision, const BenchOptions& options)
      : precision_(precision),
        pictures_(noisy_pictures()),
        config_(bench_config(precision, options)),
        model_(build_model(config_), {compile_for(options, build_model(config_).main(), precision)}),
        problem_(pictures_, config_, options.device, options.threads),
        state_(initial_run_state(model_.spec(), kSeed)),
        peaks_(options.device, model_.main().n_threads()),
        discriminator_device_(conv_device(options.device)) {
    model_.set_params(state_.params.params);
  }

  void run(int n_repeats) {
    step();
    for (int i = 0; i < n_repeats; ++i) {
      peaks_.sample(precision_);
      const GanProblem::Times before = problem_.times();
      seconds_.add(time_seconds([&] { step(); }));
      const GanProblem::Times& after = problem_.times();
      forward_.add(after.generator_forward - before.generator_forward);
      update_.add(after.generator_update - before.generator_update);
      discriminator_.add(after.discriminator - before.discriminator);
      picture_gradient_.add(after.picture_gradient - before.picture_gradient);
      peaks_.sample(precision_);
    }
  }

  nlohmann::ordered_json record() const {
    const NetworkSpec& spec = model_.spec().main();
    const int64_t samples = config_.batch_size * kSide * kSide;
    // One forward pass for the pictures; another one, and the backward pass, for the update.
    const double flops = flops_per_step(spec, samples) +
                         2.0 * static_cast<double>(samples) * static_cast<double>(spec.macs_per_sample());
    const double generator = forward_.median() + update_.median();
    const double gflops = 1e-9 * flops / generator;
    nlohmann::ordered_json record = {{"workload", kGanWorkload},
                                     {"precision", to_string(precision_)},
                                     {"batch", config_.batch_size},
                                     {"samples", samples},
                                     {"threads", model_.main().n_threads()},
                                     {"seconds_per_step", seconds_.median()},
                                     {"seconds_min", seconds_.min()},
                                     {"seconds_max", seconds_.max()},
                                     {"samples_per_second", static_cast<double>(samples) / seconds_.median()},
                                     {"generator_seconds", generator},
                                     {"generator_forward_seconds", forward_.median()},
                                     {"generator_update_seconds", update_.median()},
                                     {"discriminator_update_seconds", discriminator_.median()},
                                     {"picture_gradient_seconds", picture_gradient_.median()},
                                     {"discriminator_device", discriminator_device_.device},
                                     {"gflops", gflops}};
    if (!discriminator_device_.reason.empty()) record["why_not_cuda"] = discriminator_device_.reason;
    peaks_.describe(spec, precision_, record);
    if (peaks_.is_measured()) record["share_of_peak"] = gflops / record["peak_gflops"].get<double>();
    record["memory_bytes"] = model_.main().memory_bytes();
    record["kernel"] = model_.main().kernels().front().kernel;
    record["repeats"] = seconds_.values.size();
    return record;
  }

 private:
  static FitConfig bench_config(Precision precision, const BenchOptions& options) {
    FitConfig config = gan_config_from_settings({});  // Table 4, "Ours", on smaller pictures
    config.gan.resolution = kSide;
    config.batch_size = options.batch > 0 ? options.batch : kDefaultBatch;
    config.precision = precision;
    config.seed = kSeed;
    return config;
  }

  void step() {
    AdamUpdate update;
    update.learning_rate = 1e-4;
    update.t = state_.step + 1;
    const StepResult result = problem_.step(model_, update, state_);
    if (!(std::abs(result.loss) < 1e6)) {
      throw Error(ErrorKind::Numerical, "[bench] loss: expected a number below 1e6; this is a bug, please report it");
    }
    ++state_.step;
  }

  Precision precision_;
  PictureSet pictures_;
  FitConfig config_;
  ModelExecutor model_;
  GanProblem problem_;
  RunState state_;
  Peaks peaks_;
  ConvDevice discriminator_device_;
  Series seconds_;
  Series forward_;
  Series update_;
  Series discriminator_;
  Series picture_gradient_;
};

}  // namespace

nlohmann::ordered_json bench_gan_step(const std::string& precision, const BenchOptions& options) {
  const Precision kind = precision_from_string(precision);
  if (kind == Precision::Mixed) {
    throw Error(ErrorKind::InvalidArgument, "[bench] precision: expected f32 or bf16 for the workload gan, got mixed");
  }
  GanBench bench(kind, options);
  bench.run(options.repeats);
  return bench.record();
}

}  // namespace loe::app
