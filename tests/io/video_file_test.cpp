#include "io/video_test_helpers.h"
#include "loe/io/image_file.h"
#include "test_paths.h"

extern "C" {
#include <libavutil/display.h>
}

namespace loe {
namespace {

bool has_shared_clips() {
  return std::filesystem::exists(kCarphone) && std::filesystem::exists(kBikes) && std::filesystem::exists(kBunny);
}

/// A Y4M frame of 4:4:4 with pseudo-random values in the legal range, and the RGB they stand for in [0, 1].
struct RandomYuv {
  std::string bytes;
  std::vector<double> rgb;
};

RandomYuv random_yuv(int width, int height, int depth, double kr, double kb) {
  const int scale = 1 << (depth - 8);
  const int n = width * height;
  uint32_t state = 99;
  const auto draw = [&](int first, int last) {
    state = state * 1664525U + 1013904223U;
    return first * scale + static_cast<int>((state >> 8) % static_cast<uint32_t>((last - first) * scale + 1));
  };
  std::vector<int> planes(3 * static_cast<std::size_t>(n));
  for (int i = 0; i < 3 * n; ++i) planes[i] = i < n ? draw(16, 235) : draw(16, 240);
  planes[0] = 16 * scale;  // black and white first
  planes[1] = 235 * scale;
  for (const int i : {n, n + 1, 2 * n, 2 * n + 1}) planes[i] = 128 * scale;
  RandomYuv result;
  for (const int value : planes) {
    result.bytes += static_cast<char>(value & 255);
    if (depth > 8) result.bytes += static_cast<char>(value >> 8);
  }
  for (int i = 0; i < n; ++i) {
    const double y = (planes[i] / double(scale) - 16) / 219;
    const double u = (planes[n + i] / double(scale) - 128) / 224;
    const double v = (planes[2 * n + i] / double(scale) - 128) / 224;
    const double r = y + 2 * (1 - kr) * v;
    const double b = y + 2 * (1 - kb) * u;
    for (const double value : {r, (y - kr * r - kb * b) / (1 - kr - kb), b}) {
      result.rgb.push_back(std::clamp(value, 0.0, 1.0));
    }
  }
  return result;
}

void expect_rgb(const Image& image, const std::vector<double>& rgb) {
  const double max = image.type() == PixelType::U8 ? 255 : 65535;
  // Rounding is 0.5; swscale's 8-bit arithmetic adds at most 0.1, float at most 0.01.
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    const int x = static_cast<int>(i / 3) % image.width();
    const int y = static_cast<int>(i / 3) / image.width();
    ASSERT_NEAR(stored(image, x, y, static_cast<int>(i % 3)), rgb[i] * max, 0.6) << x << ' ' << y << ' ' << i % 3;
  }
}

TEST(VideoFile, YuvBecomesRgbByTheEquation) {
  const TempFolder folder;
  struct Case {
    const char* tag;
    int depth;
    int width;
    const char* matrix;
    double kr;
    double kb;
  };
  // A file that states no matrix: by its size.
  for (const Case& c : {Case{"C444", 8, 64, "bt601", 0.299, 0.114},
                        {"C444", 8, 1280, "bt709", 0.2126, 0.0722},
                        {"C444p10 XYSCSS=444P10", 10, 64, "bt601", 0.299, 0.114},
                        {"C444p12 XYSCSS=444P12", 12, 1280, "bt709", 0.2126, 0.0722}}) {
    SCOPED_TRACE(c.tag);
    const RandomYuv yuv = random_yuv(c.width, 6, c.depth, c.kr, c.kb);
    write_bytes(folder.file("v"), y4m_header(c.width, 6, c.tag) + "FRAME\n" + yuv.bytes);
    const VideoFileInfo info = read_video_info(folder.file("v"));
    EXPECT_EQ(info.format, "yuv4mpegpipe");
    EXPECT_EQ(info.color.matrix, c.matrix);
    EXPECT_EQ(info.color.range, "limited");
    EXPECT_EQ(to_string(info.type), std::string(c.depth == 8 ? "u8" : "u16"));
    EXPECT_EQ(info.n_frames, 1);
    EXPECT_EQ(info.frame_rate, (FrameRate{25, 1}));
    const Video video = read_video(folder.file("v"));
    ASSERT_EQ(video.n_frames(), 1);
    expect_rgb(video.frame(0), yuv.rgb);
    EXPECT_EQ(stored(video.frame(0), 0, 0, 1), 0);
    EXPECT_EQ(stored(video.frame(0), 1, 0, 1), c.depth == 8 ? 255 : 65535);
  }
}

TEST(VideoFile, StatedMatrixAndRangeAreUsed) {
  const TempFolder folder;
  for (const bool full : {false, true}) {
    EncodedClip clip;
    clip.format = AV_PIX_FMT_YUV444P;
    clip.range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    clip.space = AVCOL_SPC_BT2020_NCL;
    clip.fill = [](AVFrame& frame, int) {
      std::memset(frame.data[0], 120, static_cast<std::size_t>(frame.linesize[0]) * 16);
      std::memset(frame.data[1], 110, static_cast<std::size_t>(frame.linesize[1]) * 16);
      std::memset(frame.data[2], 150, static_cast<std::size_t>(frame.linesize[2]) * 16);
    };
    encode_clip(folder.file("v.mkv"), clip);
    const Video video = read_video(folder.file("v.mkv"));
    EXPECT_EQ(video.color.matrix, "bt2020");
    EXPECT_EQ(video.color.range, full ? "full" : "limited");
    const double y = full ? 120 / 255.0 : (120 - 16) / 219.0;
    const double u = full ? -18 / 255.0 : -18 / 224.0;
    const double v = full ? 22 / 255.0 : 22 / 224.0;
    const double kr = 0.2627;
    const double kb = 0.0593;
    const double r = y + 2 * (1 - kr) * v;
    const double b = y + 2 * (1 - kb) * u;
    EXPECT_NEAR(stored(video.frame(2), 5, 7, 0), 255 * r, 0.7);
    EXPECT_NEAR(stored(video.frame(2), 5, 7, 1), 255 * (y - kr * r - kb * b) / (1 - kr - kb), 0.7);
    EXPECT_NEAR(stored(video.frame(2), 5, 7, 2), 255 * b, 0.7);
  }
}

TEST(VideoFile, ChromaLiesWhereTheFileSays) {
  // Chroma V rises by 2 per pixel of luma: between its samples every pixel has its own. Left: sample i lies at pixel
  // 2 i; centre (JPEG's place): at 2 i + 1/2.
  const TempFolder folder;
  for (const bool left : {true, false}) {
    const int width = 64;
    const int height = 8;
    std::string planes(static_cast<std::size_t>(width * height), '\x78');
    planes += std::string(static_cast<std::size_t>(width * height / 4), '\x80');
    for (int i = 0; i < width * height / 4; ++i) {
      planes += static_cast<char>(64 + 4 * (i % (width / 2)) + (left ? 0 : 1));
    }
    write_bytes(folder.file("v"), y4m_header(width, height, left ? "C420mpeg2" : "C420jpeg") + "FRAME\n" + planes);
    const Video video = read_video(folder.file("v"));
    for (int x = 8; x < width - 8; ++x) {
      const double v = (64 + 2 * x - 128) / 224.0;
      const double red = std::clamp((0x78 - 16) / 219.0 + 1.402 * v, 0.0, 1.0);
      // Half a level of V, as a level of red: 0.8; and the rounding.
      ASSERT_NEAR(stored(video.frame(0), x, 4, 0), 255 * red, 1.4) << left << ' ' << x;
    }
  }
}

TEST(VideoFile, SharedClips) {
  if (!has_shared_clips()) GTEST_SKIP() << "no clips in " << kSharedData;
  struct Case {
    std::string path;
    int width;
    int height;
    int n_frames;
    FrameRate rate;
    bool audio;
  };
  for (const Case& c : {Case{kCarphone, 176, 144, 120, {30000, 1001}, false},
                        {kBikes, 640, 272, 250, {25, 1}, false},
                        {kBunny, 1280, 720, 132, {25, 1}, true}}) {
    SCOPED_TRACE(c.path);
    EXPECT_TRUE(is_video(c.path));
    const VideoFileInfo info = read_video_info(c.path);
    EXPECT_EQ(info.format, "mp4");
    EXPECT_EQ(info.codec, "h264");
    EXPECT_EQ(info.width, c.width);
    EXPECT_EQ(info.height, c.height);
    EXPECT_EQ(info.n_channels, 3);
    EXPECT_EQ(info.n_frames, c.n_frames);
    EXPECT_EQ(info.frame_rate, c.rate);
    EXPECT_FALSE(info.is_variable_rate);
    EXPECT_FALSE(info.has_alpha);
    EXPECT_EQ(info.has_audio, c.audio);
    VideoReader reader(c.path);
    Image frame;
    for (int t = 0; t < 3; ++t) ASSERT_TRUE(reader.next(frame));
    EXPECT_EQ(frame.width(), c.width);
  }
}

TEST(VideoFile, WholeClipAgreesWithFfmpeg) {
  if (!has_shared_clips()) GTEST_SKIP() << "no clips in " << kSharedData;
  const Video video = read_video(kCarphone);
  ASSERT_EQ(video.n_frames(), 120);
  // ffmpeg 5.1.8 -i carphone_pristine.mp4 -vf scale=in_h_chr_pos=0:in_v_chr_pos=128:flags=accurate_rnd+full_chroma_int+
  // full_chroma_inp+bicubic -f rawvideo -pix_fmt rgb24: sums of all values of a frame. Two levels would be 152064.
  const struct {
    int t;
    int64_t sum;
  } cases[] = {{0, 7365702}, {1, 7408735}, {59, 7690021}, {119, 7821561}};
  for (const auto& c : cases) {
    int64_t sum = 0;
    for (std::size_t i = 0; i < video.frame(c.t).n_bytes(); ++i) sum += static_cast<int>(video.frame(c.t).data()[i]);
    EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(c.sum), 0.1 * 76032) << c.t;
  }
}

