#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "loe/base/error.h"
#include "task/task_pictures.h"

namespace loe {
namespace {

std::string error_of(const Settings& settings) {
  try {
    image_config_from_settings(settings, 3);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    return error.what();
  }
  return "no error";
}

std::string error_of(const std::string& key, SettingValue value) {
  Settings settings;
  settings.set(key, std::move(value), "fit.toml:7");
  return error_of(settings);
}

bool same_values(const Settings& a, const Settings& b) {
  return std::equal(
      a.entries().begin(), a.entries().end(), b.entries().begin(), b.entries().end(),
      [](const auto& x, const auto& y) { return x.first == y.first && x.second.value == y.second.value; });
}

/// Every key with a value that is not its default.
Settings unusual_settings() {
  Settings s;
  const std::string origin = "test";
  s.set("preset", std::string("mine"), origin);
  s.set("model.widths", std::vector<double>{8, 7}, origin);
  s.set("model.tiles", std::vector<std::vector<double>>{{2, 3}, {1, 5}}, origin);
  s.set("model.layout", std::string("random_permute"), origin);
  s.set("model.resolutions", std::vector<std::vector<double>>{{4, 3}, {0.5, 7.25}}, origin);
  s.set("model.permutation", std::vector<double>{1, 0}, origin);
  s.set("model.gray_first_offset", 0.5, origin);
  s.set("model.affine_std", 3.5, origin);
  s.set("model.single_resolution", 17.0, origin);
  s.set("model.layout_seed", int64_t{99}, origin);
  s.set("model.input", std::string("constant"), origin);
  s.set("model.n_frequencies", int64_t{3}, origin);
  s.set("model.frequency_scale", 6.5, origin);
  s.set("model.include_coordinates", false, origin);
  s.set("model.coordinate_range", std::vector<double>{-1, 2.5}, origin);
  s.set("model.interpolation", std::string("linear"), origin);
  s.set("model.node_offset", 0.5, origin);
  s.set("model.activation", std::string("sine"), origin);
  s.set("model.slope", 0.1, origin);
  s.set("model.omega", 20.0, origin);
  s.set("model.init", std::string("lecun"), origin);
  s.set("model.expert_init", std::string("shared"), origin);
  s.set("model.output_range", std::vector<double>{-1, 3}, origin);
  s.set("data.channels", std::string("4,3,2"), origin);
  s.set("data.crop", std::vector<double>{1, 2, 30, 40}, origin);
  s.set("data.size", std::vector<double>{15, 10}, origin);
  s.set("data.sampling", std::string("all_pixels"), origin);
  s.set("data.batch_size", int64_t{77}, origin);
  s.set("train.seed", int64_t{5}, origin);
  s.set("train.precision", std::string("mixed"), origin);
  s.set("train.max_steps", int64_t{123}, origin);
  s.set("train.max_seconds", 4.5, origin);
  s.set("train.schedule_by", std::string("steps"), origin);
  s.set("train.until_psnr_db", 33.0, origin);
  s.set("train.learning_rate", 0.02, origin);
  s.set("train.schedule", std::string("exponential"), origin);
  s.set("train.milestones", std::vector<double>{0.25, 0.75}, origin);
  s.set("train.factor", 0.3, origin);
  s.set("train.final_factor", 0.05, origin);
  s.set("train.beta1", 0.8, origin);
  s.set("train.beta2", 0.99, origin);
  s.set("train.epsilon", 1e-7, origin);
  s.set("train.embedding_rate", 1.5, origin);
  s.set("train.embedding_beta2", 0.95, origin);
  s.set("train.embedding_epsilon", 1e-9, origin);
  s.set("train.embedding_every", int64_t{4}, origin);
  s.set("train.embedding_skips_zeros", true, origin);
  s.set("train.steps_per_log", int64_t{3}, origin);
  s.set("train.steps_per_eval", int64_t{4}, origin);
  s.set("train.steps_per_save", int64_t{6}, origin);
  return s;
}

TEST(ImageConfig, EveryKeySurvivesTheRoundTrip) {
  const Settings settings = unusual_settings();
  const FitConfig config = image_config_from_settings(settings, 3);
  Settings expected = settings;
  // An embedding contradicts the constant input: its keys have a test of their own.
  expected.set("model.embedding", false, "test");
  expected.set("model.embedding_resolution", std::vector<double>{0, 0}, "test");
  expected.set("model.embedding_channels", int64_t{0}, "test");
  expected.set("model.embedding_init", EmbeddingSpec{}.init_bound, "test");
  EXPECT_TRUE(same_values(fit_config_to_settings(config), expected));

  EXPECT_EQ(config.network.n_channels, 3);
  EXPECT_EQ(config.network.tiles[0].n, (std::array<int, 4>{2, 3, 1, 1}));
  EXPECT_EQ(config.network.layout.kind, LayoutKind::RandomPermute);
  EXPECT_EQ(config.network.layout.resolutions[1][0], 0.5);
  EXPECT_EQ(config.network.layout.resolutions[1][1], 7.25);
  EXPECT_EQ(config.network.layout.seed, 99U);
  EXPECT_EQ(config.network.activation.kind, ActivationKind::Sine);
  EXPECT_EQ(config.precision, Precision::Mixed);
  EXPECT_EQ(config.seed, 5U);
  EXPECT_EQ(config.train.schedule.kind, ScheduleKind::Exponential);
  EXPECT_EQ(config.train.adam.beta1, 0.8);
  EXPECT_EQ(build_network(config.network).output, (OutputSpec{0.25, 0.25}));
  EXPECT_EQ(config.edit.crop, (std::array<int, 4>{1, 2, 30, 40}));
  EXPECT_EQ(config.edit.size, (std::array<int, 2>{15, 10}));
}

TEST(ImageConfig, UnusualValuesDifferFromTheDefaults) {
  // Guards the test above: a key that the reader ignores would come back as the default.
  const Settings defaults = fit_config_to_settings(image_config_from_settings({}, 3));
  const Settings unusual = unusual_settings();
  for (const auto& [key, entry] : unusual.entries()) {
    if (defaults.contains(key)) {
      EXPECT_FALSE(defaults.entries().at(key).value == entry.value) << key;
    }
  }
}

TEST(ImageConfig, DefaultsAreValidAndStable) {
  const FitConfig config = image_config_from_settings({}, 1);
  EXPECT_EQ(build_network(config.network).n_params(), 140417);
  const Settings written = fit_config_to_settings(config);
  EXPECT_TRUE(same_values(fit_config_to_settings(image_config_from_settings(written, 1)), written));
}

Settings embedding_settings() {
  Settings settings = small_settings();
  settings.set("model.embedding", true, "test");
  settings.set("model.embedding_resolution", std::vector<double>{24, 18}, "test");
  settings.set("model.embedding_channels", int64_t{6}, "test");
  settings.set("model.embedding_init", 0.5, "test");
  return settings;
}

TEST(ImageConfig, EmbeddingKeysSurviveTheRoundTrip) {
  const FitConfig config = image_config_from_settings(embedding_settings(), 3);
  EXPECT_EQ(config.network.input.embedding, (EmbeddingSpec{{24, 18}, 6, 0.5}));
  EXPECT_EQ(build_network(config.network).input.embedding.size(), 24 * 18 * 6);
  const Settings written = fit_config_to_settings(config);
  EXPECT_TRUE(same_values(fit_config_to_settings(image_config_from_settings(written, 3)), written));
  EXPECT_EQ(image_config_from_settings(written, 3).network.input, config.network.input);
}

TEST(ImageConfig, GridKeysSurviveTheRoundTrip) {
  Settings settings;
  settings.set("model.input", std::string("encoding_and_grid"), "test");
  settings.set("model.grid_levels", int64_t{3}, "test");
  settings.set("model.grid_coarsest", std::vector<double>{4, 3}, "test");
  settings.set("model.grid_finest", std::vector<double>{64, 48}, "test");
  settings.set("model.grid_channels", int64_t{4}, "test");
  settings.set("model.grid_log2_entries", int64_t{10}, "test");
  settings.set("model.grid_init", 0.25, "test");
  const FitConfig config = image_config_from_settings(settings, 3);
  const NetworkSpec spec = build_network(config.network);
  ASSERT_EQ(spec.input.embedding.levels.size(), 3U);
  EXPECT_EQ(spec.input.embedding.levels[1], (GridLevel{{16, 12}, 17 * 13}));
  EXPECT_EQ(spec.input.embedding.levels[2], (GridLevel{{64, 48}, 1024}));
  EXPECT_EQ(spec.input.embedding.init_bound, 0.25);
  EXPECT_EQ(spec.n_in(), 2 + 4 * 8 + 12);
  const Settings written = fit_config_to_settings(config);
  for (const auto& [key, entry] : settings.entries()) {
    EXPECT_TRUE(written.entries().at(key).value == entry.value) << key;
  }
  settings.set("model.input", std::string("grid"), "test");
  settings.set("model.grid_finest", 64.0, "test");
  const FitConfig alone = image_config_from_settings(settings, 3);
  EXPECT_EQ(build_network(alone.network).n_in(), 12);
  EXPECT_EQ(std::get<std::string>(fit_config_to_settings(alone).entries().at("model.input").value), "grid");
  EXPECT_NE(image_config_hash(alone, Image(4, 4, 3, PixelType::U8)),
            image_config_hash(config, Image(4, 4, 3, PixelType::U8)));
  // Without a grid its keys say nothing.
  settings.set("model.input", std::string("encoding"), "test");
  EXPECT_FALSE(fit_config_to_settings(image_config_from_settings(settings, 3)).contains("model.grid_levels"));
}

TEST(ImageConfig, GridMistakesAreNamed) {
  const auto error_with = [](const std::string& key, const SettingValue& value) {
    Settings settings;
    settings.set("model.input", std::string("grid"), "test");
    settings.set("model.embedding_resolution", std::vector<double>{8, 8}, "test");
    settings.set("model.embedding_channels", int64_t{2}, "test");
    settings.set(key, value, "test");
    return error_of(settings);
  };
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, SettingValue>>{{"model.grid_levels", int64_t{0}},
                                                         {"model.grid_coarsest", std::vector<double>{8}},
                                                         {"model.grid_log2_entries", int64_t{31}},
                                                         {"model.embedding", true},
                                                         {"train.embedding_every", int64_t{0}},
                                                         {"train.embedding_rate", -1.0}}) {
    EXPECT_NE(error_with(key, value).find(key), std::string::npos) << key << ": " << error_with(key, value);
  }
  EXPECT_NE(error_with("model.grid_coarsest", 600.0).find("coarsest"), std::string::npos);
}

TEST(ImageConfig, EmbeddingIsOffUnlessAskedFor) {
  Settings settings = embedding_settings();
  settings.set("model.embedding", false, "test");
  const FitConfig off = image_config_from_settings(settings, 3);
  EXPECT_EQ(off.network.input.embedding, EmbeddingSpec{});
  const Image image = wavy_image(9, 7, 3, PixelType::U8);
  const FitConfig without = image_config_from_settings(small_settings(), 3);
  EXPECT_EQ(image_config_hash(off, image), image_config_hash(without, image));
  const FitConfig on = image_config_from_settings(embedding_settings(), 3);
  EXPECT_NE(image_config_hash(on, image), image_config_hash(without, image));
  FitConfig other = on;
  other.network.input.embedding.init_bound = 0.25;
  EXPECT_NE(image_config_hash(other, image), image_config_hash(on, image));
}

TEST(ImageConfig, EmbeddingMistakesAreNamed) {
  Settings settings = small_settings();
  settings.set("model.embedding", true, "fit.toml:7");
  EXPECT_NE(error_of(settings).find("model.embedding (fit.toml:7)"), std::string::npos) << error_of(settings);
  settings = embedding_settings();
  settings.set("model.input", std::string("constant"), "test");
  EXPECT_NE(error_of(settings).find("embedding"), std::string::npos) << error_of(settings);
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, SettingValue>>{{"model.embedding", int64_t{1}},
                                                         {"model.embedding_resolution", std::vector<double>{24}},
                                                         {"model.embedding_resolution", std::vector<double>{24, 1.5}},
                                                         {"model.embedding_resolution", std::vector<double>{24, 65537}},
                                                         {"model.embedding_channels", int64_t{-1}},
                                                         {"model.embedding_init", -0.5}}) {
    EXPECT_NE(error_of(key, value).find(key), std::string::npos) << error_of(key, value);
  }
}

