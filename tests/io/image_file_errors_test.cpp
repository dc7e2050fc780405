#include <OpenImageIO/deepdata.h>
#include <OpenImageIO/imageio.h>
#include <sys/stat.h>

#include <memory>

#include "io/conditions.h"
#include "io/io_test_helpers.h"
#include "io/tiff_bytes.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

/// Every format we write, with a depth and channels it has.
struct Sample {
  const char* name;
  PixelType type;
};
const Sample kSamples[] = {{"p.png", PixelType::U8},  {"p.jpg", PixelType::U8},  {"p.tif", PixelType::U16},
                           {"p.exr", PixelType::F16}, {"p.hdr", PixelType::F32}, {"p.webp", PixelType::U8}};

Image noise(int width, int height, PixelType type) {
  Image image(width, height, 3, type);
  uint32_t state = 777;
  std::vector<float> row(static_cast<std::size_t>(width) * 3);
  for (int y = 0; y < height; ++y) {
    for (float& value : row) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(state >> 8) * 0x1p-24F;
    }
    image.write_row(0, y, width, row.data());
  }
  return image;
}

/// A PNG whose header claims a size and whose pixels are n_bytes of nothing.
std::string png_that_claims(uint32_t width, uint32_t height, std::size_t n_bytes) {
  return kPngSignature + png_chunk("IHDR" + big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5)) +
         png_chunk("IDAT" + std::string(n_bytes, '\0')) + png_chunk("IEND");
}

TEST(ImageFileErrors, WhatIsNoPictureIsNamed) {
  const TempFolder folder;
  expect_error(ErrorKind::NotFound, "none.png", [&] { read_image(folder.file("none.png")); });
  expect_error(ErrorKind::Io, "name a file, not a folder", [&] { read_image(folder.path()); });
  expect_error(ErrorKind::Io, "regular file", [] { read_image("/dev/null"); });
  const auto refused = [&](const std::string& content, const std::string& part) {
    write_bytes(folder.file("p.png"), content);
    expect_error(ErrorKind::Format, part, [&] { read_image(folder.file("p.png")); });
    expect_error(ErrorKind::Format, part, [&] { read_image_info(folder.file("p.png")); });
  };
  refused("", "an empty file");
  refused("Hello, this is text.\n", "content that begins with 'Hello, this is t'");
  refused("\x1b[31m", "'?[31m'");
  refused("x", "content that begins with 'x'");
  refused("\xFF\xD8\xFFgarbage", "truncated");
  refused("II*", "content that begins");
  refused(std::string("II*\0\xFF\xFF\xFF\xFF", 8), "TIFF");
  refused("#?RADIANCE\n", "HDR");
  refused("P6\n", "PNM");
}

TEST(ImageFileErrors, ContentDecidesNotTheName) {
  const TempFolder folder;
  const Image image = noise(20, 10, PixelType::U8);
  write_image(folder.file("p.png"), image);
  std::filesystem::rename(folder.file("p.png"), folder.file("p.jpg"));
  EXPECT_EQ(read_image_info(folder.file("p.jpg")).format, "png");
  EXPECT_EQ(read_image(folder.file("p.jpg")).width(), 20);
  std::filesystem::rename(folder.file("p.jpg"), folder.file("no extension"));
  EXPECT_EQ(read_image(folder.file("no extension")).height(), 10);
}

TEST(ImageFileErrors, TruncatedPicturesAreErrorsInEveryFormat) {
  for (const Sample& sample : kSamples) {
    const TempFolder folder;
    const std::string path = folder.file(sample.name);
    write_image(path, noise(80, 60, sample.type));
    const std::string whole = read_bytes(path);
    for (const double share : {0.02, 0.3, 0.5, 0.9, 0.98}) {
      SCOPED_TRACE(std::string(sample.name) + " " + std::to_string(share));
      write_bytes(path, whole.substr(0, static_cast<std::size_t>(share * static_cast<double>(whole.size()))));
      testing::internal::CaptureStderr();
      expect_error(ErrorKind::Format, sample.name, [&] { read_image(path); });
      EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "the library never prints";
    }
  }
}

TEST(ImageFileErrors, JpegWithoutItsLastByteIsTruncated) {
  const TempFolder folder;
  write_image(folder.file("p.jpg"), noise(80, 60, PixelType::U8));
  const std::string whole = read_bytes(folder.file("p.jpg"));
  write_bytes(folder.file("p.jpg"), whole.substr(0, whole.size() - 1));
  expect_error(ErrorKind::Format, "an end-of-image marker", [&] { read_image(folder.file("p.jpg")); });
  // Bytes after the end (maker notes, a second picture) do no harm.
  write_bytes(folder.file("p.jpg"), whole + "more");
  EXPECT_EQ(read_image(folder.file("p.jpg")).width(), 80);
}

