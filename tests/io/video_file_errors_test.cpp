#include <sys/stat.h>

#include <limits>

#include "io/conditions.h"
#include "io/video_test_helpers.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

void expect_refused(ErrorKind kind, const std::string& part, const std::string& path) {
  testing::internal::CaptureStderr();
  expect_error(kind, part, [&] { read_video(path); });
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "the library never prints";
}

std::string clip_bytes(const std::string& name, int n_frames = 40) {
  const TempFolder folder;
  write_video(folder.file(name), wave_clip(64, 48, 3, PixelType::U8, n_frames));
  return read_bytes(folder.file(name));
}

TEST(VideoFileErrors, WhatIsNoVideoIsNamed) {
  const TempFolder folder;
  const std::string path = folder.file("v.mp4");
  expect_refused(ErrorKind::NotFound, "none.mp4", folder.file("none.mp4"));
  expect_refused(ErrorKind::Io, "regular file", "/dev/null");
  const auto refused = [&](const std::string& content, const std::string& part) {
    write_bytes(path, content);
    EXPECT_FALSE(is_video(path)) << part;
    expect_refused(ErrorKind::Format, part, path);
    expect_error(ErrorKind::Format, part, [&] { read_video_info(path); });
  };
  refused("", "an empty file");
  refused("Hello, this is text.\n", "content that begins with 'Hello, this is t'");
  refused("\x1b[31m some text that a terminal would colour", "a video");
  write_image(folder.file("p.png"), Image(8, 8, 3, PixelType::U8));
  refused(read_bytes(folder.file("p.png")), "a PNG picture");
}

TEST(VideoFileErrors, PlaylistsCannotReachOtherFiles) {
  const TempFolder folder;
  write_video(folder.file("a.mp4"), wave_clip(16, 16, 3, PixelType::U8, 2));
  for (const char* const list : {"ffconcat version 1.0\nfile 'a.mp4'\n",
                                 "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\na.mp4\n#EXT-X-ENDLIST\n"}) {
    write_bytes(folder.file("list"), list);
    EXPECT_FALSE(is_video(folder.file("list")));
    expect_refused(ErrorKind::Format, "FFmpeg's format", folder.file("list"));
  }
}

/// A second of silence as AAC in MP4, with a picture as its cover if asked.
void write_sound(const std::string& path, bool has_cover) {
  AVFormatContext* container = nullptr;
  ASSERT_GE(avformat_alloc_output_context2(&container, nullptr, "mp4", nullptr), 0);
  AVCodecContext* encoder = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_AAC));
  encoder->sample_rate = 8000;
  encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
  av_channel_layout_default(&encoder->ch_layout, 1);
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  ASSERT_GE(avcodec_open2(encoder, nullptr, nullptr), 0);
  AVStream* sound = avformat_new_stream(container, nullptr);
  sound->time_base = {1, 8000};
  ASSERT_GE(avcodec_parameters_from_context(sound->codecpar, encoder), 0);
  AVStream* cover = nullptr;
  if (has_cover) {
    cover = avformat_new_stream(container, nullptr);
    cover->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    cover->codecpar->codec_id = AV_CODEC_ID_PNG;
    cover->codecpar->width = cover->codecpar->height = 8;
    cover->disposition = AV_DISPOSITION_ATTACHED_PIC;
  }
  ASSERT_GE(avio_open(&container->pb, path.c_str(), AVIO_FLAG_WRITE), 0);
  ASSERT_GE(avformat_write_header(container, nullptr), 0);
  AVPacket* packet = av_packet_alloc();
  if (has_cover) {
    const std::string png = encode_png(Image(8, 8, 3, PixelType::U8));
    ASSERT_GE(av_new_packet(packet, static_cast<int>(png.size())), 0);
    std::memcpy(packet->data, png.data(), png.size());
    packet->stream_index = cover->index;
    packet->pts = packet->dts = 0;
    packet->flags = AV_PKT_FLAG_KEY;
    ASSERT_GE(av_interleaved_write_frame(container, packet), 0);
  }
  for (int t = 0; t < 8; ++t) {
    AVFrame* frame = av_frame_alloc();
    frame->nb_samples = encoder->frame_size;
    frame->format = encoder->sample_fmt;
    av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout);
    ASSERT_GE(av_frame_get_buffer(frame, 0), 0);
    std::memset(frame->data[0], 0, 4U * static_cast<unsigned>(encoder->frame_size));
    frame->pts = t * encoder->frame_size;
    ASSERT_GE(avcodec_send_frame(encoder, frame), 0);
    av_frame_free(&frame);
    while (avcodec_receive_packet(encoder, packet) >= 0) {
      packet->stream_index = sound->index;
      ASSERT_GE(av_interleaved_write_frame(container, packet), 0);
    }
  }
  ASSERT_GE(av_write_trailer(container), 0);
  av_packet_free(&packet);
  avcodec_free_context(&encoder);
  avio_closep(&container->pb);
  avformat_free_context(container);
}