TEST(ImageConfig, LayoutSeedFollowsTheSeed) {
  Settings settings = fit_config_to_settings(image_config_from_settings({}, 1));
  settings.set("train.seed", int64_t{42}, "--seed");
  EXPECT_EQ(image_config_from_settings(settings, 1).network.layout.seed, 42U);
}

TEST(ImageConfig, OneNumberPerLevelStandsForBothAxes) {
  const FitConfig config = image_config_from_settings(small_settings(), 1);
  EXPECT_EQ(config.network.tiles[2], (Tile{{2, 2, 1, 1}}));
  EXPECT_EQ(config.network.layout.resolutions[2][0], 16);
  EXPECT_EQ(config.network.layout.resolutions[2][1], 16);
}

TEST(ImageConfig, OneTileForAllLevels) {
  Settings settings = small_settings();
  settings.set("model.tiles", int64_t{3}, "test");
  const FitConfig config = image_config_from_settings(settings, 1);
  EXPECT_EQ(config.network.tiles, std::vector<Tile>(3, Tile{{3, 3, 1, 1}}));
}

TEST(ImageConfig, MistakesNameKeyPlaceAndRemedy) {
  const std::string unknown = error_of("model.width", std::vector<double>{64});
  EXPECT_NE(unknown.find("did you mean model.widths"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("fit.toml:7"), std::string::npos) << unknown;

  const std::string choice = error_of("data.sampling", std::string("all_pixel"));
  EXPECT_NE(choice.find("did you mean all_pixels"), std::string::npos) << choice;

  for (const auto& [key, value] :
       std::vector<std::pair<std::string, SettingValue>>{{"model.widths", std::vector<double>{64, 0.5}},
                                                         {"model.widths", std::vector<double>{64, 1e9}},
                                                         {"model.widths", int64_t{64}},
                                                         {"model.tiles", std::vector<std::vector<double>>{{2, 2, 2}}},
                                                         {"model.tiles", std::vector<double>{0}},
                                                         {"model.tiles", std::string("2x2")},
                                                         {"model.resolutions", std::vector<std::vector<double>>{{}}},
                                                         {"model.layout", std::string("spiral")},
                                                         {"model.input", std::string("features")},
                                                         {"model.n_frequencies", int64_t{25}},
                                                         {"model.permutation", std::vector<double>{-1}},
                                                         {"data.batch_size", int64_t{0}},
                                                         {"data.batch_size", kMaxBatchSize + 1},
                                                         {"train.max_steps", int64_t{0}},
                                                         {"train.beta1", 1.0},
                                                         {"train.epsilon", 0.0},
                                                         {"train.precision", std::string("fp16")},
                                                         {"train.seed", int64_t{-1}},
                                                         {"train.until_psnr_db", std::string("40dB")},
                                                         {"model.tiles", 2.5},
                                                         {"model.output_range", std::vector<double>{1}},
                                                         {"model.coordinate_range", std::vector<double>{0, 1, 2}},
                                                         {"data.crop", std::vector<double>{0, 0, 8}},
                                                         {"data.crop", std::vector<double>{0, 0, 8, 0}},
                                                         {"data.size", std::vector<double>{0, 8}},
                                                         {"data.size", std::vector<double>{8}}}) {
    const std::string message = error_of(key, value);
    EXPECT_NE(message.find(key), std::string::npos) << message;
    EXPECT_NE(message.find("fit.toml:7"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(ImageConfig, ContradictionsAreFoundBeforeTraining) {
  EXPECT_NE(error_of("model.widths", std::vector<double>{64, 64}).find("tiles"), std::string::npos);
  EXPECT_NE(error_of("model.resolutions", std::vector<double>{2, 4}).find("resolutions"), std::string::npos);
  EXPECT_NE(error_of("model.node_offset", 1.0).find("node_offset"), std::string::npos);
  EXPECT_NE(error_of("train.milestones", std::vector<double>{0.7, 0.2}).find("milestones"), std::string::npos);
  EXPECT_NE(error_of("model.output_range", std::vector<double>{1, 1}).find("output_range"), std::string::npos);
  EXPECT_NE(error_of("model.coordinate_range", std::vector<double>{1, -1}).find("coordinate_range"), std::string::npos);
  EXPECT_NE(error_of("train.learning_rate", 0.0).find("learning_rate"), std::string::npos);
}

TEST(ImageConfig, SettingsOfOtherTasksAreShownAsTheyWereWritten) {
  const auto error_of_task = [](SignalKind kind, const std::string& key, SettingValue value) {
    Settings settings;
    settings.set(key, std::move(value), "--set");
    try {
      fit_config_from_settings(settings, kind, 3);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  for (const SignalKind kind : {SignalKind::Scene, SignalKind::Gan}) {
    const std::string size = error_of_task(kind, "data.size", std::vector<double>{64, 48});
    EXPECT_NE(size.find("data.size (--set): expected []"), std::string::npos) << size;
    EXPECT_NE(size.find("got [64, 48]"), std::string::npos) << size;
    const std::string sampling = error_of_task(kind, "data.sampling", "all_pixels");
    EXPECT_NE(sampling.find("got \"all_pixels\""), std::string::npos) << sampling;
  }
  const std::string range = error_of_task(SignalKind::Scene, "model.output_range", std::vector<double>{-1, 1});
  EXPECT_NE(range.find("got [-1, 1]"), std::string::npos) << range;
}

TEST(ImageConfig, HashCoversWhatDecidesTheResult) {
  const Image image = wavy_image(9, 7, 3, PixelType::U8);
  const FitConfig config = image_config_from_settings(unusual_settings(), 3);
  const std::string hash = image_config_hash(config, image);
  EXPECT_EQ(hash.size(), 16U);
  EXPECT_EQ(image_config_hash(config, image), hash);
  for (const std::string key : {"preset", "train.max_seconds", "train.until_psnr_db", "train.steps_per_log",
                                "train.steps_per_eval", "train.steps_per_save"}) {
    Settings settings = unusual_settings();
    const bool is_int = key.find("steps_per") != std::string::npos;
    settings.set(key,
                 key == "preset" ? SettingValue("other")
                 : is_int        ? SettingValue(int64_t{50})
                                 : SettingValue(50.0),
                 "test");
    EXPECT_EQ(image_config_hash(image_config_from_settings(settings, 3), image), hash) << key;
  }
  const std::vector<std::function<void(FitConfig&)>> changes = {
      [](FitConfig& c) { c.seed = 6; },
      [](FitConfig& c) { c.batch_size = 78; },
      [](FitConfig& c) { c.train.max_steps = 124; },
      [](FitConfig& c) { c.train.schedule.learning_rate *= 1.0000001; },
      [](FitConfig& c) { c.network.widths[0] = 9; },
      [](FitConfig& c) { c.network.init.experts = ExpertInit::Independent; },
      [](FitConfig& c) { c.network.init.scheme = InitScheme::ByActivation; },
      [](FitConfig& c) { c.train.schedule_by = ScheduleBy::Time; },
      [](FitConfig& c) { c.precision = Precision::F32; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    FitConfig changed = config;
    changes[i](changed);
    EXPECT_NE(image_config_hash(changed, image), hash) << i;
  }
  // A key at its default does not count: a version that adds one can still resume older runs.
  FitConfig other_range = config;
  other_range.network.output_range = {0, 1};
  EXPECT_NE(image_config_hash(other_range, image), hash);
  FitConfig other_coordinates = config;
  other_coordinates.network.input.coordinate_range = {0, 1};
  EXPECT_NE(image_config_hash(other_coordinates, image), hash);
  for (const std::size_t byte : {std::size_t{0}, image.n_bytes() - 1}) {
    Image other = image;
    other.data()[byte] ^= std::byte{1};
    EXPECT_NE(image_config_hash(config, other), hash);
  }
  EXPECT_NE(image_config_hash(config, wavy_image(7, 9, 3, PixelType::U8)), hash);
}

}  // namespace
}  // namespace loe
