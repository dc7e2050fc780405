#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "loe/backend/conv_net.h"
#include "loe/base/error.h"
#include "loe/nn/discriminator.h"
#include "loe/task/gan_task.h"

namespace loe {
namespace {

using Clock = std::chrono::steady_clock;

/// The state of the discriminators starts from another seed than the generator's.
constexpr uint64_t kDiscriminatorSeed = 0x9E3779B97F4A7C15ULL;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The generator's loss as the discriminators left it: a gradient for each of its outputs.
class GeneratorObjective : public Objective {
 public:
  /// grads [n, 3, height, width]: by pictures in [-1, 1].
  GeneratorObjective(const GeneratedSamples& samples, std::span<const float> grads, double loss)
      : samples_(&samples), grads_(grads), loss_(loss) {}
  int64_t n_samples() const override { return samples_->n_samples(); }
  void fill(int64_t first, int64_t count, float* coords, float* features) const override {
    samples_->fill(first, count, coords, features);
  }
  double loss(int64_t first, int64_t count, const float* /*outputs*/, float* output_grads) const override {
    const int64_t n_pixels = samples_->n_pixels();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t pixel = (first + i) / samples_->n_pictures();
      const int64_t picture = (first + i) % samples_->n_pictures();
      // Outputs are in [0, 1]: twice the gradient.
      for (int c = 0; c < 3; ++c) output_grads[3 * i + c] = 2 * grads_[(3 * picture + c) * n_pixels + pixel];
    }
    return loss_ * static_cast<double>(count) / static_cast<double>(n_samples());
  }

 private:
  const GeneratedSamples* samples_;
  std::span<const float> grads_;
  double loss_;
};

}  // namespace

struct GanProblem::Impl {
  Impl(const PictureSet& set, const FitConfig& fit, const std::string& device, int n_threads)
      : pictures(set),
        config(fit),
        side(fit.gan.resolution),
        discriminator({3, fit.gan.discriminator_channels, 0.2}, conv_device(device).device, n_threads) {
    const int64_t size = 3 * config.batch_size * side * side;
    real.resize(size);
    fake.resize(size);
    grads.resize(size);
  }

  /// What a state has before the first update: discriminators, and the average equal to the generator.
  void begin(RunState& state) const {
    state.task_state =
        initial_discriminator_state({3, config.gan.discriminator_channels, 0.2}, state.seed ^ kDiscriminatorSeed);
    if (has_average()) {
      const auto half = static_cast<std::ptrdiff_t>(state.params.params.size() / 2);
      std::copy_n(state.params.params.begin(), half, state.params.params.begin() + half);
    }
  }

  bool has_average() const { return config.gan.average_decay > 0; }

  /// Random pictures of the set, in [-1, 1], channel by channel.
  void draw_real(int64_t step) {
    const int64_t n_pixels = int64_t{side} * side;
    for (int64_t i = 0; i < config.batch_size; ++i) {
      const auto words = random_words(config.seed, RandomStream::PictureBatches, static_cast<uint64_t>(step),
                                      static_cast<uint32_t>(i));
      const auto index = to_bounded(words[0], static_cast<uint32_t>(pictures.size()));
      const std::span<const uint8_t> source = pictures.picture(index);
      const bool mirrored = config.gan.flip && (words[1] & 1U) != 0;
      float* const out = real.data() + 3 * i * n_pixels;
      for (int64_t pixel = 0; pixel < n_pixels; ++pixel) {
        const int64_t x = pixel % side;
        const int64_t from = mirrored ? pixel - x + side - 1 - x : pixel;
        for (int c = 0; c < 3; ++c) {
          out[c * n_pixels + pixel] = static_cast<float>(source[3 * from + c]) * (2.0F / 255) - 1;
        }
      }
    }
  }

  PictureBatch batch_of(const std::vector<float>& values) const { return {config.batch_size, {side, side}, values}; }

  /// The moving average after an update of the generator.
  void follow(ModelExecutor& model, RunState& state) const {
    model[0].download(model.slice(state.params, 0));
    const auto decay = static_cast<float>(config.gan.average_decay);
    std::vector<float>& params = state.params.params;
    const std::size_t n = params.size() / 2;
    for (std::size_t i = 0; i < n; ++i) params[n + i] = decay * params[n + i] + (1 - decay) * params[i];
    model[1].set_params(std::span<const float>(params).subspan(n));
  }

  const PictureSet& pictures;
  FitConfig config;
  int side;
  Discriminator discriminator;
  bool has_state = false;  ///< the discriminator's weights are those of the state
  std::vector<float> real;
  std::vector<float> fake;
  std::vector<float> grads;
  Times times;
};

GanProblem::GanProblem(const PictureSet& pictures, const FitConfig& config, const std::string& device, int n_threads) {
  if (config.kind != SignalKind::Gan) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[gan] config: expected a generator's, got one of task {}", to_string(config.kind)));
  }
  if (pictures.resolution() != config.gan.resolution || pictures.size() < 1) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[gan] pictures: expected some of {0} x {0} pixels (data.resolution), got {1} of {2} x {2}",
                            config.gan.resolution, pictures.size(), pictures.resolution()));
  }
  impl_ = std::make_unique<Impl>(pictures, config, device, n_threads);
}

GanProblem::~GanProblem() = default;

const GanProblem::Times& GanProblem::times() const {
  return impl_->times;
}

StepResult GanProblem::step(ModelExecutor& model, const AdamUpdate& update, RunState& state) {
  Impl& s = *impl_;
  if (state.task_state.empty()) s.begin(state);
  if (!s.has_state) s.discriminator.set_state(state.task_state);
  s.has_state = true;
  const int64_t n = s.config.batch_size;
  Clock::time_point start = Clock::now();
  const auto lap = [&](double& total) {
    total += seconds_since(start);
    start = Clock::now();
  };
  const std::vector<float> latents =
      draw_latents(s.config.seed, RandomStream::Latents, static_cast<uint64_t>(state.step), n, s.config.gan.n_latents);
  const GeneratedSamples samples(s.side, s.side, {0, 0, s.side, s.side}, latents, s.config.gan.n_latents);
  generate_pictures(model[0], samples, s.fake);
  for (float& value : s.fake) value = 2 * value - 1;
  lap(s.times.generator_forward);
  s.draw_real(state.step);
  AdamUpdate own = update;
  own.learning_rate *= s.config.gan.discriminator_rate;
  const double discriminator_loss =
      s.discriminator.train_step(s.batch_of(s.real), s.batch_of(s.fake), own, state.task_state);
  lap(s.times.discriminator);
  const double generator_loss = s.discriminator.generator_loss(s.batch_of(s.fake), s.grads);
  lap(s.times.picture_gradient);
  StepResult result = {generator_loss, samples.n_samples(), {{"discriminator", discriminator_loss}}};
  if (!std::isfinite(discriminator_loss)) result.loss = discriminator_loss;
  if (!std::isfinite(result.loss)) return result;
  const GeneratorObjective objective(samples, s.grads, generator_loss);
  model[0].train_step(objective, update, model.slice(state.params, 0));
  if (s.has_average()) s.follow(model, state);
  lap(s.times.generator_update);
  return result;
}

std::string gan_config_hash(const FitConfig& config, const PictureSet& pictures) {
  const uint64_t hash = pictures.content_hash();
  const std::string shape = fmt::format("{0} pictures of {1}x{1}", pictures.size(), pictures.resolution());
  const std::span<const std::byte> content[] = {std::as_bytes(std::span(&hash, 1))};
  return fit_config_hash(config, shape, content);
}

}  // namespace loe
