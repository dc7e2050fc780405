// Clips and folders as people bring them: the files of tests/io/wild and files of the same kinds made here. Rates,
// times and numbers of frames are those of FFmpeg's own reading.
#include <fmt/format.h>

#include <filesystem>

#include "io/video_test_helpers.h"
#include "loe/io/folder_content.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

const std::string kWild = std::string(kConfigs) + "/../tests/io/wild/";

std::string notes_of(const VideoFileInfo& info) {
  return fmt::format("{}", fmt::join(info.notes, "; "));
}

TEST(WildVideos, SayWhatTheyAre) {
  struct Case {
    const char* name;
    int n_frames;  ///< decoded
    double rate;
    double pixel_aspect;
    bool has_alpha;
    const char* note;  ///< "": none
  };
  const Case cases[] = {
      {"blink.gif", 2, 2, 1, false, ""},
      {"alpha-vp9.webm", 5, 10, 1, true, ""},
      {"interlaced.mp4", 10, 10, 1, false, "is interlaced"},
      {"rot45.mp4", 10, 10, 1, false, "turned by"},
      {"sar2.mp4", 10, 10, 2, false, ""},
      {"f-gap", 3, 25, 1, false, "frames 3 to 4 are missing between f0002.png and f0005.png (2 in all)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_TRUE(is_video(kWild + c.name));
    const VideoFileInfo info = read_video_info(kWild + c.name);
    EXPECT_DOUBLE_EQ(info.frame_rate.value(), c.rate);
    EXPECT_FALSE(info.is_variable_rate);
    EXPECT_DOUBLE_EQ(info.pixel_aspect, c.pixel_aspect);
    EXPECT_EQ(info.has_alpha, c.has_alpha);
    EXPECT_NE(notes_of(info).find(c.note), std::string::npos) << notes_of(info);
    EXPECT_EQ(info.notes.empty(), std::string(c.note).empty()) << notes_of(info);
    const Video video = read_video(kWild + c.name);
    EXPECT_EQ(video.n_frames(), c.n_frames);
    EXPECT_EQ(video.has_transparency, c.has_alpha);
    EXPECT_TRUE(video.times.empty());
  }
}

TEST(WildVideos, StillGifIsNoVideo) {
  EXPECT_FALSE(is_video(kWild + "still.gif"));
  EXPECT_FALSE(is_video(kWild + "a.avif"));
  EXPECT_FALSE(is_video(kWild + "a.heic"));
  EXPECT_FALSE(is_video(kWild + "cover.mp3"));
  EXPECT_FALSE(is_video(kWild + "none.mp4"));
  EXPECT_FALSE(is_video(kWild + "f-sub"));
}

TEST(WildVideos, JoinedTransportStreamIsWhole) {
  const Video video = read_video(kWild + "joined.ts");
  EXPECT_EQ(video.n_frames(), 24);
  EXPECT_EQ(video.n_skipped, 0);
  EXPECT_TRUE(video.times.empty());  // they begin anew
}

TEST(WildVideos, DamagedFramesStopOrAreSkipped) {
  expect_error(ErrorKind::Format, "--set data.on_damage=skip", [&] { read_video(kWild + "lost-packet.ts"); });
  SignalEdit edit;
  edit.on_damage = OnDamage::Skip;
  const Video video = read_video(kWild + "lost-packet.ts", edit);
  EXPECT_GT(video.n_frames(), 0);
  EXPECT_GT(video.n_skipped, 0);
  EXPECT_LT(video.n_frames(), 40);
  // What comes before the damage is what an undamaged reading gives, bit for bit.
  SignalEdit first;
  first.frames = {0, 5};
  const Video whole = read_video(kWild + "lost-packet.ts", first);
  for (int t = 0; t < 5; ++t) EXPECT_EQ(max_difference(whole.frame(t), video.frame(t)), 0) << t;
}

TEST(WildVideos, ShapeOfPixelsIsKeptInWhatIsWritten) {
  const Video video = read_video(kWild + "sar2.mp4");
  EXPECT_DOUBLE_EQ(video.pixel_aspect, 2);
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.mkv", "v.webm", "v.y4m"}) {
    SCOPED_TRACE(name);
    write_video(folder.file(name), video);
    EXPECT_DOUBLE_EQ(read_video_info(folder.file(name)).pixel_aspect, 2);
  }
  // 48 x 32 pixels of 2 : 1 made 96 x 32 are square; a cut changes nothing.
  SignalEdit edit;
  edit.size = {96, 32};
  EXPECT_DOUBLE_EQ(read_video(kWild + "sar2.mp4", edit).pixel_aspect, 1);
  edit.size = {48, 64};
  EXPECT_DOUBLE_EQ(read_video(kWild + "sar2.mp4", edit).pixel_aspect, 4);
  SignalEdit cut;
  cut.crop = {0, 0, 10, 10};
  EXPECT_DOUBLE_EQ(read_video(kWild + "sar2.mp4", cut).pixel_aspect, 2);
}