TEST(VideoFile, EditChoosesCutsAndResizesWhileDecoding) {
  const TempFolder folder;
  const Video clip = wave_clip(40, 30, 3, PixelType::U8, 9);
  write_video(folder.file("v.npy"), clip);
  SignalEdit edit;
  edit.frames = {2, 5};
  edit.crop = {4, 2, 20, 10};
  edit.size = {10, 5};
  std::vector<int> seen;
  const Video part = read_video(folder.file("v.npy"), edit, int64_t{1} << 30, [&](int n) { seen.push_back(n); });
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 4, 5}));
  ASSERT_EQ(part.n_frames(), 5);
  ASSERT_EQ(part.width(), 10);
  ASSERT_EQ(part.height(), 5);
  for (int t = 0; t < 5; ++t) {
    const Image& whole = clip.frame(t + 2);
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += stored(whole, 4 + 2 * 3 + i % 2, 2 + 2 * 1 + i / 2, 2);
    EXPECT_NEAR(stored(part.frame(t), 3, 1, 2), sum / 4, 0.5 + 1e-3) << t;
  }
  edit = {};
  edit.frames = {6, 0};
  EXPECT_EQ(read_video(folder.file("v.npy"), edit).n_frames(), 3);
}

TEST(VideoFile, LosslessFormatsComeBackBitForBit) {
  const TempFolder folder;
  for (const char* name : {"v.npy", "frames/"}) {
    for (const int n_channels : {1, 3}) {
      for (const PixelType type : {PixelType::U8, PixelType::U16}) {
        SCOPED_TRACE(std::string(name) + std::to_string(n_channels) + to_string(type));
        const Video clip = wave_clip(13, 7, n_channels, type, 12);
        write_video(folder.file(name), clip);
        EXPECT_TRUE(is_video(folder.file(name)));
        EXPECT_EQ(read_video_info(folder.file(name)).n_frames, 12);
        const Video back = read_video(folder.file(name));
        ASSERT_EQ(back.n_frames(), 12);
        for (int t = 0; t < 12; ++t) EXPECT_EQ(max_difference(back.frame(t), clip.frame(t)), 0) << t;
        std::filesystem::remove_all(folder.file(name));
      }
    }
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(VideoFile, Y4mComesBackWithinTheRoundingOfYuv) {
  const TempFolder folder;
  const Video clip = wave_clip(33, 21, 3, PixelType::U8, 4);
  write_video(folder.file("v.y4m"), clip);
  const Video back = read_video(folder.file("v.y4m"));
  EXPECT_EQ(back.frame_rate, clip.frame_rate);
  ASSERT_EQ(back.n_frames(), 4);
  // Half a level of y, u and of the result: blue is worst, 255 / 219 / 2 + 1.772 * 255 / 224 / 2 + 1 / 2 = 2.1.
  for (int t = 0; t < 4; ++t) EXPECT_LE(max_difference(back.frame(t), clip.frame(t)), 2);
  const Video grey = wave_clip(33, 21, 1, PixelType::U8, 4);
  write_video(folder.file("g.y4m"), grey);
  const Video grey_back = read_video(folder.file("g.y4m"));
  ASSERT_EQ(grey_back.n_channels(), 1);
  for (int t = 0; t < 4; ++t) EXPECT_EQ(max_difference(grey_back.frame(t), grey.frame(t)), 0);
}

/// Writes at a quality and reads back.
Video round_trip(const std::string& path, const Video& clip, double quality) {
  VideoOptions options;
  options.rate = clip.frame_rate;
  options.type = clip.type();
  options.color = clip.color;
  options.quality = quality;
  std::filesystem::remove(path);
  VideoWriter writer(path, clip.width(), clip.height(), clip.n_channels(), options);
  for (int t = 0; t < clip.n_frames(); ++t) writer.write_frame(clip.frame(t));
  EXPECT_FALSE(std::filesystem::exists(path));
  writer.close();
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(is_video(path));
  return read_video(path);
}

TEST(VideoFile, LosslessCodecsOfOddSizesComesBackWithinTheRoundingOfYuv) {
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.mov", "v.mkv", "v.webm"}) {
    for (const char* matrix : {"bt709", "bt601", "bt2020"}) {
      for (const char* range : {"limited", "full"}) {
        SCOPED_TRACE(std::string(name) + matrix + range);
        Video clip = wave_clip(35, 23, 3, PixelType::U8, 3);
        clip.color = {matrix, range, "bt709", "bt709"};
        const Video back = round_trip(folder.file(name), clip, 0);
        EXPECT_EQ(back.color, clip.color);
        EXPECT_EQ(back.frame_rate, clip.frame_rate);
        ASSERT_EQ(back.n_frames(), 3);
        // As for Y4M; the wider matrices give 255 / 219 / 2 + 1.8814 * 255 / 224 / 2 + 1 / 2 = 2.2.
        for (int t = 0; t < 3; ++t) EXPECT_LE(max_difference(back.frame(t), clip.frame(t)), 2);
      }
    }
  }
}

TEST(VideoFile, CompressedFormatsKeepTheClip) {
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.mov", "v.mkv", "v.webm"}) {
    SCOPED_TRACE(name);
    const Video clip = wave_clip(64, 48, 3, PixelType::U8, 8);
    const Video back = round_trip(folder.file(name), clip, 12);
    ASSERT_EQ(back.n_frames(), 8);
    EXPECT_EQ(back.frame_rate, clip.frame_rate);
    EXPECT_EQ(back.color.matrix, "bt709");
    EXPECT_GT(clip_psnr(clip, back), 40);  // no visible loss
    EXPECT_GT(clip_psnr(clip, round_trip(folder.file(name), clip, 2)), clip_psnr(clip, back));
    const std::string bytes = read_bytes(folder.file(name));
    round_trip(folder.file(name), clip, 2);
    EXPECT_EQ(read_bytes(folder.file(name)), bytes) << "same frames, same bytes";
  }
}