TEST(VideoFileErrors, SoundIsNoVideo) {
  const TempFolder folder;
  for (const bool has_cover : {false, true}) {
    write_sound(folder.file("a.mp4"), has_cover);
    EXPECT_FALSE(is_video(folder.file("a.mp4"))) << has_cover;
    expect_refused(ErrorKind::Format, "a video stream, got sound only", folder.file("a.mp4"));
  }
}

TEST(VideoFileErrors, TruncatedFilesAreErrors) {
  for (const char* name : {"v.mp4", "v.mov", "v.mkv", "v.webm", "v.y4m", "v.npy"}) {
    const TempFolder folder;
    const std::string whole = clip_bytes(name);
    for (const double share : {0.1, 0.3, 0.5, 0.9, 0.999}) {
      SCOPED_TRACE(std::string(name) + " " + std::to_string(share));
      write_bytes(folder.file(name), whole.substr(0, static_cast<std::size_t>(share * double(whole.size()))));
      EXPECT_TRUE(is_video(folder.file(name))) << "so that its reader says what is wrong";
      expect_refused(ErrorKind::Format, name, folder.file(name));
    }
  }
}

TEST(VideoFileErrors, CutMp4WithItsIndexInFrontNamesTheFrame) {
  const TempFolder folder;
  const std::string path = folder.file("v.mp4");
  EncodedClip clip;
  clip.encoder = "mpeg4";
  clip.n_frames = 20;
  clip.index_first = true;
  clip.fill = [](AVFrame& frame, int t) {
    for (int i = 0; i < 16 * 32; ++i) frame.data[0][i / 32 * frame.linesize[0] + i % 32] = static_cast<uint8_t>(i * t);
  };
  encode_clip(path, clip);
  EXPECT_EQ(read_video(path).n_frames(), 20);
  const std::string bytes = read_bytes(path);
  const std::size_t data = bytes.find("mdat");
  ASSERT_LT(bytes.find("moov"), data);
  write_bytes(path, bytes.substr(0, data + (bytes.size() - data) / 2));
  EXPECT_EQ(read_video_info(path).n_frames, 20) << "the header is whole";
  VideoReader reader(path);
  int n_read = 0;
  Image frame;
  try {
    while (reader.next(frame)) ++n_read;
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    // Cut in the middle of the frame that follows the last whole one.
    EXPECT_NE(std::string(error.what()).find("frame " + std::to_string(n_read) + " damaged or cut off"),
              std::string::npos)
        << error.what();
  }
  EXPECT_GT(n_read, 3);
}

TEST(VideoFileErrors, DamagedFramesAreErrorsThatNameThem) {
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.mkv"}) {
    std::string bytes = clip_bytes(name);
    const std::size_t middle = bytes.size() / 2;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(middle), 400, '\xFF');
    write_bytes(folder.file(name), bytes);
    expect_refused(ErrorKind::Format, "frame ", folder.file(name));
  }
  EncodedClip clip;  // FFV1 has checksums: a single bit
  encode_clip(folder.file("v.nut"), clip);
  std::string bytes = read_bytes(folder.file("v.nut"));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_bytes(folder.file("v.nut"), bytes);
  expect_refused(ErrorKind::Format, "v.nut", folder.file("v.nut"));
}

TEST(VideoFileErrors, FramesBeforeTheDamageCanBeRead) {
  const TempFolder folder;
  const std::string whole = clip_bytes("v.mkv");
  write_bytes(folder.file("v.mkv"), whole.substr(0, whole.size() * 9 / 10));
  SignalEdit edit;
  edit.frames = {0, 5};
  EXPECT_EQ(read_video(folder.file("v.mkv"), edit).n_frames(), 5);
}

