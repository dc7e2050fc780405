// A coordinate GAN's latents, samples, gradients and trainings, on pictures made by hand.
#include "loe/task/gan_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "loe/base/error.h"
#include "loe/nn/discriminator.h"
#include "loe/nn/generator.h"
#include "loe/task/gan_presets.h"

namespace loe {
namespace {

constexpr int kSide = 16;

Settings tiny_settings() {
  Settings settings;
  settings.set("model.widths", std::vector<double>{24, 16, 16}, "test");
  settings.set("model.tiles", std::vector<std::vector<double>>{{1, 1}, {2, 2}, {2, 2}}, "test");
  settings.set("model.resolutions", std::vector<double>{1, 4, 16}, "test");
  settings.set("model.n_frequencies", int64_t{2}, "test");
  settings.set("model.n_latents", int64_t{6}, "test");
  settings.set("model.discriminator", std::vector<double>{8, 12}, "test");
  settings.set("data.resolution", int64_t{kSide}, "test");
  settings.set("data.batch_size", int64_t{4}, "test");
  settings.set("train.learning_rate", 0.002, "test");
  settings.set("train.beta1", 0.0, "test");
  settings.set("train.max_steps", int64_t{12}, "test");
  settings.set("train.n_evaluated", int64_t{16}, "test");
  return settings;
}

/// Pictures whose left half is one colour and whose right half another, a little different from picture to picture.
PictureSet halves(int n) {
  std::vector<uint8_t> pixels;
  for (int picture = 0; picture < n; ++picture) {
    for (int i = 0; i < kSide * kSide; ++i) {
      const bool is_left = i % kSide < kSide / 2;
      const auto shade = static_cast<uint8_t>(picture % 16);
      for (const int value : is_left ? std::array{220, 40, 60} : std::array{30, 200, 120}) {
        pixels.push_back(static_cast<uint8_t>(value + shade));
      }
    }
  }
  return {kSide, pixels};
}

struct GanFit {
  explicit GanFit(const PictureSet& pictures, const Settings& settings, int n_threads = 1)
      : config(gan_config_from_settings(settings)),
        model(compile(cpu_backend(), build_model(config), {.n_threads = n_threads})),
        problem(pictures, config, "cpu", n_threads),
        state(initial_run_state(build_model(config), config.seed)) {}
  void train_to(int64_t step) {
    std::atomic<bool> cancel = false;
    TrainerEvents events;
    TrainOptions options = config.train;
    options.steps_per_log = 1;
    events.on_log = [&](const Progress& progress) {
      last = progress;
      cancel = progress.step >= step;
    };
    train(problem, model, options, state, events, [&] { return cancel.load(); });
  }
  FitConfig config;
  ModelExecutor model;
  GanProblem problem;
  RunState state;
  Progress last;
};

TEST(Latents, AreStandardNormalAndAFunctionOfTheirNumber) {
  const std::vector<float> latents = draw_latents(3, RandomStream::Latents, 5, 500, 10);
  double mean = 0;
  double square = 0;
  double fourth = 0;
  for (const float z : latents) {
    mean += z / 5000.0;
    square += z * z / 5000.0;
    fourth += z * z * z * z / 5000.0;
  }
  // Five standard errors: 1 / sqrt(5000), sqrt(2 / 5000), sqrt(96 / 5000).
  EXPECT_NEAR(mean, 0, 0.071);
  EXPECT_NEAR(square, 1, 0.1);
  EXPECT_NEAR(fourth, 3, 0.7);
  const std::vector<float> fewer = draw_latents(3, RandomStream::Latents, 5, 2, 10);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), latents.begin()));
  EXPECT_NE(draw_latents(3, RandomStream::Latents, 6, 1, 10)[0], latents[0]);
  EXPECT_NE(draw_latents(4, RandomStream::Latents, 5, 1, 10)[0], latents[0]);
}

TEST(Latents, PathsBeginAndEndWhereTheyShould) {
  const std::vector<float> a = draw_latents(1, RandomStream::ShownLatents, 0, 1, 64);
  const std::vector<float> b = draw_latents(1, RandomStream::ShownLatents, 1, 1, 64);
  const auto length = [](std::span<const float> z) {
    return std::sqrt(std::inner_product(z.begin(), z.end(), z.begin(), 0.0));
  };
  std::vector<float> z(64);
  for (const LatentPath path : {LatentPath::Linear, LatentPath::Spherical}) {
    for (const double t : {0.0, 1.0}) {
      interpolate_latents(path, a, b, t, z);
      for (int i = 0; i < 64; ++i) EXPECT_NEAR(z[i], t == 0 ? a[i] : b[i], 1e-6);
    }
    interpolate_latents(path, a, b, 0.5, z);
    const double middle = (length(a) + length(b)) / 2;
    if (path == LatentPath::Spherical) {
      EXPECT_NEAR(length(z), middle, 1e-5);
    } else {
      EXPECT_LT(length(z), 0.9 * middle);  // random directions are nearly orthogonal: about 0.71
    }
    interpolate_latents(path, a, a, 0.3, z);
    for (int i = 0; i < 64; ++i) EXPECT_NEAR(z[i], a[i], 1e-6);
    EXPECT_EQ(latent_path_from_string(to_string(path)), path);
  }
}