TEST(VideoFile, SixteenBitsAreKeptAsTen) {
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.webm"}) {
    for (const int width : {64, 63}) {
      SCOPED_TRACE(std::string(name) + std::to_string(width));
      const Video clip = wave_clip(width, 48, 1, PixelType::U16, 4);
      const Video back = round_trip(folder.file(name), clip, 0);
      ASSERT_EQ(to_string(back.type()), std::string("u16"));
      ASSERT_EQ(back.n_channels(), 3) << "grey becomes YUV";
      // Half a level of y, 65535 / 876 / 2, and of u and v, which are 0: 37.4, and half a level of the result.
      for (int y = 0; y < 48; ++y) {
        for (int x = 0; x < width; ++x) {
          ASSERT_NEAR(stored(back.frame(2), x, y, 1), stored(clip.frame(2), x, y, 0), 38.5) << x << ' ' << y;
        }
      }
    }
  }
  // In colour and 4:4:4, blue is worst: 65535 (1 / 876 + 1.8556 / 896) / 2 + 1 / 2 = 105.8.
  const Video clip = wave_clip(63, 48, 3, PixelType::U16, 3);
  const Video back = round_trip(folder.file("c.mkv"), clip, 0);
  for (int t = 0; t < 3; ++t) EXPECT_LE(max_difference(back.frame(t), clip.frame(t)), 107);
}

