#include "loe/signal/picture_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "loe/base/error.h"

namespace loe {
namespace {

std::vector<uint8_t> ramp(std::size_t n) {
  std::vector<uint8_t> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<uint8_t>(i * 7);
  return values;
}

TEST(PictureSet, GivesItsPictures) {
  const PictureSet set(2, ramp(36));
  EXPECT_EQ(set.size(), 3);
  EXPECT_EQ(set.values_per_picture(), 12);
  const std::vector<uint8_t> all = ramp(36);
  std::vector<uint8_t> out(12);
  for (int64_t i = 0; i < 3; ++i) {
    set.read(i, out.data());
    EXPECT_TRUE(std::ranges::equal(out, std::span(all).subspan(static_cast<std::size_t>(i) * 12, 12)));
    EXPECT_TRUE(std::ranges::equal(out, set.picture(i)));
  }
  EXPECT_EQ(PictureSet().size(), 0);
  EXPECT_EQ(PictureSet(4, {}).size(), 0);
}

TEST(PictureSet, HashSeesEveryValueOrderAndShape) {
  std::set<uint64_t> hashes = {PictureSet(2, ramp(36)).content_hash()};
  EXPECT_EQ(*hashes.begin(), PictureSet(2, ramp(36)).content_hash());
  std::size_t n = 1;
  const auto expect_new = [&](const PictureSet& set) {
    hashes.insert(set.content_hash());
    EXPECT_EQ(hashes.size(), ++n);
  };
  for (std::size_t i = 0; i < 36; ++i) {
    for (const uint8_t bit : {1, 128}) {
      std::vector<uint8_t> changed = ramp(36);
      changed[i] ^= bit;
      expect_new(PictureSet(2, changed));
    }
  }
  std::vector<uint8_t> turned = ramp(36);
  std::rotate(turned.begin(), turned.begin() + 12, turned.end());
  expect_new(PictureSet(2, turned));
  expect_new(PictureSet(2, ramp(24)));
  // Zeros in other shapes.
  expect_new(PictureSet(2, std::vector<uint8_t>(48)));
  expect_new(PictureSet(4, std::vector<uint8_t>(48)));
  expect_new(PictureSet(2, {}));
  expect_new(PictureSet(4, {}));
}

TEST(PictureSet, HashIsPartOfFiles) {
  // Written into checkpoints and statistics: it must not change. Value from the same formula in Python's integers.
  EXPECT_EQ(PictureSet(2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).content_hash(), 0x6C0D6EAD209DFFFDULL);
}

TEST(PictureSet, Refuses) {
  const auto refused = [](const std::string& part, const std::function<void()>& action) {
    try {
      action();
      ADD_FAILURE() << "expected an error with '" << part << "'";
    } catch (const Error& error) {
      EXPECT_EQ(to_string(error.kind()), std::string("InvalidArgument"));
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused("resolution", [] { PictureSet(0, {}); });
  refused("12 values, got 13", [] { PictureSet(2, std::vector<uint8_t>(13)); });
  refused("with their pixels", [] { PictureSet(2, 1, nullptr); });
  const PictureSet set(1, {1, 2, 3});
  refused("below 1, got 1", [&] { static_cast<void>(set.picture(1)); });
  refused("got -1", [&] { static_cast<void>(set.picture(-1)); });
}

}  // namespace
}  // namespace loe