TEST(GeneratedSamples, NeighboursShareTheirPlace) {
  const std::vector<float> latents = {1, 2, 3, 4, 5, 6};  // 3 pictures of 2 numbers
  const GeneratedSamples samples(8, 4, {2, 1, 3, 2}, latents, 2);
  EXPECT_EQ(samples.n_samples(), 18);
  std::vector<float> coords(2 * 5);
  std::vector<float> features(2 * 5);
  samples.fill(2, 5, coords.data(), features.data());
  EXPECT_EQ(features, (std::vector<float>{5, 6, 1, 2, 3, 4, 5, 6, 1, 2}));
  const float first_x = 2.5F / 8;
  const float second_x = 3.5F / 8;
  const float y = 1.5F / 4;
  EXPECT_EQ(coords, (std::vector<float>{first_x, y, second_x, y, second_x, y, second_x, y, 4.5F / 8, y}));
}

TEST(GeneratedSamples, ACropIsAPartOfThePicture) {
  const FitConfig config = gan_config_from_settings(tiny_settings());
  ModelExecutor model = compile(cpu_backend(), build_model(config), {.n_threads = 2});
  model.set_params(initial_params(model.spec(), 4));
  const std::vector<float> latents = draw_latents(1, RandomStream::ShownLatents, 0, 3, 6);
  std::vector<float> whole(3 * 3 * 40 * 24);
  generate_pictures(model.main(), {40, 24, {0, 0, 40, 24}, latents, 6}, whole);
  std::vector<float> crop(3 * 3 * 5 * 7);
  generate_pictures(model.main(), {40, 24, {30, 11, 5, 7}, latents, 6}, crop);
  for (int plane = 0; plane < 9; ++plane) {
    for (int i = 0; i < 35; ++i) {
      EXPECT_EQ(crop[plane * 35 + i], whole[(plane * 24 + 11 + i / 5) * 40 + 30 + i % 5]) << plane << " " << i;
    }
  }
  EXPECT_GE(*std::min_element(whole.begin(), whole.end()), 0);
  EXPECT_LE(*std::max_element(whole.begin(), whole.end()), 1);
  // Different latents, different pictures.
  EXPECT_FALSE(std::equal(whole.begin(), whole.begin() + 960, whole.begin() + 3 * 960));
}

TEST(GanConfig, SettingsGoBothWays) {
  Settings settings = tiny_settings();
  settings.set("train.average_decay", 0.99, "test");
  settings.set("train.discriminator_rate", 2.0, "test");
  settings.set("model.output_activation", std::string("identity"), "test");
  settings.set("data.flip", true, "test");
  const FitConfig config = gan_config_from_settings(settings);
  const FitConfig back = gan_config_from_settings(fit_config_to_settings(config));
  EXPECT_EQ(back.gan, config.gan);
  EXPECT_EQ(back.network.output_range, (std::array<double, 2>{-1, 1}));
  EXPECT_EQ(fit_config_to_settings(back).entries().size(), fit_config_to_settings(config).entries().size());
  const ModelSpec model = build_model(config);
  ASSERT_EQ(model.parts.size(), 2U);
  EXPECT_EQ(model.parts[0].name, "generator");
  EXPECT_EQ(model.parts[1].name, "average");
  EXPECT_EQ(build_model(gan_config_from_settings(tiny_settings())).parts.size(), 1U);
}

TEST(GanConfig, RefusesWhatAGeneratorCannotUse) {
  const auto refused = [](const char* key, SettingValue value) {
    Settings settings = tiny_settings();
    settings.set(key, std::move(value), "test");
    try {
      gan_config_from_settings(settings);
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument) << key;
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
  };
  refused("data.crop", std::vector<double>{0, 0, 8, 8});
  refused("data.sampling", std::string("all_pixels"));
  refused("train.until_psnr_db", 30.0);
  refused("model.discriminator", std::vector<double>{});
  refused("model.discriminator", std::vector<double>{8, 0.5});
  refused("model.output_activation", std::string("relu"));
  refused("train.average_decay", 1.0);
  refused("data.resolution", int64_t{8});
  EXPECT_THROW(fit_config_from_settings(tiny_settings(), SignalKind::Image, 3), Error);
}