TEST(VideoFile, WriterRoundsOtherDepths) {
  const TempFolder folder;
  VideoOptions options;
  {
    VideoWriter writer(folder.file("v.npy"), 5, 4, 3, options);
    writer.write_frame(waves(5, 4, 3, PixelType::F32, 0));
    writer.write_frame(waves(5, 4, 3, PixelType::U16, 1));
    std::vector<float> values(60, 0.5F);
    values[0] = -1;
    values[1] = 2;
    writer.write_frame(values.data());
    writer.close();
  }
  const Video back = read_video(folder.file("v.npy"));
  ASSERT_EQ(back.n_frames(), 3);
  EXPECT_EQ(max_difference(back.frame(0), waves(5, 4, 3, PixelType::U8, 0)), 0);
  EXPECT_LE(max_difference(back.frame(1), waves(5, 4, 3, PixelType::U8, 1)), 1);  // rounded twice
  EXPECT_EQ(stored(back.frame(2), 0, 0, 0), 0);
  EXPECT_EQ(stored(back.frame(2), 0, 0, 1), 255);
  EXPECT_EQ(stored(back.frame(2), 0, 0, 2), 128);
}

TEST(VideoFile, NpyOfAllKinds) {
  const TempFolder folder;
  const std::string path = folder.file("v");
  write_bytes(path, npy_bytes(npy_dictionary("|u1", "2, 1, 2"), "\x01\x02\x03\xFF"));
  Video video = read_video(path);
  EXPECT_EQ(video.n_channels(), 1);
  ASSERT_EQ(video.n_frames(), 2);
  EXPECT_EQ(stored(video.frame(1), 1, 0, 0), 255);
  write_bytes(path, npy_bytes(npy_dictionary("<u2", "1, 1, 1, 3"), std::string("\x01\x00\x00\x01\xFF\xFF", 6), 2));
  video = read_video(path);
  EXPECT_EQ(stored(video.frame(0), 0, 0, 1), 256);
  EXPECT_EQ(stored(video.frame(0), 0, 0, 2), 65535);
  const auto floats = [](auto value) {
    std::string bytes(sizeof(value), '\0');
    std::memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
  };
  write_bytes(path, npy_bytes(npy_dictionary("<f4", "1, 1, 2, 1"), floats(0.25F) + floats(1.0005F)));
  video = read_video(path);
  EXPECT_EQ(to_string(video.type()), std::string("u16"));
  EXPECT_EQ(stored(video.frame(0), 0, 0, 0), 16384);
  EXPECT_EQ(stored(video.frame(0), 1, 0, 0), 65535);
  write_bytes(path, npy_bytes("{\"shape\":(1,1,2),'fortran_order':False,'descr':'<f8'}", floats(0.5) + floats(-1e-4)));
  video = read_video(path);
  EXPECT_EQ(stored(video.frame(0), 0, 0, 0), 32768);
  EXPECT_EQ(stored(video.frame(0), 1, 0, 0), 0);
}

