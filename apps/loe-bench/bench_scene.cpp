// `loe bench step --workload nerf`: a step of Table 3's "Ours", and how much of it is not the trunk's arithmetic.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench.h"
#include "bench_measure.h"
#include "bench_peaks.h"
#include "bench_workload.h"
#include "loe/backend/encoding.h"
#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/render/analytic_scene.h"
#include "loe/task/scene_task.h"
#include "task/scene/ray_samples.h"
#include "task/scene/training_rays.h"

namespace loe::app {
namespace {

constexpr uint64_t kSeed = 7;
constexpr int64_t kDefaultRays = 1024;
constexpr int kViews = 24;
constexpr int kSide = 32;

/// Cameras of the analytic scene with pictures of noise: what is seen decides no time.
ScenePictures noisy_pictures() {
  ScenePictures pictures;
  pictures.scene = analytic_views(kViews, 1, kSide);
  std::vector<float> row(3 * kSide);
  for (std::size_t v = 0; v < pictures.scene.views.size(); ++v) {
    Image image(kSide, kSide, 3, PixelType::U8);
    for (int y = 0; y < kSide; ++y) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] =
            to_unit_float(random_words(kSeed, RandomStream::Samples, v, static_cast<uint32_t>(y * 3 * kSide + i))[0]);
      }
      image.write_row(0, y, kSide, row.data());
    }
    pictures.images.push_back(std::move(image));
    pictures.masks.emplace_back();
  }
  return pictures;
}

/// The levels alone, fed with encodings that are made beforehand.
NetworkSpec trunk_of(const NetworkSpec& field) {
  NetworkSpec trunk = field;
  const int n_in = field.n_in();
  trunk.input = InputSpec{};
  trunk.input.kind = InputKind::Features;
  trunk.input.n_features = n_in;
  trunk.layers.resize(field.layers.size() - 3);  // density, color.0, color.1
  trunk.outputs.clear();
  trunk.validate();
  return trunk;
}

/// Positions and encodings of samples, and a loss that costs nothing.
class TrunkObjective final : public Objective {
 public:
  TrunkObjective(const NetworkSpec& field, const RayBatch& rays, const SampleSet& samples)
      : n_in_(static_cast<std::size_t>(field.n_in())), n_out_(static_cast<std::size_t>(field.layers[0].n_out)) {
    std::vector<float> directions;
    coords_.resize(3 * samples.t.size());
    sample_points(rays, samples.offsets, samples.t, coords_, {});
    features_.resize(n_in_ * samples.t.size());
    for (std::size_t i = 0; i < coords_.size(); ++i) coords_[i] = std::clamp(coords_[i] + 0.5F, 0.0F, 1.0F);
    for (std::size_t i = 0; i < samples.t.size(); ++i) {
      encode(field.input, 3, coords_.data() + 3 * i, features_.data() + n_in_ * i);
    }
  }
  int64_t n_samples() const override { return static_cast<int64_t>(coords_.size() / 3); }
  void fill(int64_t first, int64_t count, float* coords, float* features) const override {
    std::copy_n(coords_.begin() + 3 * first, 3 * count, coords);
    std::copy_n(features_.begin() + static_cast<std::ptrdiff_t>(n_in_) * first,
                static_cast<std::ptrdiff_t>(n_in_) * count, features);
  }
  double loss(int64_t, int64_t count, const float*, float* grads) const override {
    std::fill_n(grads, static_cast<std::size_t>(count) * n_out_, 1e-6F);
    return 0;
  }

 private:
  std::size_t n_in_;
  std::size_t n_out_;
  std::vector<float> coords_;
  std::vector<float> features_;
};

double flops_of_levels(const NetworkSpec& field) {
  double macs = 0;
  for (std::size_t l = 0; l + 3 < field.layers.size(); ++l) {
    macs += double{1} * field.layers[l].n_in * field.layers[l].n_out;
  }
  const LayerSpec& first = field.layers.front();
  return 6 * macs - 2.0 * first.n_in * first.n_out;
}

class SceneBench {
 public:
  SceneBench(Precision precision, const BenchOptions& options)
      : precision_(precision),
        options_(options),
        pictures_(noisy_pictures()),
        config_(bench_config(precision, options)),
        model_(compile_model(build_model(config_))),
        problem_(pictures_, config_),
        state_(initial_run_state(model_.spec(), kSeed)),
        trunk_(compile_for(options, trunk_of(model_.spec().main()), precision)),
        peaks_(options.device, model_.main().n_threads()) {
    model_.set_params(state_.params.params);
    trunk_state_.params = initial_params(trunk_->spec(), kSeed);
    trunk_state_.adam_m.assign(trunk_state_.params.size(), 0.0F);
    trunk_state_.adam_v.assign(trunk_state_.params.size(), 0.0F);
    trunk_->set_params(trunk_state_.params);
  }