TEST(GanConfig, PresetsAreThePapersAndFitBudgets) {
  const FitConfig paper = gan_config_from_settings(gan_preset("gan"));
  EXPECT_EQ(build_model(paper).n_params(), 19617539);
  EXPECT_EQ(paper.batch_size, 32);
  EXPECT_THROW(gan_preset("gam"), Error);
  const FitConfig small = gan_config_from_settings(auto_gan_settings(64, 60, 100000, Precision::F32, 100));
  EXPECT_LE(build_model(small).main().n_params(), 100000);
  const FitConfig longer = gan_config_from_settings(auto_gan_settings(64, 3600, 0, Precision::F32, 100));
  const FitConfig shorter = gan_config_from_settings(auto_gan_settings(64, 1800, 0, Precision::F32, 100));
  EXPECT_NEAR(static_cast<double>(longer.train.max_steps), 2.0 * static_cast<double>(shorter.train.max_steps), 2);
  EXPECT_EQ(longer.network.widths.size(), 6U);  // first layer, then 4, 8, 16, 32, 64 cells
  EXPECT_THROW(auto_gan_settings(8, 0, 0, Precision::F32, 0), Error);
}

/// dL_G / d(parameters) of one step, against differences of -mean D(G(z)) through both networks. Double throughout but
/// for rounding of pictures to f32 between them.
TEST(GanProblem, TheGeneratorFollowsTheDiscriminatorsGradient) {
  const FitConfig config = gan_config_from_settings(tiny_settings());
  const ModelSpec spec = build_model(config);
  const std::unique_ptr<Executor> generator = reference_backend().compile(spec.main(), {});
  Discriminator discriminator({3, config.gan.discriminator_channels, 0.2}, "reference", 1);
  const std::vector<float> discriminators = initial_discriminator_state({3, config.gan.discriminator_channels, 0.2}, 9);
  discriminator.set_state(discriminators);
  std::vector<float> params = initial_params(spec, 7);
  const std::vector<float> latents = draw_latents(0, RandomStream::Latents, 0, 2, 6);
  const GeneratedSamples samples(kSide, kSide, {0, 0, kSide, kSide}, latents, 6);
  std::vector<float> pictures(2 * 3 * kSide * kSide);
  const auto loss_of = [&](std::span<float> grads) {
    generator->set_params(params);
    generate_pictures(*generator, samples, pictures);
    for (float& value : pictures) value = 2 * value - 1;
    return discriminator.generator_loss({2, {kSide, kSide}, pictures}, grads);
  };
  std::vector<float> picture_grads(pictures.size());
  loss_of(picture_grads);
  // The same way as the step: outputs of the network lie in [0, 1], twice the gradient, sample by sample.
  std::vector<float> coords(2 * samples.n_samples());
  std::vector<float> features(6 * samples.n_samples());
  samples.fill(0, samples.n_samples(), coords.data(), features.data());
  std::vector<float> output_grads(3 * samples.n_samples());
  for (int64_t i = 0; i < samples.n_samples(); ++i) {
    for (int c = 0; c < 3; ++c) output_grads[3 * i + c] = 2 * picture_grads[(3 * (i % 2) + c) * kSide * kSide + i / 2];
  }
  std::vector<float> param_grads(params.size());
  generator->backward({samples.n_samples(), coords, features}, output_grads, param_grads, {});
  // Along a few random directions. The step is small: at 2e-4 kinks of LeakyReLU within it make 4%, here below 1%.
  for (uint64_t direction = 0; direction < 4; ++direction) {
    const std::vector<float> along =
        draw_latents(50 + direction, RandomStream::Latents, 0, 1, static_cast<int>(params.size()));
    const std::vector<float> start = params;
    constexpr float kStep = 2e-5F;
    double predicted = 0;
    for (std::size_t k = 0; k < params.size(); ++k) predicted += static_cast<double>(param_grads[k]) * along[k];
    double sides[2];
    for (const int side : {0, 1}) {
      for (std::size_t k = 0; k < params.size(); ++k) params[k] = start[k] + (side == 0 ? -kStep : kStep) * along[k];
      sides[side] = loss_of({});
    }
    params = start;
    const double found = (sides[1] - sides[0]) / (2 * kStep);
    // Pictures and parameters are f32: 1e-7 of values of order 1 over 4e-4, averaged over 1,536 values; and the kinks
    // of LeakyReLU that lie within a step.
    EXPECT_NEAR(found, predicted, 0.02 * std::abs(predicted) + 2e-4) << direction;
  }
}

