#include "loe/base/setting_table.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

enum class Shape { Round, Square };
const char* to_string(Shape shape) {
  return shape == Shape::Round ? "round" : "square";
}

struct Variables {
  int n = 3;
  int64_t steps = 10;
  uint64_t seed = 0;
  double share = 0.5;
  double rate = 1;
  bool flips = false;
  std::string name = "moon";
  std::string format;
  Shape shape = Shape::Round;
  std::vector<int> widths = std::vector<int>(9, 64);
  std::array<double, 2> range = {0, 1};
  std::array<int, 2> size{};
};

SettingTable table_of(Variables& v) {
  SettingTable table;
  table.whole("n", v.n, 1, 64, "a number of things");
  table.whole("steps", v.steps, int64_t{1}, std::numeric_limits<int64_t>::max(), "updates").decides = Decides::Stop;
  table.seed("seed", v.seed, "of draws");
  table.number("share", v.share, below(0, 1), "a share");
  table.number("rate", v.rate, above(0, 1e6), "a rate");
  table.flag("flips", v.flips, "whether it flips");
  table.text("name", v.name, "", "a label").decides = Decides::Label;
  table.choice("format", v.format, {"", "png", "jpeg"}, "of a file");
  table.choice("shape", v.shape, {Shape::Round, Shape::Square}, "of a table");
  table.wholes("widths", v.widths, 1, 128, "1..128 each", "of levels");
  table.numbers("range", v.range.data(), 2, "two numbers [low, high]", "low and high");
  table.optional_wholes("size", v.size.data(), 2, 1, 100, "two numbers [width, height]", "of a picture");
  return table;
}

std::string error_of(const std::string& key, SettingValue value) {
  Variables v;
  Settings settings;
  settings.set(key, std::move(value), "a.toml:7");
  try {
    table_of(v).read(settings);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(SettingTable, EveryKindOfRowSurvivesTheRoundTrip) {
  Settings settings;
  settings.set("n", int64_t{7}, "test");
  settings.set("steps", int64_t{1} << 40, "test");
  settings.set("seed", int64_t{9}, "test");
  settings.set("share", 0.0, "test");
  settings.set("rate", 2.5, "test");
  settings.set("flips", true, "test");
  settings.set("name", std::string("sun"), "test");
  settings.set("format", std::string("jpeg"), "test");
  settings.set("shape", std::string("square"), "test");
  settings.set("widths", std::vector<double>{1, 128}, "test");
  settings.set("range", std::vector<double>{-1, 0.5}, "test");
  settings.set("size", std::vector<double>{64, 48}, "test");
  Variables v;
  const SettingTable table = table_of(v);
  ASSERT_EQ(settings.entries().size(), table.rows().size()) << "a row has no value here";
  table.read(settings);
  EXPECT_EQ(v.n, 7);
  EXPECT_EQ(v.seed, 9U);
  EXPECT_EQ(v.shape, Shape::Square);
  EXPECT_EQ(v.widths, (std::vector<int>{1, 128}));
  EXPECT_EQ(v.size, (std::array<int, 2>{64, 48}));
  Settings written;
  table.write(written, "test");
  for (const auto& [key, entry] : settings.entries()) {
    EXPECT_TRUE(written.entries().at(key).value == entry.value) << key;
  }
}

TEST(SettingTable, MissingKeysLeaveTheVariableAlone) {
  Variables v;
  const SettingTable table = table_of(v);
  table.read({});
  EXPECT_EQ(v.n, 3);
  EXPECT_EQ(v.name, "moon");
  Settings written;
  table.write(written, "test");
  EXPECT_TRUE(std::get<std::vector<double>>(written.entries().at("size").value).empty()) << "zeros are none";
}

TEST(SettingTable, WrongValuesAreQuotedAsTheyWereWritten) {
  struct Case {
    std::string key;
    SettingValue value;
    std::string expected;
    std::string found;
  };
  for (const Case& wrong :
       std::vector<Case>{{"n", int64_t{65}, "a whole number in 1..64", "got 65"},
                         {"steps", int64_t{0}, "a whole number >= 1", "got 0"},
                         {"seed", int64_t{-1}, "a whole number >= 0", "got -1"},
                         {"share", 1.0, "a number in 0 up to, not including, 1", "got 1"},
                         {"rate", 0.0, "a number above 0, up to 10^6", "got 0"},
                         {"rate", std::string("fast"), "a number above 0, up to 10^6", "got \"fast\""},
                         {"flips", int64_t{1}, "true or false", "got 1"},
                         {"format", std::string("jpg"), "png, jpeg", "did you mean jpeg?"},
                         {"shape", std::string("sqare"), "round, square", "did you mean square?"},
                         {"widths", std::vector<double>{64, 0.5}, "whole numbers in 1..128", "got [64, 0.5]"},
                         {"range", std::vector<double>{1, 2, 3}, "two numbers [low, high]", "got [1, 2, 3]"},
                         {"size", std::vector<double>{0, 8}, "whole numbers in 1..100", "got [0, 8]"},
                         {"size", std::vector<double>{8}, "two numbers [width, height], or []", "got [8]"}}) {
    const std::string message = error_of(wrong.key, wrong.value);
    for (const std::string& part : {wrong.key, std::string("a.toml:7"), wrong.expected, wrong.found}) {
      EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' not in: " << message;
    }
  }
}

TEST(SettingTable, InfoNamesTypeRangeAndDefault) {
  Variables v;
  const SettingTable table = table_of(v);
  const auto info = [&](const std::string& key) { return table.find(key)->info(); };
  EXPECT_EQ(info("n").values, "1..64");
  EXPECT_EQ(info("n").default_value, "3");
  EXPECT_EQ(info("steps").values, ">= 1");
  EXPECT_EQ(info("steps").decides, Decides::Stop);
  EXPECT_EQ(info("share").values, "0 up to, not including, 1");
  EXPECT_EQ(info("rate").values, "above 0, up to 10^6");
  EXPECT_EQ(info("format").values, "`png`, `jpeg`");
  EXPECT_EQ(info("widths").default_value, "9 times 64");
  EXPECT_EQ(info("range").default_value, "[0, 1]");
  EXPECT_EQ(info("name").default_value, "\"moon\"");
  EXPECT_EQ(table.find("unknown"), nullptr);
}

}  // namespace
}  // namespace loe