TEST(WildVideos, TimesOfAVariableRateComeBack) {
  Video video = wave_clip(32, 16, 3, PixelType::U8, 6);
  video.times = {0, 0.1, 0.2, 0.5, 0.6, 1.4};
  video.frame_rate = {4, 1};
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.mov", "v.mkv", "v.webm"}) {
    SCOPED_TRACE(name);
    write_video(folder.file(name), video);
    EXPECT_TRUE(read_video_info(folder.file(name)).is_variable_rate);
    const Video back = read_video(folder.file(name));
    ASSERT_EQ(back.times.size(), video.times.size());
    for (std::size_t t = 0; t < video.times.size(); ++t) EXPECT_NEAR(back.times[t], video.times[t], 0.001) << t;
    EXPECT_NEAR(back.frame_rate.value(), 5 / 1.4, 0.01);  // 5 steps from 0 to 1.4
  }
  video.times.pop_back();
  expect_error(ErrorKind::InvalidArgument, "5 frames, one for each time",
               [&] { write_video(folder.file("w.mp4"), video); });
}

/// A GIF of 2 x 1 pixels by hand: black, white and the colours' index 0 again and again, with delays in 1/100 s.
std::string gif(const std::vector<int>& delays, bool is_transparent) {
  using namespace std::string_literals;
  std::string bytes = "GIF89a\x02\x00\x01\x00\x80\x00\x00"s + "\x00\x00\x00\xFF\xFF\xFF"s;
  for (const int delay : delays) {
    bytes += "\x21\xF9\x04"s + static_cast<char>(is_transparent ? 1 : 0) + static_cast<char>(delay & 255) +
             static_cast<char>(delay >> 8) + "\x00\x00"s;
    // Codes of 3 bits: clear, 0, 1, end = 4, 0, 1, 5.
    bytes += "\x2C\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x02\x44\x0A\x00"s;
  }
  return bytes + "\x3B";
}

TEST(WildVideos, GifsLastAsLongAsTheirFrames) {
  const TempFolder folder;
  const std::string path = folder.file("p.gif");
  write_bytes(path, gif({10, 10, 10}, false));
  EXPECT_DOUBLE_EQ(read_video_info(path).frame_rate.value(), 10);
  EXPECT_FALSE(read_video_info(path).has_alpha);
  EXPECT_EQ(read_video_info(path).n_frames, 3);
  EXPECT_EQ(stored(read_video(path).frame(2), 1, 0, 0), 255);
  write_bytes(path, gif({10, 20, 50}, false));
  const Video video = read_video(path);
  EXPECT_TRUE(read_video_info(path).is_variable_rate);
  EXPECT_DOUBLE_EQ(video.frame_rate.value(), 3 / 0.8);
  ASSERT_EQ(video.times.size(), 3U);
  EXPECT_NEAR(video.times[1], 0.1, 1e-9);
  EXPECT_NEAR(video.times[2], 0.3, 1e-9);
  // Two frames whose times differ only by how long the last one stays.
  write_bytes(path, gif({10, 70}, false));
  EXPECT_DOUBLE_EQ(read_video_info(path).frame_rate.value(), 2.5);
  EXPECT_TRUE(read_video_info(path).is_variable_rate);
  write_bytes(path, gif({10, 10}, true));
  EXPECT_TRUE(read_video_info(path).has_alpha);
  EXPECT_TRUE(read_video(path).has_transparency);
}

