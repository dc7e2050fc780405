#include "loe/base/settings.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

void expect_error(const std::function<void()>& call, const std::vector<std::string>& words) {
  try {
    call();
    ADD_FAILURE() << "no error about " << words[0];
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("[config] ", 0), 0U) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' not in: " << message;
    }
  }
}

Settings example() {
  Settings settings;
  settings.set("seed", int64_t{7}, "a.toml:1");
  settings.set("model.linear", true, "a.toml:2");
  settings.set("train.rate", 0.25, "a.toml:3");
  settings.set("train.steps", 1e5, "a.toml:4");
  settings.set("name", std::string("moon"), "a.toml:5");
  settings.set("model.widths", std::vector<double>{64, 32.5}, "a.toml:6");
  settings.set("model.tiles", std::vector<std::vector<double>>{{2, 2}, {4, 4}}, "a.toml:7");
  settings.set("empty", std::vector<double>{}, "a.toml:8");
  return settings;
}

TEST(Settings, TypedReads) {
  const Settings settings = example();
  EXPECT_EQ(settings.get_int("seed", 0, 0, 10), 7);
  EXPECT_TRUE(settings.get_bool("model.linear", false));
  EXPECT_EQ(settings.get_double("train.rate", 1, 0, 1), 0.25);
  EXPECT_EQ(settings.get_double("seed", 1, 0, 10), 7);               // a whole number is a number
  EXPECT_EQ(settings.get_int("train.steps", 1, 0, 200000), 100000);  // 1e5 is whole
  EXPECT_EQ(settings.get_string("name", ""), "moon");
  EXPECT_EQ(settings.get_choice("name", "sun", {"sun", "moon"}), "moon");
  EXPECT_EQ(settings.get_list("model.widths", {}), (std::vector<double>{64, 32.5}));
  EXPECT_EQ(settings.get_nested_list("model.tiles", {}), (std::vector<std::vector<double>>{{2, 2}, {4, 4}}));
  EXPECT_TRUE(settings.get_list("empty", {1}).empty());
  EXPECT_TRUE(settings.get_nested_list("empty", {{1}}).empty());
}

TEST(Settings, MissingKeysGiveTheFallback) {
  const Settings settings;
  EXPECT_FALSE(settings.contains("x"));
  EXPECT_TRUE(settings.get_bool("x", true));
  EXPECT_EQ(settings.get_int("x", 99, 0, 10), 99);  // the fallback is the caller's business
  EXPECT_EQ(settings.get_double("x", 0.5, 0, 1), 0.5);
  EXPECT_EQ(settings.get_string("x", "y"), "y");
  EXPECT_EQ(settings.get_choice("x", "y", {"z"}), "y");
  EXPECT_EQ(settings.get_list("x", {1}), std::vector<double>{1});
  EXPECT_EQ(settings.get_nested_list("x", {{1}}), (std::vector<std::vector<double>>{{1}}));
}

TEST(Settings, WrongTypesNameKeyOriginExpectedAndFound) {
  const Settings settings = example();
  expect_error([&] { settings.get_bool("seed", true); }, {"\"seed\"", "a.toml:1", "true or false", "got 7"});
  expect_error([&] { settings.get_int("name", 0, 1, 9); }, {"\"name\"", "a.toml:5", "in 1..9", "got \"moon\""});
  expect_error([&] { settings.get_int("train.rate", 0, 1, 9); }, {"whole number", "got 0.25"});
  expect_error([&] { settings.get_int("model.linear", 0, 0, 9); }, {"whole number", "got true"});
  expect_error([&] { settings.get_double("name", 0, 0, 1); }, {"a number in 0..1", "moon"});
  expect_error([&] { settings.get_string("seed", ""); }, {"text in quotes", "got 7"});
  expect_error([&] { settings.get_list("seed", {}); }, {"list of numbers", "got 7"});
  expect_error([&] { settings.get_list("model.tiles", {}); }, {"list of numbers", "got [[2, 2], [4, 4]]"});
  expect_error([&] { settings.get_nested_list("model.widths", {}); }, {"list of lists", "got [64, 32.5]"});
}