  void run(int n_repeats) {
    step();
    make_trunk_samples();
    trunk_steps();
    for (int i = 0; i < n_repeats; ++i) {
      peaks_.sample(precision_);
      seconds_.add(time_seconds([&] { step(); }));
      peaks_.sample(precision_);
      trunk_seconds_.add(time_seconds([&] { trunk_steps(); }));
    }
  }

  nlohmann::ordered_json record() const {
    const NetworkSpec& field = model_.spec().main();
    const double samples = static_cast<double>(n_samples_);
    const double flops = flops_per_step(field, n_samples_);
    const double seconds = seconds_.median();
    const double gflops = 1e-9 * flops / seconds;
    const double trunk_gflops = 1e-9 * flops_of_levels(field) * samples / trunk_seconds_.median();
    nlohmann::ordered_json record = {{"workload", "nerf"},
                                     {"precision", to_string(precision_)},
                                     {"batch", config_.batch_size},
                                     {"samples", n_samples_},
                                     {"threads", model_.main().n_threads()},
                                     {"seconds_per_step", seconds},
                                     {"seconds_min", seconds_.min()},
                                     {"seconds_max", seconds_.max()},
                                     {"samples_per_second", samples / seconds},
                                     {"gflops", gflops}};
    peaks_.describe(field, precision_, record);
    record["trunk_seconds"] = trunk_seconds_.median();
    record["other_share"] = 1 - trunk_seconds_.median() / seconds;
    if (peaks_.is_measured()) {
      const double peak = record["peak_gflops"];
      record["share_of_peak"] = gflops / peak;
      record["share_of_peak_best"] = 1e-9 * flops / seconds_.min() / record["peak_gflops_max"].get<double>();
      record["trunk_share_of_peak"] = trunk_gflops / peak;
    }
    record["memory_bytes"] = model_.main().memory_bytes();
    record["kernel"] = model_.main().kernels().front().kernel;
    record["repeats"] = seconds_.values.size();
    return record;
  }

 private:
  static FitConfig bench_config(Precision precision, const BenchOptions& options) {
    FitConfig config = scene_config_from_settings({});  // Table 3, "Ours"
    config.batch_size = options.batch > 0 ? options.batch : kDefaultRays;
    config.precision = precision;
    config.seed = kSeed;
    return config;
  }
  ModelExecutor compile_model(const ModelSpec& spec) const {
    std::vector<std::shared_ptr<Executor>> executors;
    for (const ModelSpec::Part& part : spec.parts) {
      executors.push_back(compile_for(options_, part.network, precision_, max_ray_samples(config_.scene.rays)));
    }
    return {spec, std::move(executors)};
  }

  void step() {
    AdamUpdate update;
    update.learning_rate = 5e-4;
    update.t = state_.step + 1;
    const StepResult result = problem_.step(model_, update, state_);
    if (!(result.loss < 1e6)) {
      throw Error(ErrorKind::Numerical, "[bench] loss: expected a number below 1e6; this is a bug, please report it");
    }
    n_samples_ = result.n_samples;
    ++state_.step;
  }

  /// Samples as a step has them: a coarse set, and a fine one by weights that are the same everywhere.
  void make_trunk_samples() {
    TrainingRays batch;
    TrainingRayDrawer(pictures_, config_.scene, kSeed).draw(0, config_.batch_size, batch);
    HierarchicalSampler sampler(config_.scene.rays, {});
    SampleSet coarse;
    SampleSet fine;
    sampler.draw_coarse(batch.rays, {true, kSeed, 0, 0}, coarse);
    const std::vector<float> weights(coarse.t.size(), 0.01F);
    sampler.draw_fine(batch.rays, {true, kSeed, 0, 0}, weights, fine);
    objectives_.push_back(std::make_unique<TrunkObjective>(model_.spec().main(), batch.rays, coarse));
    objectives_.push_back(std::make_unique<TrunkObjective>(model_.spec().main(), batch.rays, fine));
  }
  void trunk_steps() {
    AdamUpdate update;
    update.t = state_.step;
    for (const auto& objective : objectives_) trunk_->train_step(*objective, update, trunk_state_);
  }

  Precision precision_;
  const BenchOptions& options_;
  ScenePictures pictures_;
  FitConfig config_;
  ModelExecutor model_;
  SceneProblem problem_;
  RunState state_;
  std::unique_ptr<Executor> trunk_;
  ParamState trunk_state_;
  std::vector<std::unique_ptr<TrunkObjective>> objectives_;
  Peaks peaks_;
  int64_t n_samples_ = 0;
  Series seconds_;
  Series trunk_seconds_;
};

}  // namespace

nlohmann::ordered_json bench_scene_step(const std::string& precision, const BenchOptions& options) {
  const Precision kind = precision_from_string(precision);
  if (kind == Precision::Mixed) {
    throw Error(ErrorKind::InvalidArgument, "[bench] precision: expected f32 or bf16 for the workload nerf, got mixed");
  }
  SceneBench bench(kind, options);
  bench.run(options.repeats);
  return bench.record();
}

}  // namespace loe::app