TEST(VideoFile, FoldersAreReadInNaturalOrder) {
  const TempFolder folder;
  const char* names[] = {"f1.png", "f2.png", "f010.png", "f11.jpg", "g.png", "z2.png"};
  for (int t = 0; t < 6; ++t) {
    Image image(9, 5, 3, PixelType::U8);
    std::vector<float> row(27, static_cast<float>(t) / 10);
    for (int y = 0; y < 5; ++y) image.write_row(0, y, 9, row.data());
    write_image(folder.file(names[t]), image);
  }
  write_bytes(folder.file("notes.txt"), "not a frame");
  write_bytes(folder.file(".hidden.png"), "not a frame");
  std::filesystem::create_directory(folder.file("a.png"));
  const VideoFileInfo info = read_video_info(folder.path());
  EXPECT_EQ(info.format, "frames");
  EXPECT_EQ(info.n_frames, 6);
  EXPECT_EQ(info.frame_rate, (FrameRate{25, 1}));
  const Video video = read_video(folder.path());
  ASSERT_EQ(video.n_frames(), 6);
  for (int t = 0; t < 6; ++t) EXPECT_NEAR(stored(video.frame(t), 4, 2, 1), 25.5 * t, 1.5) << t;
}

TEST(VideoFile, AlphaIsDropped) {
  const TempFolder folder;
  Image image(4, 3, 4, PixelType::U16);
  for (int y = 0; y < 3; ++y) {
    const std::vector<float> row = {0.1F, 0.2F, 0.3F, 0.4F, 0.1F, 0.2F, 0.3F, 0, 1, 1, 1, 0, 0, 0, 0, 1};
    image.write_row(0, y, 4, row.data());
  }
  std::filesystem::create_directory(folder.file("f"));
  write_image(folder.file("f/1.png"), image);
  EXPECT_TRUE(read_video_info(folder.file("f")).has_alpha);
  Video video = read_video(folder.file("f"));
  EXPECT_EQ(video.n_channels(), 3);
  for (int x = 0; x < 4; ++x) {
    for (int c = 0; c < 3; ++c) EXPECT_EQ(stored(video.frame(0), x, 1, c), stored(image, x, 1, c));
  }
  EncodedClip clip;
  clip.format = AV_PIX_FMT_BGRA;
  clip.fill = [](AVFrame& frame, int t) {
    const uint8_t pixel[] = {10, 20, static_cast<uint8_t>(30 + t), 0};  // blue, green, red, transparent
    for (int x = 0; x < 32; ++x) std::memcpy(frame.data[0] + 4 * x, pixel, 4);
  };
  encode_clip(folder.file("v.mkv"), clip);
  const VideoFileInfo info = read_video_info(folder.file("v.mkv"));
  EXPECT_TRUE(info.has_alpha);
  EXPECT_EQ(info.color.matrix, "rgb");
  video = read_video(folder.file("v.mkv"));
  EXPECT_EQ(stored(video.frame(3), 31, 0, 0), 33);
  EXPECT_EQ(stored(video.frame(3), 31, 0, 1), 20);
  EXPECT_EQ(stored(video.frame(3), 31, 0, 2), 10);
}