TEST(VideoFileErrors, SizeThatChangesIsAnError) {
  const TempFolder folder;
  EncodedClip clip;
  clip.encoder = "mpeg2video";
  encode_clip(folder.file("a.m2v"), clip);
  clip.width = 48;
  encode_clip(folder.file("b.m2v"), clip);
  write_bytes(folder.file("v"), read_bytes(folder.file("a.m2v")) + read_bytes(folder.file("b.m2v")));
  expect_refused(ErrorKind::Unsupported, "frames of 32x16 to the end, got one of 48x16", folder.file("v"));
}

TEST(VideoFileErrors, UnknownCodecsAreNamed) {
  const TempFolder folder;
  std::string bytes = clip_bytes("v.mkv", 3);
  const std::size_t codec = bytes.find("V_MPEG4/ISO/AVC");
  ASSERT_NE(codec, std::string::npos);
  bytes.replace(codec, 15, "V_MPEG4/ISO/XXX");
  write_bytes(folder.file("v.mkv"), bytes);
  expect_refused(ErrorKind::Unsupported, "a codec that this FFmpeg decodes", folder.file("v.mkv"));
}

TEST(VideoFileErrors, PixelFormatsWeLackAreNamed) {
  const TempFolder folder;
  EncodedClip clip;
  clip.format = AV_PIX_FMT_YUV420P;
  clip.space = AVCOL_SPC_ICTCP;
  encode_clip(folder.file("v.mkv"), clip);
  expect_refused(ErrorKind::Unsupported, "'ictcp'", folder.file("v.mkv"));
}

TEST(VideoFileErrors, AbsurdSizesAreRefused) {
  const TempFolder folder;
  const std::string path = folder.file("v");
  write_bytes(path, y4m_header(70000, 16, "C420jpeg") + "FRAME\n" + std::string(1000, 'x'));
  expect_refused(ErrorKind::Unsupported, "sides of at most 65536", path);
  write_bytes(path, y4m_header(60000, 60000, "C420jpeg") + "FRAME\n" + std::string(1000, 'x'));
  expect_refused(ErrorKind::Format, "60000x60000", path);  // FFmpeg's own limit
  write_bytes(path, y4m_header(12000, 12000, "C420jpeg") + "FRAME\n" + std::string(1000, 'x'));
  expect_error(ErrorKind::Unsupported, "134217728 pixels", [&] { read_video_info(path); });
  write_bytes(path, y4m_header(0, 16, "C420jpeg") + "FRAME\n" + std::string(1000, 'x'));
  expect_refused(ErrorKind::Format, "", path);
  write_bytes(path, y4m_header(64, 16, "C420jpeg"));
  expect_refused(ErrorKind::Format, "", path);  // no frame
}

TEST(VideoFileErrors, MemoryIsCheckedBeforeAndWhileDecoding) {
  const TempFolder folder;
  write_video(folder.file("v.npy"), wave_clip(20, 10, 3, PixelType::U8, 9));
  expect_error(ErrorKind::OutOfMemory,
               "at most 5399 bytes of frames, got 5400 bytes for 9 frames of 20x10 with 3 channels of u8; choose fewer "
               "with data.frames, or make them smaller with data.size",
               [&] { read_video(folder.file("v.npy"), {}, 5399); });
  EXPECT_EQ(read_video(folder.file("v.npy"), {}, 5400).n_frames(), 9);
  SignalEdit edit;
  edit.frames = {1, 4};
  EXPECT_EQ(read_video(folder.file("v.npy"), edit, 2400).n_frames(), 4);
  edit.size = {10, 5};
  EXPECT_EQ(read_video(folder.file("v.npy"), edit, 600).n_frames(), 4);
  edit.crop = {0, 0, 4, 4};
  edit.size = {};
  EXPECT_EQ(read_video(folder.file("v.npy"), edit, 192).n_frames(), 4);
  // Matroska does not say how many frames it has.
  write_video(folder.file("v.mkv"), wave_clip(20, 10, 3, PixelType::U8, 9));
  int n_seen = 0;
  expect_error(ErrorKind::OutOfMemory, "4200 bytes for 7 frames",
               [&] { read_video(folder.file("v.mkv"), {}, 6 * 600, [&](int n) { n_seen = n; }); });
  EXPECT_EQ(n_seen, 6);
}

