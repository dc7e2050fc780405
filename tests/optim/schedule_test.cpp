#include "loe/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "loe/base/error.h"

namespace loe {
namespace {

void expect_invalid(const Schedule& schedule, const std::string& field, const std::string& found) {
  try {
    schedule.validate();
    ADD_FAILURE() << "no error about " << field;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::InvalidArgument);
    const std::string message = error.what();
    EXPECT_NE(message.find("[schedule] " + field), std::string::npos) << message;
    EXPECT_NE(message.find(found), std::string::npos) << message;
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Schedule, StepOfThePaper) {
  Schedule schedule{ScheduleKind::Step, 0.005, 0.1, {0.5}, 0.01};
  EXPECT_EQ(schedule.at(0, 10000), 0.005);
  EXPECT_EQ(schedule.at(4999, 10000), 0.005);
  EXPECT_DOUBLE_EQ(schedule.at(5000, 10000), 0.0005);
  EXPECT_DOUBLE_EQ(schedule.at(9999, 10000), 0.0005);
}

TEST(Schedule, StepCountsMilestonesExactly) {
  Schedule schedule{ScheduleKind::Step, 1, 0.5, {0.1, 0.3, 0.7, 0.9}, 0.01};
  const double expected[] = {1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625};
  for (int step = 0; step <= 10; ++step) {
    EXPECT_EQ(schedule.at(step, 10), expected[step]) << step;
  }
  schedule.milestones.clear();
  EXPECT_EQ(schedule.at(9, 10), 1);
}

TEST(Schedule, ExponentialEndsAtItsFinalFactor) {
  Schedule schedule{ScheduleKind::Exponential, 2, 0.1, {}, 0.01};
  EXPECT_EQ(schedule.at(0, 400), 2);
  EXPECT_DOUBLE_EQ(schedule.at(200, 400), 0.2);
  EXPECT_DOUBLE_EQ(schedule.at(100, 400), 2 * std::sqrt(0.1));
  EXPECT_DOUBLE_EQ(schedule.at(400, 400), 0.02);
}

TEST(Schedule, CosineHasHalfWayInTheMiddle) {
  Schedule schedule{ScheduleKind::Cosine, 4, 0.1, {}, 0.25};
  EXPECT_EQ(schedule.at(0, 8), 4);
  EXPECT_DOUBLE_EQ(schedule.at(4, 8), 4 * (0.25 + 0.75 / 2));
  EXPECT_DOUBLE_EQ(schedule.at(2, 8), 4 * (0.25 + 0.75 * (1 + std::sqrt(0.5)) / 2));
  EXPECT_DOUBLE_EQ(schedule.at(8, 8), 1);
}

TEST(Schedule, ConstantIgnoresProgress) {
  Schedule schedule{ScheduleKind::Constant, 0.125, 0.1, {0.5}, 0.01};
  EXPECT_EQ(schedule.at(0, 10), 0.125);
  EXPECT_EQ(schedule.at(10, 10), 0.125);
}

TEST(Schedule, ProgressIsClamped) {
  Schedule schedule{ScheduleKind::Exponential, 1, 0.1, {}, 0.01};
  EXPECT_EQ(schedule.at(20, 10), schedule.at(10, 10));
  EXPECT_EQ(schedule.at(-3, 10), 1);
  EXPECT_EQ(schedule.at(3, 0), 1);
}

TEST(Schedule, ErrorsNameTheField) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (double rate : {0.0, -1.0, nan, infinity}) {
    expect_invalid({ScheduleKind::Constant, rate, 0.1, {}, 0.01}, "learning_rate", "got");
  }
  expect_invalid({ScheduleKind::Step, 1, 0, {0.5}, 0.01}, "factor", "got 0");
  expect_invalid({ScheduleKind::Step, 1, nan, {0.5}, 0.01}, "factor", "nan");
  expect_invalid({ScheduleKind::Step, 1, 0.1, {0.5, 0.5}, 0.01}, "milestones", "0.5, 0.5");
  expect_invalid({ScheduleKind::Step, 1, 0.1, {0.5, 0.25}, 0.01}, "milestones", "increasing");
  expect_invalid({ScheduleKind::Step, 1, 0.1, {0}, 0.01}, "milestones", "above 0");
  expect_invalid({ScheduleKind::Step, 1, 0.1, {1}, 0.01}, "milestones", "below 1");
  expect_invalid({ScheduleKind::Step, 1, 0.1, {nan}, 0.01}, "milestones", "nan");
  expect_invalid({ScheduleKind::Exponential, 1, 0.1, {}, 0}, "final_factor", "got 0");
  expect_invalid({ScheduleKind::Cosine, 1, 0.1, {}, -0.5}, "final_factor", "-0.5");
  Schedule{}.validate();
  Schedule{ScheduleKind::Cosine, 1, 0.1, {}, 0}.validate();
  Schedule{ScheduleKind::Constant, 1, nan, {7}, nan}.validate();  // fields that Constant never reads
}

TEST(Schedule, KindNamesRoundTrip) {
  for (ScheduleKind kind :
       {ScheduleKind::Constant, ScheduleKind::Step, ScheduleKind::Exponential, ScheduleKind::Cosine}) {
    EXPECT_EQ(schedule_kind_from_string(to_string(kind)), kind);
  }
  try {
    schedule_kind_from_string("cosin");
    ADD_FAILURE();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("constant, step, exponential, cosine"), std::string::npos) << message;
    EXPECT_NE(message.find("did you mean 'cosine'"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace loe