TEST(Settings, RangesAreInclusive) {
  Settings settings = example();
  EXPECT_EQ(settings.get_int("seed", 0, 7, 7), 7);
  expect_error([&] { settings.get_int("seed", 0, 8, 20); }, {"in 8..20", "got 7"});
  expect_error([&] { settings.get_int("seed", 0, 1, 6); }, {"in 1..6", "got 7"});
  EXPECT_EQ(settings.get_double("train.rate", 0, 0.25, 0.25), 0.25);
  expect_error([&] { settings.get_double("train.rate", 0, 0, 0.2); }, {"in 0..0.2", "got 0.25"});
  const double infinity = std::numeric_limits<double>::infinity();
  settings.set("nan", std::numeric_limits<double>::quiet_NaN(), "here");
  settings.set("inf", infinity, "here");
  expect_error([&] { settings.get_double("nan", 0, -infinity, infinity); }, {"nan"});
  expect_error([&] { settings.get_int("nan", 0, 0, 1); }, {"nan"});
  expect_error([&] { settings.get_int("inf", 0, 0, 1); }, {"inf"});
  EXPECT_EQ(settings.get_double("inf", 0, 0, infinity), infinity);
}

TEST(Settings, ChoicesAreListedAndSuggested) {
  const Settings settings = example();
  expect_error([&] { settings.get_choice("name", "", {"sun", "noon"}); }, {"sun, noon", "moon", "did you mean noon"});
  expect_error([&] { settings.get_choice("seed", "", {"sun", "noon"}); }, {"sun, noon", "got 7", "choose one"});
}

TEST(Settings, LaterSettingsWin) {
  Settings settings = example();
  Settings later;
  later.set("seed", int64_t{8}, "--set");
  later.set("new", false, "--set");
  settings.merge(later);
  EXPECT_EQ(settings.get_int("seed", 0, 0, 10), 8);
  EXPECT_EQ(settings.entries().at("seed").origin, "--set");
  EXPECT_EQ(settings.entries().at("name").origin, "a.toml:5");
  EXPECT_FALSE(settings.get_bool("new", true));
  EXPECT_EQ(settings.entries().size(), 9U);
}

TEST(Settings, UnknownKeysGetASuggestion) {
  const std::vector<std::string> known = {"model.widths", "model.tiles", "train.max_steps"};
  const auto check = [&](const std::string& key) {
    Settings settings;
    settings.set("model.tiles", int64_t{1}, "a.toml:1");
    settings.set(key, int64_t{1}, "a.toml:9");
    settings.require_known(known);
  };
  expect_error([&] { check("model.widht"); }, {"\"model.widht\"", "a.toml:9", "unknown", "did you mean model.widths"});
  expect_error([&] { check("train.max_step"); }, {"did you mean train.max_steps"});
  expect_error([&] { check("max_steps"); }, {"did you mean train.max_steps"});
  expect_error([&] { check("training.max-steps"); }, {"did you mean train.max_steps"});
  expect_error([&] { check("zebra"); }, {"zebra", "model.widths, model.tiles, train.max_steps"});
  check("train.max_steps");
}

TEST(Settings, HostileTextIsQuotedOnOneShortLine) {
  Settings settings;
  settings.set("key", std::string("\x1b[31m\n") + std::string(100000, 'x'), "file");
  try {
    settings.get_int("key", 0, 0, 1);
    ADD_FAILURE();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_LT(message.size(), 300U);
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
  }
  Settings unknown;
  unknown.set(std::string(1000000, 'k'), true, "file");
  EXPECT_THROW(unknown.require_known({"model.widths"}), Error);
}

TEST(ClosestMatch, SlipsAreFoundOtherWordsAreNot) {
  const std::vector<std::string> choices = {"coarse_to_fine", "fine_to_coarse", "gray_code", "chunked", "f32", "bf16"};
  EXPECT_EQ(closest_match("grey_code", choices), "gray_code");
  EXPECT_EQ(closest_match("gary_code", choices), "gray_code");
  EXPECT_EQ(closest_match("Chunked", choices), "chunked");
  EXPECT_EQ(closest_match("coarse-to-fine", choices), "coarse_to_fine");
  EXPECT_EQ(closest_match("fp32", choices), "f32");
  EXPECT_EQ(closest_match("bf1", choices), "bf16");
  EXPECT_EQ(closest_match("zebra", choices), "");
  EXPECT_EQ(closest_match("", choices), "");
  EXPECT_EQ(closest_match("x", {}), "");
  EXPECT_EQ(closest_match("a", {"b"}), "");  // one letter out of one is another word
  EXPECT_EQ(closest_match("abcd", {"abce", "abdc", "abcd"}), "abcd");
}

}  // namespace
}  // namespace loe