TEST(VideoFileErrors, EditsThatLeaveTheClip) {
  const TempFolder folder;
  for (const char* name : {"v.npy", "v.mkv"}) {
    SCOPED_TRACE(name);
    write_video(folder.file(name), wave_clip(20, 10, 3, PixelType::U8, 9));
    constexpr int kMax = std::numeric_limits<int>::max();
    for (const std::array<int, 2> frames : {std::array{9, 0}, {9, 1}, {0, 10}, {5, 5}, {-1, 2}, {0, -1}, {1, 100}}) {
      SignalEdit edit;
      edit.frames = frames;
      expect_error(ErrorKind::InvalidArgument, "data.frames", [&] { read_video(folder.file(name), edit); });
    }
    for (const std::array<int, 4> crop :
         {std::array{0, 0, 21, 10}, {0, 0, 20, 11}, {-1, 0, 2, 2}, {kMax, 0, kMax, 1}, {0, 0, 5, 0}, {0, 0, -1, 5}}) {
      SignalEdit edit;
      edit.crop = crop;
      expect_error(ErrorKind::InvalidArgument, "data.crop", [&] { read_video(folder.file(name), edit); });
    }
    SignalEdit edit;
    edit.size = {70000, 4};
    expect_error(ErrorKind::InvalidArgument, "data.size", [&] { read_video(folder.file(name), edit); });
    edit.size = {4, 0};
    expect_error(ErrorKind::InvalidArgument, "data.size", [&] { read_video(folder.file(name), edit); });
  }
}