TEST(VideoFile, GreyIsScaledToTheFullRange) {
  const TempFolder folder;
  EncodedClip clip;
  clip.format = AV_PIX_FMT_GRAY10;
  clip.fill = [](AVFrame& frame, int) {
    for (int x = 0; x < 32; ++x) reinterpret_cast<uint16_t*>(frame.data[0])[x] = static_cast<uint16_t>(33 * x);
  };
  for (const AVColorRange range : {AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG}) {
    clip.range = range;
    encode_clip(folder.file("v.mkv"), clip);
    const Video video = read_video(folder.file("v.mkv"));
    ASSERT_EQ(video.n_channels(), 1);
    for (int x = 0; x < 32; ++x) {
      const double share = range == AVCOL_RANGE_MPEG ? (33 * x - 64) / 876.0 : 33 * x / 1023.0;
      EXPECT_NEAR(stored(video.frame(0), x, 0, 0), 65535 * std::clamp(share, 0.0, 1.0), 0.51) << x;
    }
  }
}

TEST(VideoFile, GifIsAVideo) {
  const TempFolder folder;
  EncodedClip clip;
  clip.encoder = "gif";
  clip.format = AV_PIX_FMT_RGB8;  // 3, 3 and 2 bits
  clip.fill = [](AVFrame& frame, int t) { std::memset(frame.data[0], t % 2 == 0 ? 0xE0 : 0x03, 32); };
  encode_clip(folder.file("v.gif"), clip);
  EXPECT_TRUE(is_video(folder.file("v.gif")));
  const Video video = read_video(folder.file("v.gif"));
  ASSERT_EQ(video.n_frames(), 5);
  EXPECT_EQ(stored(video.frame(2), 3, 0, 0), 252);  // 7 * 36: FFmpeg's palette for this format
  EXPECT_EQ(stored(video.frame(2), 3, 0, 2), 0);
  EXPECT_EQ(stored(video.frame(3), 3, 0, 2), 255);
}

