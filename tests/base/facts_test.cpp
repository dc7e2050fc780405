#include "loe/base/facts.h"

#include <gtest/gtest.h>

#include "loe/base/error.h"

namespace loe {
namespace {

TEST(Facts, KeepTheOrderAndReplace) {
  Facts facts = {{"psnr_db", 31.5}, {"steps", 100}, {"name", "moon"}, {"has_alpha", true}};
  facts.set({"steps", int64_t{200}});
  facts.set(Facts{{"name", std::string("sun")}, {"seed", 7U}, {"rates", std::vector<double>{1, 2}}});
  std::vector<std::string> names;
  for (const Fact& fact : facts) {
    names.push_back(fact.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"psnr_db", "steps", "name", "has_alpha", "seed", "rates"}));
  EXPECT_EQ(facts.number("steps"), 200);
  EXPECT_EQ(facts.number("psnr_db"), 31.5);
  EXPECT_EQ(std::get<std::string>(*facts.find("name")), "sun");
  EXPECT_TRUE(std::get<bool>(*facts.find("has_alpha")));
  EXPECT_EQ(std::get<int64_t>(*facts.find("seed")), 7);
  EXPECT_EQ(facts.find("absent"), nullptr);
  EXPECT_THROW(facts.number("absent"), Error);
  EXPECT_THROW(facts.number("name"), Error);
}

TEST(Facts, ObjectsAreNamesWithDots) {
  const Facts facts = {{"distances.fid", 3.5}, {"distances.levels.64", 1}, {"distance", 9}, {"n", 2}};
  const Facts distances = facts.of("distances");
  EXPECT_EQ(distances.number("fid"), 3.5);
  EXPECT_EQ(distances.of("levels").number("64"), 1);
  EXPECT_EQ(distances.find("distance"), nullptr);
  EXPECT_TRUE(facts.of("views").empty());
}

}  // namespace
}  // namespace loe
