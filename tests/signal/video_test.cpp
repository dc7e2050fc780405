#include "loe/signal/video.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "loe/base/error.h"

namespace loe {
namespace {

void expect_invalid(const std::string& part, const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "expected an error with '" << part << "'";
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.kind()), std::string("InvalidArgument"));
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Video, CountsWhatItHolds) {
  Video video(5, 3, 3, PixelType::U16);
  EXPECT_EQ(video.n_frames(), 0);
  EXPECT_EQ(video.n_pixels(), 0);
  EXPECT_EQ(video.n_bytes(), 0);
  for (int t = 0; t < 4; ++t) {
    Image frame(5, 3, 3, PixelType::U16);
    frame.row(1)[0] = static_cast<std::byte>(t);
    video.append(frame);
  }
  EXPECT_EQ(video.n_frames(), 4);
  EXPECT_EQ(video.n_pixels(), 60);
  EXPECT_EQ(video.n_bytes(), 360);
  for (int t = 0; t < 4; ++t) EXPECT_EQ(static_cast<int>(video.frame(t).row(1)[0]), t);
}

TEST(Video, RateIsAnExactFraction) {
  const Video video(65536, 1, 1, PixelType::U8);
  EXPECT_EQ(video.width(), 65536);
  const FrameRate rate{30000, 1001};
  EXPECT_NEAR(rate.value(), 29.97002997, 1e-8);
  EXPECT_EQ(video.frame_rate, (FrameRate{25, 1}));
  EXPECT_NE(rate, video.frame_rate);
}

TEST(Video, RefusesShapes) {
  expect_invalid("[video] size", [] { Video(0, 3, 3, PixelType::U8); });
  expect_invalid("[video] size", [] { Video(5, -1, 3, PixelType::U8); });
  expect_invalid("[video] size", [] { Video(65537, 3, 3, PixelType::U8); });
  expect_invalid("[video] size", [] { Video(5, 3, 0, PixelType::U8); });
  expect_invalid("[video] size", [] { Video(5, 3, 5, PixelType::U8); });
  expect_invalid("expected u8 or u16, got f32", [] { Video(5, 3, 3, PixelType::F32); });
  expect_invalid("expected u8 or u16, got f16", [] { Video(5, 3, 3, PixelType::F16); });
}

TEST(Video, RefusesFramesThatDiffer) {
  Video video(5, 3, 3, PixelType::U8);
  video.append(Image(5, 3, 3, PixelType::U8));
  expect_invalid("frame 1: expected 5x3", [&] { video.append(Image(6, 3, 3, PixelType::U8)); });
  expect_invalid("got 5x4", [&] { video.append(Image(5, 4, 3, PixelType::U8)); });
  expect_invalid("got 5x3 with 1 of u8", [&] { video.append(Image(5, 3, 1, PixelType::U8)); });
  expect_invalid("with 3 of u16", [&] { video.append(Image(5, 3, 3, PixelType::U16)); });
  EXPECT_EQ(video.n_frames(), 1);
}

TEST(Video, HoldsAtMost65536Frames) {
  Video video(1, 1, 1, PixelType::U8);
  for (int t = 0; t < 65536; ++t) video.append(Image(1, 1, 1, PixelType::U8));
  EXPECT_EQ(video.n_frames(), 65536);
  expect_invalid("at most 65536", [&] { video.append(Image(1, 1, 1, PixelType::U8)); });
}

}  // namespace
}  // namespace loe
