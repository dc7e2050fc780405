#include "loe/io/config_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

using List = std::vector<double>;
using NestedList = std::vector<std::vector<double>>;

void expect_error(ErrorKind kind, const std::function<void()>& call, const std::vector<std::string>& words) {
  try {
    call();
    ADD_FAILURE() << "no error about " << words[0];
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 500U) << message;
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' not in: " << message;
    }
  }
}

void expect_format_error(const std::string& text, const std::vector<std::string>& words) {
  expect_error(
      ErrorKind::Format, [&] { parse_config(text, "my.toml"); }, words);
}

bool same_bits(double a, double b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

const char* const kExample = R"(# a comment
name = "moon"
seed = 7

[model]
widths = [64, 32, 32.5]
tiles = [[2, 2], [4, 4]]
linear = true
input.n_frequencies = 8

[train]
learning_rate = 1e-3
schedule = { kind = "step", factor = 0.1 }
)";

TEST(ParseConfig, TablesNestToDottedKeys) {
  const Settings settings = parse_config(kExample, "my.toml");
  const auto value = [&](const std::string& key) { return settings.entries().at(key).value; };
  EXPECT_EQ(settings.entries().size(), 9U);
  EXPECT_EQ(value("name"), SettingValue(std::string("moon")));
  EXPECT_EQ(value("seed"), SettingValue(int64_t{7}));
  EXPECT_EQ(value("model.widths"), SettingValue(List{64, 32, 32.5}));
  EXPECT_EQ(value("model.tiles"), SettingValue(NestedList{{2, 2}, {4, 4}}));
  EXPECT_EQ(value("model.linear"), SettingValue(true));
  EXPECT_EQ(value("model.input.n_frequencies"), SettingValue(int64_t{8}));
  EXPECT_EQ(value("train.learning_rate"), SettingValue(1e-3));
  EXPECT_EQ(value("train.schedule.kind"), SettingValue(std::string("step")));
  EXPECT_EQ(value("train.schedule.factor"), SettingValue(0.1));
}

TEST(ParseConfig, EntriesRememberTheirLine) {
  const Settings settings = parse_config(kExample, "my.toml");
  EXPECT_EQ(settings.entries().at("name").origin, "my.toml:2");
  EXPECT_EQ(settings.entries().at("train.learning_rate").origin, "my.toml:12");
}

TEST(ParseConfig, ListsMayBeEmptyOrNegative) {
  const Settings settings = parse_config("a = []\nb = [[], [1, -2.5]]\nc = [-0.0, 1e300, inf]\n", "x");
  EXPECT_EQ(settings.entries().at("a").value, SettingValue(List{}));
  EXPECT_EQ(settings.entries().at("b").value, SettingValue(NestedList{{}, {1, -2.5}}));
  EXPECT_TRUE(same_bits(settings.get_list("c", {})[0], -0.0));
  EXPECT_EQ(settings.get_list("c", {})[2], std::numeric_limits<double>::infinity());
  EXPECT_TRUE(parse_config("", "x").entries().empty());
  EXPECT_TRUE(parse_config("[empty]\n", "x").entries().empty());
}

TEST(ParseConfig, BadTomlNamesLineAndColumn) {
  expect_format_error("a = 1\nb = = 2\n", {"[config] my.toml:2:", "expected TOML", "correct that line"});
  expect_format_error("a = 1\na = 2\n", {"my.toml:2"});
  expect_format_error("a = \"open\n", {"my.toml:1"});
  expect_format_error("a = [1, 2\n", {"my.toml:"});
  expect_format_error("a = [}", {"my.toml", "TOML", "brackets"});  // an assertion of the parser
  expect_format_error("[a\n", {"my.toml:1"});
  expect_format_error("a = \xff\xfe\n", {"my.toml:"});
  expect_format_error(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), {"my.toml:1"});
}

TEST(ParseConfig, OtherAlphabetsBelongInTexts) {
  const Settings settings = parse_config("\xEF\xBB\xBF# \xc3\xa9\na = \"\xc3\xa9\" # \xce\xa9\n", "my.toml");
  EXPECT_EQ(settings.get_string("a", ""), "\xc3\xa9");
  expect_format_error("a = 1\nb\xcc\x9c = 2\n", {"my.toml:2", "TOML"});
  expect_format_error("a = \xce\xa9\n", {"my.toml:1", "TOML"});
}

TEST(ParseConfig, UnsupportedTypesAreNamed) {
  expect_format_error("a = 2026-01-31\n", {"my.toml:1:5", "for a", "date"});
  expect_format_error("[b]\nc = 12:30:00\n", {"my.toml:2:5", "for b.c", "time"});
  expect_format_error("[[a]]\nb = 1\n", {"my.toml", "only numbers", "table"});
  expect_format_error("a = [1, \"two\"]\n", {"my.toml:1:9", "only numbers", "string"});
  expect_format_error("a = [[1], 2]\n", {"only lists", "integer"});
  expect_format_error("a = [1, [2]]\n", {"only numbers", "array"});
  expect_format_error("a = [[[1]]]\n", {"only numbers", "array"});
  expect_format_error("a = [9007199254740993]\n", {"2^53", "9007199254740993"});
  expect_format_error("\"a.b\" = 1\n", {"letters, digits", "a.b"});
  expect_format_error("\"\" = 1\n", {"letters, digits"});
}