TEST(VideoFileErrors, NpyHeadersAreHostile) {
  const TempFolder folder;
  const std::string path = folder.file("v");
  const std::string one(1, 'x');
  const auto refused = [&](ErrorKind kind, const std::string& bytes, const std::string& part) {
    write_bytes(path, bytes);
    EXPECT_TRUE(is_video(path));
    expect_refused(kind, part, path);
  };
  const auto header = [&](const std::string& text, const std::string& part) {
    refused(ErrorKind::Format, npy_bytes(text, one), part);
  };
  refused(ErrorKind::Format, "\x93NUMPY", "a header");
  refused(ErrorKind::Unsupported, npy_bytes(npy_dictionary("|u1", "1, 1, 1"), one, 3), "version 1.0 or 2.0, got 3.0");
  refused(ErrorKind::Format, std::string("\x93NUMPY\x02\0\xFF\xFF\xFF\xFF", 12), "inside the file");
  refused(ErrorKind::Format, std::string("\x93NUMPY\x01\0\xFF\xFF", 10), "inside the file");
  header("", "'{'");
  header("{", "a quoted text");
  header("{'descr': '|u1'}", "got fewer");
  header("{'descr': '|u1', 'descr': '|u1', }", "got 'descr'");
  header("{'descr': '|u1', 'other': 1}", "got 'other'");
  header("{'descr': '|u1', 'fortran_order': None, 'shape': (1,1,1)}", "True or False");
  header("{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1)} x", "the end of the header");
  header("{'descr': '|u1', 'fortran_order': False, 'shape': (1,-1,1)}", "a number");
  header("{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999999,1,1)}", "15 digits");
  header("{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "8 dimensions");
  header("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,1,1)}", "a quoted text");
  header(npy_dictionary("|u1", "0, 1, 1"), "an empty array");
  header(npy_dictionary("|u1", "2, 1, 1"), "2 bytes of values, as its shape says, got 1");
  header(npy_dictionary("|u1", "999999999999999, 999999999999999, 999999999999999"), "as its shape says");
  refused(ErrorKind::Unsupported, npy_bytes("{'descr': '|u1', 'fortran_order': True, 'shape': (1,1,1)}", one),
          "Fortran");
  for (const char* dtype : {">u2", "|b1", "<i2", "|O", "<f2", "<c8"}) {
    refused(ErrorKind::Unsupported, npy_bytes(npy_dictionary(dtype, "1, 1, 1"), one), dtype);
  }
  for (const char* shape : {"1", "1, 1", "1, 1, 1, 1, 1"}) {
    refused(ErrorKind::Unsupported, npy_bytes(npy_dictionary("|u1", shape), one), "an array [T, H, W, 3]");
  }
  refused(ErrorKind::Unsupported, npy_bytes(npy_dictionary("|u1", "1, 1, 1, 2"), "xx"), "got [1, 1, 1, 2]");
  refused(ErrorKind::Unsupported, npy_bytes(npy_dictionary("|u1", "1, 1, 3"), "xxx"), "looks like one picture");
  refused(ErrorKind::Unsupported, npy_bytes(npy_dictionary("|u1", "1, 1, 70000, 1"), std::string(70000, 'x')), "65536");
}

TEST(VideoFileErrors, NpyFloatsOutsideTheRange) {
  const TempFolder folder;
  for (const float bad : {1.002F, -0.002F, std::numeric_limits<float>::quiet_NaN(), INFINITY, 255.0F}) {
    const float values[] = {0, 1, bad};
    std::string data(sizeof(values), '\0');
    std::memcpy(data.data(), values, sizeof(values));
    write_bytes(folder.file("v"), npy_bytes(npy_dictionary("<f4", "3, 1, 1"), data));
    expect_refused(ErrorKind::Format, "values in [0, 1] in frame 2", folder.file("v"));
  }
}

TEST(VideoFileErrors, FoldersNameTheFrameThatDiffers) {
  const TempFolder folder;
  expect_refused(ErrorKind::Format, "a folder with pictures", folder.path());
  for (int t = 1; t <= 12; ++t) {
    const std::string name = std::to_string(t) + ".png";
    write_image(folder.file("f" + name), waves(9, 5, 3, PixelType::U8, t));
  }
  const auto refused = [&](ErrorKind kind, const std::string& part) {
    expect_refused(kind, part, folder.path());
    write_image(folder.file("f10.png"), waves(9, 5, 3, PixelType::U8, 10));
    EXPECT_EQ(read_video(folder.path()).n_frames(), 12);
  };
  write_image(folder.file("f10.png"), waves(10, 5, 3, PixelType::U8, 10));
  refused(ErrorKind::Unsupported, "f1.png, 9x5 with 3 channels of u8, got 10x5 with 3 channels of u8 in f10.png");
  write_image(folder.file("f10.png"), waves(9, 5, 3, PixelType::U16, 10));
  refused(ErrorKind::Unsupported, "got 9x5 with 3 channels of u16 in f10.png");
  const std::string bytes = read_bytes(folder.file("f10.png"));
  write_bytes(folder.file("f10.png"), bytes.substr(0, bytes.size() / 2));
  refused(ErrorKind::Format, "f10.png");
  write_bytes(folder.file("f10.png"), "");
  refused(ErrorKind::Format, "f10.png");
  write_image(folder.file("f0.exr"), waves(9, 5, 3, PixelType::F32, 10));
  expect_refused(ErrorKind::Unsupported, "f32 in f0.exr", folder.path());
}

TEST(VideoFileErrors, WriterNamesWhatItCannotDo) {
  const TempFolder folder;
  const auto refused = [&](ErrorKind kind, const std::string& name, const VideoOptions& options, int n_channels,
                           const std::string& part) {
    expect_error(kind, part, [&] { VideoWriter(folder.file(name), 8, 8, n_channels, options); });
    EXPECT_TRUE(folder.names().empty()) << name;
  };
  const VideoOptions good;
  refused(ErrorKind::Unsupported, "v.avi", good, 3, ".mp4, .mov, .mkv, .webm, .y4m, .npy");
  refused(ErrorKind::Unsupported, "v", good, 3, "got none");
  refused(ErrorKind::InvalidArgument, "v.mp4", good, 4, "1 or 3 channels, got 4");
  VideoOptions options;
  options.type = PixelType::U16;
  refused(ErrorKind::Unsupported, "v.y4m", options, 3, "u8 for Y4M, got u16; choose u8, the nearest");
  options.type = PixelType::F32;
  refused(ErrorKind::InvalidArgument, "v.npy", options, 3, "got f32");
  for (const FrameRate rate : {FrameRate{0, 1}, {25, 0}, {-25, 1}, {int64_t{1} << 40, 1}}) {
    options = good;
    options.rate = rate;
    refused(ErrorKind::InvalidArgument, "v.mp4", options, 3, "a frame rate");
  }
  for (const double quality : {-1.0, 52.0, std::nan("")}) {
    options = good;
    options.quality = quality;
    refused(ErrorKind::InvalidArgument, "v.mp4", options, 3, "quality from 0");
  }
  expect_error(ErrorKind::InvalidArgument, "sides of 1", [&] { VideoWriter(folder.file("v.npy"), 0, 8, 3, good); });
  VideoWriter writer(folder.file("v.npy"), 8, 8, 3, good);
  expect_error(ErrorKind::InvalidArgument, "at least one frame", [&] { writer.close(); });
  expect_error(ErrorKind::InvalidArgument, "8x8 with 3 channels, got 9x8",
               [&] { writer.write_frame(Image(9, 8, 3, PixelType::U8)); });
  writer.write_frame(Image(8, 8, 3, PixelType::U8));
  writer.close();
  expect_error(ErrorKind::InvalidArgument, "closed", [&] { writer.write_frame(Image(8, 8, 3, PixelType::U8)); });
}

TEST(VideoFileErrors, UnfinishedVideosLeaveNothing) {
  for (const char* name : {"v.mp4", "v.mov", "v.mkv", "v.webm", "v.y4m", "v.npy", "frames/"}) {
    SCOPED_TRACE(name);
    const TempFolder folder;
    {
      VideoWriter writer(folder.file(name), 16, 16, 3, {});
      for (int t = 0; t < 3; ++t) writer.write_frame(waves(16, 16, 3, PixelType::U8, t));
      EXPECT_FALSE(std::filesystem::exists(folder.file(name)));
      EXPECT_EQ(folder.names().size(), 1U);
    }
    EXPECT_TRUE(folder.names().empty());
  }
}

TEST(VideoFileErrors, FoldersWithFilesAreNotOverwritten) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.file("f"));
  write_video(folder.file("f/"), wave_clip(8, 8, 3, PixelType::U8, 2));  // empty: fine
  EXPECT_EQ(read_video(folder.file("f")).n_frames(), 2);
  expect_error(ErrorKind::Io, "an empty folder, got a folder with files",
               [&] { write_video(folder.file("f/"), wave_clip(8, 8, 3, PixelType::U8, 3)); });
  write_bytes(folder.file("g"), "file");
  expect_error(ErrorKind::Io, "got a file",
               [&] { write_video(folder.file("g/"), wave_clip(8, 8, 3, PixelType::U8, 3)); });
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"f", "g"}));
  EXPECT_EQ(read_video(folder.file("f")).n_frames(), 2);
}