TEST(ImageFileErrors, JpegCutInTheMiddleButEndedIsDamaged) {
  const TempFolder folder;
  write_image(folder.file("p.jpg"), noise(80, 60, PixelType::U8));
  const std::string whole = read_bytes(folder.file("p.jpg"));
  std::string cut = whole.substr(0, whole.size() / 2);
  if (cut.back() == '\xFF') {
    cut.pop_back();
  }
  write_bytes(folder.file("p.jpg"), cut + "\xFF\xD9");
  expect_error(ErrorKind::Format, "damaged or truncated", [&] { read_image(folder.file("p.jpg")); });
}

TEST(ImageFileErrors, DamagedPngNamesItsChunk) {
  const TempFolder folder;
  write_image(folder.file("p.png"), noise(80, 60, PixelType::U8));
  std::string bytes = read_bytes(folder.file("p.png"));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  write_bytes(folder.file("p.png"), bytes);
  expect_error(ErrorKind::Format, "of the IDAT chunk at byte", [&] { read_image(folder.file("p.png")); });
}

TEST(ImageFileErrors, AbsurdSizesAreRefusedFromTheHeader) {
  const TempFolder folder;
  const std::string path = folder.file("p.png");
  write_bytes(path, png_that_claims(100'000, 100'000, 100));
  expect_error(ErrorKind::Format, "29069767 bytes for the 100000 x 100000 pixels", [&] { read_image(path); });
  // Zeros to deflate may hold that many pixels for all the header can tell: the limit refuses them.
  const std::string big = png_that_claims(60'000, 60'000, 11'000'000);
  write_bytes(path, big);
  expect_error(ErrorKind::OutOfMemory, "claims 60000 x 60000 x 3 channels, 1.08e+10 bytes", [&] { read_image(path); });
  // Within the limit of bytes but beyond that of sides.
  write_bytes(path, png_that_claims(100'000, 1, 1000));
  expect_error(ErrorKind::Unsupported, "sides of at most 65536", [&] { read_image(path); });
  write_bytes(path, png_that_claims(2'000'000, 1, 100'000));
  expect_error(ErrorKind::Unsupported, "sides of at most 65536", [&] { read_image_info(path); });
  write_bytes(path, png_that_claims(0, 10, 100));
  expect_error(ErrorKind::Format, "got 0 x 10 pixels", [&] { read_image(path); });
  write_bytes(path, png_that_claims(0xFFFFFFFFU, 0xFFFFFFFFU, 100));
  expect_error(ErrorKind::Format, "got 4294967295 x 4294967295 pixels", [&] { read_image_info(path); });
  write_image(path, noise(80, 60, PixelType::U8));
  expect_error(ErrorKind::OutOfMemory, "at most 14399 bytes", [&] { read_image(path, 14'399); });
  EXPECT_EQ(read_image(path, 14'400).n_bytes(), 14'400U);
}

TEST(ImageFileErrors, AbsurdJpegIsRefusedFromTheHeader) {
  const TempFolder folder;
  const std::string path = folder.file("p.jpg");
  write_image(path, noise(80, 60, PixelType::U8));
  std::string bytes = read_bytes(path);
  const std::size_t frame = bytes.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  bytes.replace(frame + 5, 4, "\xFF\xDC\xFF\xDC");
  write_bytes(path, bytes);
  expect_error(ErrorKind::Format, "65500 x 65500 pixels its header claims", [&] { read_image(path); });
}

TEST(ImageFileErrors, CmykIsRefused) {
  const TempFolder folder;
  const std::string frame("\xFF\xC0\x00\x14\x08\x00\x08\x00\x08\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00",
                          22);
  write_bytes(folder.file("p.jpg"), "\xFF\xD8" + frame + "\xFF\xD9");
  expect_error(ErrorKind::Unsupported, "CMYK", [&] { read_image(folder.file("p.jpg")); });
}

TEST(ImageFileErrors, OtherChannelCountsAreRefused) {
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  write_bytes(path, tiff_file(4, 3, 5, 1, {}, std::string(5 * 4 * 3, '\0')));
  expect_error(ErrorKind::Unsupported, "1..4 channels", [&] { read_image(path); });
}

TEST(ImageFileErrors, DeepPicturesAreRefused) {
  const TempFolder folder;
  const std::string path = folder.file("p.exr");
  OIIO::ImageSpec spec(4, 3, 5, OIIO::TypeDesc::FLOAT);
  spec.channelnames = {"R", "G", "B", "A", "Z"};
  spec.deep = true;
  const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create("openexr");
  ASSERT_TRUE(out->open(path, spec)) << out->geterror();
  OIIO::DeepData deep;
  deep.init(spec);
  ASSERT_TRUE(out->write_deep_image(deep)) << out->geterror();
  ASSERT_TRUE(out->close());
  expect_error(ErrorKind::Unsupported, "deep pixels", [&] { read_image(path); });
}

TEST(ImageFileErrors, WriterNamesWhatTheFormatLacks) {
  const TempFolder folder;
  const auto refused = [&](const std::string& name, int n_channels, PixelType type, const std::string& part) {
    expect_error(ErrorKind::Unsupported, part, [&] { ImageWriter(folder.file(name), 8, 8, n_channels, type); });
  };
  refused("p.jpg", 3, PixelType::U16, "choose u8, the nearest it has, or a file of another format (.png, .tif)");
  refused("p.png", 3, PixelType::F32, "choose u16, the nearest");
  refused("p.png", 3, PixelType::F16, "choose u16, the nearest");
  refused("p.exr", 3, PixelType::U8, "choose f16, the nearest");
  refused("p.exr", 3, PixelType::U16, "choose f32, the nearest");
  refused("p.hdr", 3, PixelType::U8, "choose f32, the nearest");
  refused("p.jpg", 4, PixelType::U8, "1 or 3 channels for JPEG, got 4; choose another format (.png, .tif)");
  refused("p.webp", 4, PixelType::U8, "3 channels for WebP, got 4; choose another format (.png, .tif)");
  refused("p.bmp", 3, PixelType::U8, "one of the extensions .png, .jpg, .tif, .exr, .hdr, .webp, got '.bmp'");
  refused("p", 3, PixelType::U8, "got none");
  expect_error(ErrorKind::Unsupported, "at most 65500 pixels for JPEG",
               [&] { ImageWriter(folder.file("p.jpg"), 65501, 8, 3, PixelType::U8); });
  expect_error(ErrorKind::InvalidArgument, "1..65536",
               [&] { ImageWriter(folder.file("p.png"), 0, 8, 3, PixelType::U8); });
  EXPECT_TRUE(folder.names().empty());
}

TEST(ImageFileErrors, WriterNamesAFolderItCannotUse) {
  const TempFolder folder;
  const auto write = [&](const std::string& path) { write_image(path, noise(8, 8, PixelType::U8)); };
  expect_error(ErrorKind::Io, "create the folder first", [&] { write(folder.file("no/p.png")); });
  std::filesystem::create_directory(folder.file("d.png"));
  expect_error(ErrorKind::Io, "name a file, not a folder", [&] { write(folder.file("d.png")); });
  std::filesystem::remove(folder.file("d.png"));
  ::chmod(folder.path().c_str(), 0555);
  const std::string message = message_without_rights([&] { write(folder.file("p.png")); });
  EXPECT_NE(message.find("'Permission denied'; change the permissions"), std::string::npos) << message;
  EXPECT_TRUE(folder.names().empty());
}

TEST(ImageFileErrors, FullDiskLeavesTheOldPictureWholeInEveryFormat) {
  for (const Sample& sample : kSamples) {
    SCOPED_TRACE(sample.name);
    const TempFolder folder;
    const std::string path = folder.file(sample.name);
    write_image(path, noise(16, 8, sample.type));
    const std::string before = read_bytes(path);
    for (const rlim_t n_free : {4, 10'000}) {
      testing::internal::CaptureStderr();
      const std::string message =
          message_on_full_disk(n_free, [&] { write_image(path, noise(160, 120, sample.type)); });
      EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "the library never prints";
      EXPECT_EQ(message.rfind("Io [file] " + path + ": expected to ", 0), 0U) << message;
      EXPECT_NE(message.find("File too large"), std::string::npos) << message;
    }
    EXPECT_EQ(read_bytes(path), before);
    EXPECT_EQ(folder.names().size(), 1U);
  }
}

TEST(ImageFileErrors, AbandonedWritersLeaveNothingInEveryFormat) {
  for (const Sample& sample : kSamples) {
    SCOPED_TRACE(sample.name);
    const TempFolder folder;
    const std::vector<float> rows(16 * 3 * 3, 0.5F);
    testing::internal::CaptureStderr();
    {
      ImageWriter writer(folder.file(sample.name), 16, 8, 3, sample.type);
      writer.write_rows(3, rows.data());
      EXPECT_EQ(folder.names().size(), 1U);
      expect_error(ErrorKind::InvalidArgument, "expected 8 rows before closing, got 3", [&] { writer.close(); });
      expect_error(ErrorKind::InvalidArgument, "at most 5 more rows, got 6",
                   [&] { writer.write_rows(6, rows.data()); });
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "the library never prints";
    EXPECT_TRUE(folder.names().empty());
  }
}

}  // namespace
}  // namespace loe