TEST(ParseConfig, HostileSizesAreRefused) {
  expect_format_error(std::string((1 << 20) + 1, '#'), {"at most", "1048577 bytes"});
  std::string key = "a";
  for (int i = 0; i < 200000; ++i) {
    key += ".a";
  }
  expect_format_error(key + " = 1\n", {"my.toml:1", "32 parts"});
  expect_format_error("\n[" + key + "]\n", {"my.toml:2", "32 parts"});
  expect_format_error("x = { " + key + " = 1 }\n", {"32 parts"});
  expect_format_error("x = \"a#'\\\"\" # \" '\n" + key + " = 1\n", {"my.toml:2", "32 parts"});
  std::string quoted = "\"=\"";
  for (int i = 0; i < 100; ++i) {
    quoted += ".\"=\"";
  }
  expect_format_error(quoted + " = 1\n", {"32 parts"});
  expect_format_error("a = " + std::string(100000, '[') + "\n", {"my.toml:1"});
  // Dots that are no key are fine.
  const std::string dots(500, '.');
  const Settings settings = parse_config("a = \"" + dots + "\" # " + dots + "\nb = '''\n" + dots + "\n'''\n", "x");
  EXPECT_EQ(settings.get_string("a", ""), dots);
  std::string list = "a = [0.5";
  for (int i = 0; i < 100; ++i) {
    list += ", 0.5";
  }
  EXPECT_EQ(parse_config(list + "]\n", "x").get_list("a", {}).size(), 101U);
}

TEST(ReadConfig, FromAFile) {
  const auto path = std::filesystem::path(testing::TempDir()) / "loe_config_file_test.toml";
  std::ofstream(path) << kExample;
  EXPECT_EQ(read_config(path.string()).entries().at("seed").origin, path.string() + ":3");
  std::filesystem::remove(path);
  expect_error(ErrorKind::NotFound, [&] { read_config(path.string()); }, {path.string()});
}

TEST(ApplyOverride, ValuesAreTomlOrBareWords) {
  Settings settings;
  const auto set = [&](const std::string& assignment) {
    apply_override(settings, assignment);
    return settings.entries().at("k.x").value;
  };
  EXPECT_EQ(set("k.x=3"), SettingValue(int64_t{3}));
  EXPECT_EQ(set("k.x = 2.5 "), SettingValue(2.5));
  EXPECT_EQ(set("k.x=1e3"), SettingValue(1000.0));
  EXPECT_EQ(set("k.x=true"), SettingValue(true));
  EXPECT_EQ(set("k.x=[[2, 2], [4, 4]]"), SettingValue(NestedList{{2, 2}, {4, 4}}));
  EXPECT_EQ(set("k.x=[1, 2]"), SettingValue(List{1, 2}));
  EXPECT_EQ(set("k.x=coarse_to_fine"), SettingValue(std::string("coarse_to_fine")));
  EXPECT_EQ(set("k.x=my run=2"), SettingValue(std::string("my run=2")));
  EXPECT_EQ(set("k.x=\"3\""), SettingValue(std::string("3")));
  EXPECT_EQ(set("k.x=caf\xc3\xa9"), SettingValue(std::string("caf\xc3\xa9")));
  EXPECT_EQ(set("k.x=C:\\a"), SettingValue(std::string("C:\\a")));
  EXPECT_EQ(set("k.x=10k"), SettingValue(std::string("10k")));
  EXPECT_EQ(settings.entries().at("k.x").origin, "--set");
  EXPECT_EQ(settings.entries().size(), 1U);
}

TEST(ApplyOverride, MistakesAreNamed) {
  Settings settings;
  const auto expect = [&](ErrorKind kind, const std::string& assignment, const std::vector<std::string>& words) {
    expect_error(
        kind, [&] { apply_override(settings, assignment); }, words);
  };
  expect(ErrorKind::InvalidArgument, "max_steps", {"--set", "key=value", "max_steps"});
  expect(ErrorKind::InvalidArgument, "", {"--set", "key=value"});
  expect(ErrorKind::InvalidArgument, "=3", {"key=value"});
  expect(ErrorKind::InvalidArgument, "a=", {"key=value"});
  expect(ErrorKind::InvalidArgument, "a..b=1", {"key=value"});
  expect(ErrorKind::InvalidArgument, "a b=1", {"key=value"});
  expect(ErrorKind::InvalidArgument, "a=1\nb=2", {"one line"});
  expect(ErrorKind::InvalidArgument, "a={b = 1}", {"--set a", "table"});
  expect(ErrorKind::InvalidArgument, "a={}", {"--set a", "table"});
  expect(ErrorKind::Format, "a=[1, 2", {"--set a"});
  expect(ErrorKind::Format, "a=\"open", {"--set a"});
  expect(ErrorKind::Format, "a=2026-01-31", {"--set a", "date"});
  expect(ErrorKind::Format, "a=caf\xe9", {"--set a", "TOML"});  // Latin-1, not UTF-8
  EXPECT_TRUE(settings.entries().empty());
}

