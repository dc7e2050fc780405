// Task "gan": a generator of pictures like those of a set, trained against two discriminators (paper.md, Table 4).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/random.h"
#include "loe/metric/noise_pattern.h"
#include "loe/metric/sliced_wasserstein.h"
#include "loe/nn/model.h"
#include "loe/signal/picture_set.h"
#include "loe/task/fit_config.h"
#include "loe/task/region.h"
#include "loe/train/trainer.h"

namespace loe {

/// fit_config_from_settings for generators.
inline FitConfig gan_config_from_settings(const Settings& settings) {
  return fit_config_from_settings(settings, SignalKind::Gan, 3);
}

/// RunState's config_hash: fit_config_hash over the set's pixels.
std::string gan_config_hash(const FitConfig& config, const PictureSet& pictures);

/// n latents of n_latents standard normal numbers each (Box and Muller 1958), a function of (seed, stream, counter).
std::vector<float> draw_latents(uint64_t seed, RandomStream stream, uint64_t counter, int64_t n, int n_latents);

/// Latents first .. first + n - 1 of the pictures that are shown: each a function of (seed, its number).
std::vector<float> shown_latents(uint64_t seed, int64_t first, int64_t n, int n_latents);

/// How to go from one latent to another.
enum class LatentPath {
  Linear,     ///< a + t (b - a): passes through lengths that training hardly saw
  Spherical,  ///< along the great circle, lengths in between linearly (White 2016, "Sampling generative networks")
};
/// "linear", "spherical".
const char* to_string(LatentPath path);
/// The reverse; Error(InvalidArgument) listing the choices.
LatentPath latent_path_from_string(const std::string& text);
/// The latent at t in [0, 1] from a to b, all of one size; a at 0, b at 1.
void interpolate_latents(LatentPath path, std::span<const float> a, std::span<const float> b, double t,
                         std::span<float> out);

/// The samples of n pictures: pixel by pixel, row by row, and at each pixel the n pictures one after another. So
/// neighbours share their place, and with it their experts in every layer.
class GeneratedSamples {
 public:
  /// Pixels `region` of pictures of width x height, one for each of the latents [n, n_latents], which must outlive the
  /// samples.
  GeneratedSamples(int width, int height, const Region& region, std::span<const float> latents, int n_latents);

  int64_t n_pictures() const { return n_pictures_; }
  int64_t n_pixels() const { return int64_t{region_.width} * region_.height; }
  int64_t n_samples() const { return n_pictures_ * n_pixels(); }
  /// coords [count, 2], pixel centres in [0, 1]; features [count, n_latents].
  void fill(int64_t first, int64_t count, float* coords, float* features) const;

 private:
  int width_;
  int height_;
  Region region_;
  std::span<const float> latents_;
  int n_latents_;
  int64_t n_pictures_;
};

/// pictures [n, 3, height, width], values in [0, 1], of the region's pixels. Memory beside them: 16,384 samples at a
/// time. Error(InvalidArgument) if the network takes other coordinates or features.
void generate_pictures(Executor& generator, const GeneratedSamples& samples, std::span<float> pictures);

/// Batches of a picture set against a generator's pictures.
///
/// One step: the generator makes one batch of pictures; the discriminators take one Adam update on them and on as many
/// real ones (hinge loss); then the generator takes one on -mean D of the same pictures (paper.md, eqs. 9 and 10). The
/// loss reported is the generator's; beside it "discriminator".
/// The discriminators' parameters, moments and power iterations are RunState::task_state.
/// With a moving average, "average" = decay average + (1 - decay) "generator" after each step, equal to it before the
/// first.
class GanProblem : public Problem {
 public:
  /// `pictures` must outlive the problem. device: of find_backend(); the discriminators run where conv_device() says;
  /// n_threads 0: all usable cores. Error(InvalidArgument) if the config is not a generator's or has another
  /// resolution.
  GanProblem(const PictureSet& pictures, const FitConfig& config, const std::string& device, int n_threads);
  ~GanProblem() override;

  StepResult step(ModelExecutor& model, const AdamUpdate& update, RunState& state) override;
  bool has_psnr() const override { return false; }
  /// Nothing: what a generator is worth takes evaluate_gan.
  std::optional<double> evaluate_psnr(ModelExecutor&) override { return {}; }
  /// Pictures of 8 bits are finite.
  std::string find_non_finite_input(int64_t) override { return ""; }

  /// Seconds of all steps so far: of the generator's forward pass and update, of the discriminators' update and of
  /// the gradient by the pictures.
  struct Times {
    double generator_forward = 0;
    double discriminator = 0;
    double picture_gradient = 0;
    double generator_update = 0;
  };
  const Times& times() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes n pictures of resolution x resolution pixels and 8 bits, those of latents 0 .. n - 1 of `seed`, and hands them
/// over in order and in batches: pictures [count, R, R, 3]. Memory: 64 pictures, or one if it is large.
void for_generated_pictures(
    Executor& generator, int64_t n, int resolution, uint64_t seed,
    const std::function<void(int64_t first, int64_t count, std::span<const uint8_t> pictures)>& on_pictures);

/// What tells a generator's pictures from those of a set. None of these is FID.
struct GanEvaluation {
  int64_t n_generated = 0;
  SlicedWasserstein sliced;   ///< of as many generated as real pictures, at most kMaxSlicedPictures
  double random_frechet = 0;  ///< squared Frechet distance of RandomFeatures, all generated against all real
  NoisePatternStats noise;    ///< of the generated pictures (claim Q4)
  /// Of the set's own pictures: what is aligned, as faces are, has detail at the same places too.
  NoisePatternStats noise_of_set;
  double seconds_generating = 0;  ///< of the generator alone
};
inline constexpr int64_t kMaxSlicedPictures = 4096;

/// Generates settings.n_evaluated pictures of `seed` and compares them with the set. on_share(done in [0, 1]) may throw
/// to give up. device (see conv_device), n_threads: of the random features and of the metrics.
GanEvaluation evaluate_gan(Executor& generator, const PictureSet& pictures, const GanSettings& settings, uint64_t seed,
                           const std::string& device, int n_threads, const std::function<void(double)>& on_share);

}  // namespace loe