TEST(GanProblem, SameBitsForAnyThreadsAndAcrossAnInterruption) {
  const PictureSet pictures = halves(9);
  for (const double decay : {0.0, 0.9}) {
    Settings settings = tiny_settings();
    settings.set("train.average_decay", decay, "test");
    settings.set("data.flip", true, "test");
    GanFit one(pictures, settings, 1);
    one.train_to(12);
    ASSERT_EQ(one.state.step, 12);
    EXPECT_EQ(one.state.best_step, -1);
    ASSERT_EQ(one.last.terms.size(), 1U);
    EXPECT_TRUE(std::isfinite(one.last.terms[0].value));
    GanFit two(pictures, settings, 3);
    two.train_to(5);
    ASSERT_EQ(two.state.step, 5);
    GanFit resumed(pictures, settings, 2);
    resumed.state = two.state;
    resumed.train_to(12);
    EXPECT_EQ(one.state.params.params, resumed.state.params.params);
    EXPECT_EQ(one.state.params.adam_v, resumed.state.params.adam_v);
    EXPECT_EQ(one.state.task_state, resumed.state.task_state);
  }
}

TEST(GanProblem, TheAverageFollowsTheGenerator) {
  const PictureSet pictures = halves(4);
  Settings settings = tiny_settings();
  settings.set("train.average_decay", 0.75, "test");
  GanFit fit(pictures, settings);
  const std::size_t n = fit.state.params.params.size() / 2;
  std::vector<float> average(fit.state.params.params.begin(), fit.state.params.params.begin() + n);
  fit.model.set_params(fit.state.params.params);
  for (; fit.state.step < 3; ++fit.state.step) {
    AdamUpdate update;
    update.learning_rate = 0.01;
    update.t = fit.state.step + 1;
    fit.problem.step(fit.model, update, fit.state);
    for (std::size_t i = 0; i < n; ++i) {
      average[i] = 0.75F * average[i] + 0.25F * fit.state.params.params[i];
      ASSERT_EQ(fit.state.params.params[n + i], average[i]) << fit.state.step << " " << i;
    }
  }
}

TEST(GanProblem, LearnsTheColoursOfItsPictures) {
  const PictureSet pictures = halves(32);
  Settings settings = tiny_settings();
  settings.set("train.max_steps", int64_t{400}, "test");
  settings.set("train.learning_rate", 0.003, "test");
  settings.set("train.average_decay", 0.95, "test");
  GanFit fit(pictures, settings, 2);
  const auto evaluate = [&] {
    return evaluate_gan(fit.model.main(), pictures, fit.config.gan, 0, "cpu", 2, [](double) {});
  };
  fit.model.set_params(fit.state.params.params);
  const GanEvaluation before = evaluate();
  fit.train_to(400);
  const GanEvaluation after = evaluate();
  EXPECT_EQ(after.n_generated, 16);
  EXPECT_LT(after.random_frechet, 0.3 * before.random_frechet);
  EXPECT_LT(after.sliced.mean, before.sliced.mean);
  for_generated_pictures(fit.model.main(), 16, kSide, 1,
                         [&](int64_t first, int64_t count, std::span<const uint8_t> made) {
                           EXPECT_EQ(first, 0);
                           EXPECT_EQ(count, 16);
                           double left = 0;
                           double right = 0;
                           for (std::size_t i = 0; i < made.size(); i += 3) {
                             const double redness = (static_cast<double>(made[i]) - made[i + 1]) / (256.0 * 16 * 128);
                             (i / 3 % kSide < kSide / 2 ? left : right) += redness;
                           }
                           EXPECT_GT(left, 0.3);    // of the data: (220 - 40) / 256 = 0.70
                           EXPECT_LT(right, -0.3);  // (30 - 200) / 256 = -0.66
                         });
}

TEST(GanProblem, RefusesAnotherTaskAndOtherPictures) {
  const PictureSet pictures = halves(2);
  EXPECT_THROW(GanProblem(pictures, fit_config_from_settings({}, SignalKind::Image, 3), "cpu", 1), Error);
  Settings settings = tiny_settings();
  settings.set("data.resolution", int64_t{32}, "test");
  EXPECT_THROW(GanProblem(pictures, gan_config_from_settings(settings), "cpu", 1), Error);
}

TEST(GanProblem, OtherPicturesAreAnotherRun) {
  const FitConfig config = gan_config_from_settings(tiny_settings());
  const std::string hash = gan_config_hash(config, halves(3));
  EXPECT_EQ(gan_config_hash(config, halves(3)), hash);
  EXPECT_NE(gan_config_hash(config, halves(4)), hash);
}

}  // namespace
}  // namespace loe