TEST(WildVideos, FramesOfOtherChannelsAreTakenAsColours) {
  // As programs that shrink PNGs leave them: grey where a frame is grey, alpha where one has some.
  const TempFolder folder;
  for (const int n_channels : {1, 2, 3, 4}) {
    Image image(4, 3, n_channels, PixelType::U8);
    for (std::size_t i = 0; i < image.n_bytes(); ++i) {
      const int channel = static_cast<int>(i) % n_channels;
      const bool is_alpha = n_channels % 2 == 0 && channel == n_channels - 1;
      image.data()[i] = static_cast<std::byte>(is_alpha ? 255 : 10 * n_channels + channel);
    }
    write_image(folder.file("f" + std::to_string(n_channels) + ".png"), image);
  }
  const Video video = read_video(folder.path());
  ASSERT_EQ(video.n_channels(), 3);
  const int expected[4][3] = {{10, 10, 10}, {20, 20, 20}, {30, 31, 32}, {40, 41, 42}};
  for (int t = 0; t < 4; ++t) {
    for (int c = 0; c < 3; ++c) EXPECT_EQ(stored(video.frame(t), 2, 1, c), expected[t][c]) << t;
  }
  EXPECT_FALSE(video.has_transparency);
  std::filesystem::remove(folder.file("f3.png"));
  std::filesystem::remove(folder.file("f4.png"));
  EXPECT_EQ(read_video(folder.path()).n_channels(), 1);
}

TEST(WildVideos, FoldersOfFloatsAreWritten) {
  const TempFolder folder;
  for (const PixelType type : {PixelType::F16, PixelType::F32}) {
    VideoOptions options;
    options.type = type;
    const std::string name = folder.file(to_string(type)) + "/";
    VideoWriter writer(name, 2, 1, 3, options);
    const float values[] = {-0.5F, 0, 1, 2, 300, 0.25F};
    writer.write_frame(values);
    writer.close();
    const Image frame = read_image(name + "frame-000001.exr");
    float back[6];
    frame.read_row(0, 0, 2, back);
    EXPECT_TRUE(std::equal(values, values + 6, back));
    EXPECT_EQ(frame.tags.color_space, "Linear");
    expect_error(ErrorKind::InvalidArgument, "a folder NAME/ of OpenEXR pictures for floats",
                 [&] { VideoWriter(folder.file("v.mp4"), 2, 2, 3, options); });
  }
}

TEST(WildVideos, FoldersSayWhatLiesThere) {
  const FolderContent folders = folder_content(kWild + "f-sub");
  EXPECT_EQ(folders.what, "a folder without pictures, but with folders of them (cam0, cam1)");
  EXPECT_EQ(folders.remedy, "name one of them");
  const TempFolder folder;
  EXPECT_EQ(folder_content(folder.path()).what, "a folder without files");
  write_bytes(folder.file("notes.txt"), "nothing");
  EXPECT_EQ(folder_content(folder.path()).what, "a folder without pictures");
  std::filesystem::copy_file(kWild + "sar2.mp4", folder.file("clip.mp4"));
  EXPECT_EQ(folder_content(folder.path()).what, "a folder without pictures, but with videos (clip.mp4)");
}

TEST(WildVideos, MissingNumbersAreSaidUnlessStepsAreEven) {
  const TempFolder folder;
  const auto note_of = [&](const std::vector<const char*>& names) {
    const std::string path = folder.file(fmt::format("{}", fmt::join(names, "-")));
    std::filesystem::create_directories(path);
    for (const char* name : names) write_image(path + "/" + name, Image(4, 4, 3, PixelType::U8));
    return notes_of(read_video_info(path));
  };
  EXPECT_EQ(note_of({"a1.png", "a2.png", "a3.png"}), "");
  EXPECT_EQ(note_of({"a10.png", "a20.png", "a30.png"}), "");
  EXPECT_EQ(note_of({"x.png", "a.png"}), "");
  EXPECT_NE(note_of({"9.png", "10.png", "12.png"}).find("frame 11 is missing between 10.png and 12.png; those"),
            std::string::npos);
  EXPECT_NE(note_of({"b1.png", "b3.png", "b5.png", "b11.png"}).find("frames 7 to 9 are missing"), std::string::npos);
}

}  // namespace
}  // namespace loe