TEST(VideoFile, RotationsAndMirrorsOfTheContainerAreApplied) {
  const TempFolder folder;
  EncodedClip clip;
  clip.format = AV_PIX_FMT_YUV444P;
  clip.encoder = "libx264";
  clip.fill = [](AVFrame& frame, int) {
    for (int y = 0; y < 16; ++y) {
      for (int x = 0; x < 32; ++x) {
        frame.data[0][y * frame.linesize[0] + x] = x < 16 ? (y < 8 ? 40 : 90) : (y < 8 ? 140 : 190);
        frame.data[1][y * frame.linesize[1] + x] = 128;
        frame.data[2][y * frame.linesize[2] + x] = 128;
      }
    }
  };
  struct Case {
    double degrees;  // clockwise, as phones mean it
    bool mirror;
    std::vector<int> corners;  // top left, top right, bottom left, bottom right as 0..3 of the stored ones
  };
  // Stored: 0 1    a quarter turn clockwise: 2 0
  //         2 3                              3 1
  for (const Case& c : {Case{0, false, {0, 1, 2, 3}},
                        {90, false, {2, 0, 3, 1}},
                        {180, false, {3, 2, 1, 0}},
                        {270, false, {1, 3, 0, 2}},
                        {0, true, {1, 0, 3, 2}},
                        {30, false, {0, 1, 2, 3}}}) {
    SCOPED_TRACE(c.degrees);
    clip.edit_stream = [&](AVStream& stream) {
      auto* matrix =
          reinterpret_cast<int32_t*>(av_stream_new_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t)));
      av_display_rotation_set(matrix, c.degrees);
      // Phones write exact zeros; the function leaves a rounding of the cosine.
      for (const int i : {0, 1, 3, 4}) matrix[i] = std::abs(matrix[i]) < 8 ? 0 : matrix[i];
      if (c.mirror) av_display_matrix_flip(matrix, 1, 0);
    };
    encode_clip(folder.file("v.mp4"), clip);
    const VideoFileInfo info = read_video_info(folder.file("v.mp4"));
    const bool turned = c.degrees == 90 || c.degrees == 270;
    EXPECT_EQ(info.width, turned ? 16 : 32);
    EXPECT_EQ(info.height, turned ? 32 : 16);
    const Video video = read_video(folder.file("v.mp4"));
    for (int corner = 0; corner < 4; ++corner) {
      const int x = corner % 2 == 0 ? 2 : info.width - 3;
      const int y = corner < 2 ? 2 : info.height - 3;
      const int stored_luma[] = {40, 140, 90, 190};
      const double expected = (stored_luma[c.corners[corner]] - 16) * 255 / 219.0;
      EXPECT_NEAR(stored(video.frame(0), x, y, 1), expected, 12) << corner;
    }
  }
}