TEST(ConfigToToml, WritesTablesAndKeepsValues) {
  const Settings settings = parse_config(kExample, "my.toml");
  const std::string text = config_to_toml(settings);
  EXPECT_EQ(text, R"(name = "moon"
seed = 7

[model]
input.n_frequencies = 8
linear = true
tiles = [[2, 2], [4, 4]]
widths = [64, 32, 32.5]

[train]
learning_rate = 0.001
schedule.factor = 0.1
schedule.kind = "step"
)");
  EXPECT_EQ(config_to_toml(parse_config(text, "again")), text);
  EXPECT_EQ(config_to_toml(Settings()), "");
}

TEST(ConfigToToml, AwkwardDoublesKeepTheirBits) {
  using Limits = std::numeric_limits<double>;
  List values = {0,
                 -0.0,
                 1,
                 2.0,
                 1e5,
                 1e16,
                 1e22,
                 0x1p53,
                 -0x1p53,
                 0x1p53 + 2,
                 0.1,
                 1.0 / 3,
                 1e-7,
                 Limits::max(),
                 Limits::min(),
                 Limits::denorm_min(),
                 -Limits::lowest(),
                 Limits::epsilon(),
                 1e300,
                 -1e-300,
                 Limits::infinity(),
                 -Limits::infinity()};
  std::mt19937_64 generator(1);
  while (values.size() < 3000) {
    const uint64_t word = generator();
    double value = 0;
    std::memcpy(&value, &word, sizeof value);
    if (!std::isnan(value)) {
      values.push_back(value);
    }
  }
  Settings settings;
  settings.set("list", values, "test");
  settings.set("nested", NestedList{values, {}, {-0.0}}, "test");
  for (std::size_t i = 0; i < values.size(); ++i) {
    settings.set("t.v" + std::to_string(i), values[i], "test");
  }
  const Settings again = parse_config(config_to_toml(settings), "again");
  ASSERT_EQ(again.entries().size(), settings.entries().size());
  const List list = again.get_list("list", {});
  const NestedList nested = again.get_nested_list("nested", {});
  ASSERT_EQ(list.size(), values.size());
  ASSERT_EQ(nested.size(), 3U);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& entry = again.entries().at("t.v" + std::to_string(i));
    ASSERT_TRUE(std::holds_alternative<double>(entry.value)) << values[i];
    EXPECT_TRUE(same_bits(std::get<double>(entry.value), values[i])) << values[i];
    EXPECT_TRUE(same_bits(list[i], values[i])) << values[i];
    EXPECT_TRUE(same_bits(nested[0][i], values[i])) << values[i];
  }
}

TEST(ConfigToToml, IntegersBoolsAndTextsKeepTheirValue) {
  std::string all_bytes;
  for (char c = 1; c < 127; ++c) {
    all_bytes += c;
  }
  Settings settings;
  settings.set("min", std::numeric_limits<int64_t>::min(), "test");
  settings.set("max", std::numeric_limits<int64_t>::max(), "test");
  settings.set("no", false, "test");
  settings.set("text", all_bytes + "\x7f \xc3\xa9 \"\"\" ''' \\u0041 #", "test");
  settings.set("nul", std::string("a\0b", 3), "test");
  settings.set("empty", std::string(), "test");
  settings.set("a-b.c", int64_t{1}, "test");
  settings.set("a.c", int64_t{2}, "test");
  settings.set("a.d-e_f.9", int64_t{3}, "test");
  const Settings again = parse_config(config_to_toml(settings), "again");
  ASSERT_EQ(again.entries().size(), settings.entries().size());
  for (const auto& [key, entry] : settings.entries()) {
    EXPECT_EQ(again.entries().at(key).value, entry.value) << key;
  }
}

TEST(ConfigToToml, WhatTomlCannotSayIsAnError) {
  Settings settings;
  settings.set("a", int64_t{1}, "test");
  settings.set("a-b", int64_t{1}, "test");
  settings.set("a.b", int64_t{1}, "test");
  expect_error(ErrorKind::InvalidArgument, [&] { config_to_toml(settings); }, {"a: expected", "a.b"});
  Settings spaced;
  spaced.set("a b", int64_t{1}, "test");
  expect_error(ErrorKind::InvalidArgument, [&] { config_to_toml(spaced); }, {"a b", "rename"});
  Settings latin;
  latin.set("name", std::string("caf\xe9"), "test");
  expect_error(ErrorKind::Format, [&] { config_to_toml(latin); }, {"to be written", "TOML"});
}

}  // namespace
}  // namespace loe