TEST(VideoFileErrors, FullDiskLeavesTheOldVideoWhole) {
  for (const char* name : {"v.mp4", "v.mov", "v.mkv", "v.webm", "v.y4m", "v.npy"}) {
    const TempFolder folder;
    const std::string path = folder.file(name);
    write_video(path, wave_clip(16, 16, 3, PixelType::U8, 2));
    const std::string before = read_bytes(path);
    for (const rlim_t n_free : {4, 900}) {
      SCOPED_TRACE(std::string(name) + std::to_string(n_free));
      testing::internal::CaptureStderr();
      const std::string message =
          message_on_full_disk(n_free, [&] { write_video(path, wave_clip(64, 48, 3, PixelType::U8, 12)); });
      EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "the library never prints";
      EXPECT_EQ(message.rfind("Io [file] " + path + ": expected to ", 0), 0U) << message;
      EXPECT_NE(message.find("File too large"), std::string::npos) << message;
      EXPECT_EQ(read_bytes(path), before);
      EXPECT_EQ(folder.names(), std::vector<std::string>{name});
    }
  }
}

TEST(VideoFileErrors, WriterNamesAFolderItCannotUse) {
  const TempFolder folder;
  for (const char* name : {"v.mp4", "v.npy", "frames/"}) {
    expect_error(ErrorKind::Io, "create the folder first",
                 [&] { write_video(folder.file(std::string("no/") + name), wave_clip(8, 8, 3, PixelType::U8, 2)); });
    ::chmod(folder.path().c_str(), 0555);
    const std::string message =
        message_without_rights([&] { write_video(folder.file(name), wave_clip(8, 8, 3, PixelType::U8, 2)); });
    ::chmod(folder.path().c_str(), 0755);
    EXPECT_NE(message.find("'Permission denied'; change the permissions"), std::string::npos) << message;
  }
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace loe