TEST(VideoFile, VariableRateIsStatedAndFramesAreAllTaken) {
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.mkv"}) {
    EncodedClip clip;
    clip.encoder = "mpeg4";
    clip.n_frames = 24;
    encode_clip(folder.file(name), clip);
    EXPECT_FALSE(read_video_info(folder.file(name)).is_variable_rate) << name;
    clip.time = [](int t) { return t < 12 ? t * 40 : 480 + (t - 12) * 120; };
    encode_clip(folder.file(name), clip);
    const VideoFileInfo info = read_video_info(folder.file(name));
    EXPECT_TRUE(info.is_variable_rate) << name;
    EXPECT_EQ(read_video(folder.file(name)).n_frames(), 24);
  }
  // 24 frames in 1.92 s by their time stamps; how long the last one lasts is the container's choice.
  const double rate = read_video_info(folder.file("v.mp4")).frame_rate.value();
  EXPECT_GT(rate, 12);
  EXPECT_LT(rate, 13.5);
}

TEST(VideoFile, ContentDecidesNotTheName) {
  const TempFolder folder;
  write_video(folder.file("v.mp4"), wave_clip(16, 16, 3, PixelType::U8, 2));
  std::filesystem::rename(folder.file("v.mp4"), folder.file("v.png"));
  EXPECT_TRUE(is_video(folder.file("v.png")));
  EXPECT_EQ(read_video(folder.file("v.png")).n_frames(), 2);
  for (const char* name : {"p.png", "p.jpg", "p.tif", "p.webp"}) {
    write_image(folder.file(name), waves(16, 16, 3, PixelType::U8, 0));
    std::filesystem::rename(folder.file(name), folder.file("p.mp4"));
    EXPECT_FALSE(is_video(folder.file("p.mp4"))) << name;
  }
  write_image(folder.file("p.exr"), waves(16, 16, 3, PixelType::F32, 0));
  write_image(folder.file("p.hdr"), waves(16, 16, 3, PixelType::F32, 0));
  write_bytes(folder.file("p.pgm"), "P5 1 1 255\n.");
  write_bytes(folder.file("p.bmp"), "BM" + std::string(100, '\0'));
  write_bytes(folder.file("text"), "Hello, this is text.\n");
  write_bytes(folder.file("empty.mp4"), "");
  std::filesystem::create_directory(folder.file("d"));
  write_bytes(folder.file("d/notes.txt"), "no picture");
  for (const char* name : {"p.exr", "p.hdr", "p.pgm", "p.bmp", "text", "empty.mp4", "d", "none"}) {
    EXPECT_FALSE(is_video(folder.file(name))) << name;
  }
  EXPECT_FALSE(is_video(""));
  EXPECT_FALSE(is_video("/dev/null"));
}

}  // namespace
}  // namespace loe
