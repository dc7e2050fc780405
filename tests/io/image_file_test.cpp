#include "loe/io/image_file.h"

#include <OpenImageIO/imageio.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "io/io_test_helpers.h"
#include "test_paths.h"

namespace loe {
namespace {

/// Noise over the whole range of the type (no NaN or infinity, which not every format keeps).
Image noise(int width, int height, int n_channels, PixelType type) {
  Image image(width, height, n_channels, type);
  uint32_t state = 12345;
  std::vector<float> row(static_cast<std::size_t>(width * n_channels));
  for (int y = 0; y < height; ++y) {
    for (float& value : row) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(state >> 8) * 0x1p-24F;
      if (type == PixelType::F16 || type == PixelType::F32) {
        value = value * 100.0F - 20.0F;
      }
    }
    image.write_row(0, y, width, row.data());
  }
  return image;
}

void expect_same(const Image& found, const Image& expected) {
  ASSERT_EQ(found.width(), expected.width());
  ASSERT_EQ(found.height(), expected.height());
  ASSERT_EQ(found.n_channels(), expected.n_channels());
  ASSERT_EQ(to_string(found.type()), std::string(to_string(expected.type())));
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), expected.n_bytes()), 0);
}

/// Writes with OpenImageIO directly, so that files do not come from the code under test.
void write_oiio(const std::string& path, const OIIO::ImageSpec& spec, OIIO::TypeDesc type, const void* pixels) {
  const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
  ASSERT_TRUE(out) << path;
  ASSERT_TRUE(out->open(path, spec)) << out->geterror();
  ASSERT_TRUE(out->write_image(type, pixels)) << out->geterror();
  ASSERT_TRUE(out->close()) << out->geterror();
}

TEST(ImageFile, LosslessFormatsComeBackBitForBit) {
  struct Case {
    const char* extension;
    PixelType type;
    std::vector<int> channels;
  };
  const std::vector<Case> cases = {
      {".png", PixelType::U8, {1, 2, 3, 4}},   {".png", PixelType::U16, {1, 2, 3, 4}},
      {".tif", PixelType::U8, {1, 2, 3, 4}},   {".tif", PixelType::U16, {1, 2, 3, 4}},
      {".tiff", PixelType::F16, {1, 2, 3, 4}}, {".tif", PixelType::F32, {1, 2, 3, 4}},
      {".exr", PixelType::F16, {1, 2, 3, 4}},  {".EXR", PixelType::F32, {1, 2, 3, 4}},
  };
  for (const Case& c : cases) {
    for (const int n_channels : c.channels) {
      SCOPED_TRACE(std::string(c.extension) + " " + to_string(c.type) + " x " + std::to_string(n_channels));
      const TempFolder folder;
      const std::string path = folder.file(std::string("p") + c.extension);
      const Image image = noise(37, 29, n_channels, c.type);
      write_image(path, image);
      expect_same(read_image(path), image);
      EXPECT_EQ(folder.names().size(), 1U);
    }
  }
}

TEST(ImageFile, PngInMemoryIsAPngFile) {
  const TempFolder folder;
  for (const PixelType type : {PixelType::U8, PixelType::U16}) {
    for (int n_channels = 1; n_channels <= 4; ++n_channels) {
      const Image image = noise(37, 23, n_channels, type);
      const std::string bytes = encode_png(image);
      ASSERT_EQ(bytes.substr(0, kPngSignature.size()), kPngSignature);
      write_bytes(folder.file("a.png"), bytes);
      expect_same(read_image(folder.file("a.png")), image);
    }
  }
  EXPECT_THROW(encode_png(noise(4, 4, 3, PixelType::F32)), Error);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.png"});
  EXPECT_FALSE(std::filesystem::exists("memory.png"));
}

TEST(ImageFile, HdrKeepsTheSharedExponent) {
  const TempFolder folder;
  Image image(16, 4, 3, PixelType::F32);
  const float pixel[] = {4.0F, 1.0F, 0.25F};
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 16; ++x) {
      image.write_row(x, y, 1, pixel);
    }
  }
  write_image(folder.file("p.hdr"), image);
  const Image back = read_image(folder.file("p.hdr"));
  ASSERT_EQ(back.n_channels(), 3);
  EXPECT_EQ(to_string(back.type()), std::string("f32"));
  float out[3];
  back.read_pixel(15, 3, out);
  EXPECT_NEAR(out[0], 4.0F, 4.0F / 128);
  EXPECT_NEAR(out[2], 0.25F, 4.0F / 128);
}

TEST(ImageFile, LossyFormatsAreClose) {
  const TempFolder folder;
  for (const auto& [name, n_channels] : {std::pair<const char*, int>{"p.jpg", 1}, {"p.jpeg", 3}, {"p.webp", 3}}) {
    SCOPED_TRACE(name);
    Image image(64, 48, n_channels, PixelType::U8);
    for (int y = 0; y < 48; ++y) {
      for (int x = 0; x < 64; ++x) {
        const float pixel[] = {static_cast<float>(x) / 64, static_cast<float>(y) / 48, 0.5F};
        image.write_row(x, y, 1, pixel);
      }
    }
    write_image(folder.file(name), image);
    const Image back = read_image(folder.file(name));
    ASSERT_EQ(back.n_channels(), n_channels);
    double squared = 0;
    for (std::size_t i = 0; i < image.n_bytes(); ++i) {
      squared += std::pow(std::to_integer<int>(image.data()[i]) - std::to_integer<int>(back.data()[i]), 2);
    }
    EXPECT_LT(squared / static_cast<double>(image.n_bytes()), 4.0);
  }
}

TEST(ImageFile, InfoReportsTheHeader) {
  const TempFolder folder;
  write_image(folder.file("p.png"), noise(31, 17, 4, PixelType::U16));
  const ImageFileInfo info = read_image_info(folder.file("p.png"));
  EXPECT_EQ(info.format, "png");
  EXPECT_EQ(info.width, 31);
  EXPECT_EQ(info.height, 17);
  EXPECT_EQ(info.n_channels, 4);
  EXPECT_EQ(to_string(info.type), std::string("u16"));
  EXPECT_EQ(info.source_type, "uint16");
  EXPECT_EQ(info.orientation, 1);
}

TEST(ImageFile, OtherDepthsAreWidened) {
  const TempFolder folder;
  const double doubles[] = {0.1, -5.0, 1e10, 0.0, 1.0, 2.0};
  write_oiio(folder.file("d.tif"), OIIO::ImageSpec(3, 2, 1, OIIO::TypeDesc::DOUBLE), OIIO::TypeDesc::DOUBLE, doubles);
  const Image image = read_image(folder.file("d.tif"));
  EXPECT_EQ(to_string(image.type()), std::string("f32"));
  EXPECT_EQ(read_image_info(folder.file("d.tif")).source_type, "double");
  float row[3];
  image.read_row(0, 0, 3, row);
  EXPECT_EQ(row[0], 0.1F);
  EXPECT_EQ(row[1], -5.0F);
  EXPECT_EQ(row[2], 1e10F);
  const uint32_t wide[] = {0, 0xFFFFFFFFU};
  write_oiio(folder.file("u.tif"), OIIO::ImageSpec(2, 1, 1, OIIO::TypeDesc::UINT32), OIIO::TypeDesc::UINT32, wide);
  const Image values = read_image(folder.file("u.tif"));
  values.read_row(0, 0, 2, row);
  EXPECT_EQ(row[0], 0.0F);
  EXPECT_EQ(row[1], 4294967295.0F);
}

TEST(ImageFile, AllEightOrientationsAreApplied) {
  // Stored 3 x 2:  1 2 3   Shown, row by row, by the EXIF table: where the stored row 0 and column 0 go.
  //                4 5 6
  const std::vector<std::vector<int>> shown = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                               {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                               {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  const uint8_t stored[] = {1, 2, 3, 4, 5, 6};
  const TempFolder folder;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    OIIO::ImageSpec spec(3, 2, 1, OIIO::TypeDesc::UINT8);
    spec.attribute("Orientation", orientation);
    write_oiio(folder.file("p.tif"), spec, OIIO::TypeDesc::UINT8, stored);
    const Image image = read_image(folder.file("p.tif"));
    const ImageFileInfo info = read_image_info(folder.file("p.tif"));
    EXPECT_EQ(info.orientation, orientation);
    EXPECT_EQ(info.width, orientation <= 4 ? 3 : 2);
    ASSERT_EQ(image.width(), info.width);
    ASSERT_EQ(image.height(), info.height);
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(std::to_integer<int>(image.data()[i]), shown[static_cast<std::size_t>(orientation - 1)][i]) << i;
    }
  }
}

TEST(ImageFile, PixelsAsStoredAreNotTurned) {
  const TempFolder folder;
  const uint8_t stored[] = {1, 2, 3, 4, 5, 6};
  OIIO::ImageSpec spec(3, 2, 1, OIIO::TypeDesc::UINT8);
  spec.attribute("Orientation", 6);
  write_oiio(folder.file("p.tif"), spec, OIIO::TypeDesc::UINT8, stored);
  const ImageFileInfo info = read_image_info(folder.file("p.tif"), ImageTurn::AsStored);
  EXPECT_EQ(info.orientation, 6);
  EXPECT_EQ(info.width, 3);
  const Image image = read_image(folder.file("p.tif"), int64_t{1} << 20, ImageTurn::AsStored);
  ASSERT_EQ(image.width(), 3);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(std::to_integer<int>(image.data()[i]), stored[i]);
}

TEST(ImageFile, JpegOrientationIsApplied) {
  const TempFolder folder;
  // White on the left half: after orientation 6 (turn clockwise) on top.
  std::vector<uint8_t> pixels(32 * 16);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = i % 32 < 16 ? 255 : 0;
  }
  OIIO::ImageSpec spec(32, 16, 1, OIIO::TypeDesc::UINT8);
  spec.attribute("Orientation", 6);
  write_oiio(folder.file("p.jpg"), spec, OIIO::TypeDesc::UINT8, pixels.data());
  const Image image = read_image(folder.file("p.jpg"));
  ASSERT_EQ(image.width(), 16);
  ASSERT_EQ(image.height(), 32);
  EXPECT_GT(std::to_integer<int>(image.row(2)[8]), 250);
  EXPECT_LT(std::to_integer<int>(image.row(29)[8]), 5);
}

TEST(ImageFile, TiledAndOffsetPicturesComeBack) {
  const TempFolder folder;
  const Image image = noise(100, 75, 3, PixelType::U8);
  OIIO::ImageSpec tiled(100, 75, 3, OIIO::TypeDesc::UINT8);
  tiled.tile_width = 32;
  tiled.tile_height = 16;
  write_oiio(folder.file("t.tif"), tiled, OIIO::TypeDesc::UINT8, image.data());
  expect_same(read_image(folder.file("t.tif")), image);
  const Image half = noise(20, 10, 3, PixelType::F16);
  OIIO::ImageSpec offset(20, 10, 3, OIIO::TypeDesc::HALF);
  offset.x = -7;
  offset.y = 5;
  write_oiio(folder.file("o.exr"), offset, OIIO::TypeDesc::HALF, half.data());
  expect_same(read_image(folder.file("o.exr")), half);
}

TEST(ImageFile, PaletteIsExpanded) {
  // 2 x 1 with a palette of two colours, by hand: OpenImageIO writes no palettes. The deflate block is a stored one:
  // filter byte 0, indices 1 and 0.
  const std::string png =
      kPngSignature + png_chunk("IHDR" + big_endian(2) + big_endian(1) + std::string("\x08\x03\0\0\0", 5)) +
      png_chunk("PLTE\x0A\x14\x1E\xC8\xD2\xDC") +
      png_chunk("IDAT" + std::string("\x78\x01\x01\x03\0\xFC\xFF\0\x01\0\0\x05\0\x02", 14)) + png_chunk("IEND");
  const TempFolder folder;
  write_bytes(folder.file("p.png"), png);
  const Image image = read_image(folder.file("p.png"));
  ASSERT_EQ(image.n_channels(), 3);
  const int expected[] = {0xC8, 0xD2, 0xDC, 0x0A, 0x14, 0x1E};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(std::to_integer<int>(image.data()[i]), expected[i]);
  }
}

TEST(ImageFile, ColourSpaceIsCarried) {
  const TempFolder folder;
  Image image = noise(8, 8, 3, PixelType::F16);
  image.tags.color_space = "Linear";
  write_image(folder.file("p.exr"), image);
  EXPECT_EQ(read_image(folder.file("p.exr")).tags.color_space, "Linear");
  Image grey = noise(8, 8, 1, PixelType::U8);
  write_image(folder.file("p.png"), grey);
  EXPECT_EQ(read_image(folder.file("p.png")).tags.color_space, "sRGB");
  grey.tags.color_space = "Linear";
  write_image(folder.file("l.png"), grey);
  EXPECT_EQ(read_image(folder.file("l.png")).tags.color_space, "Linear");
  expect_same(read_image(folder.file("l.png")), grey);
}

TEST(ImageFile, WriterRoundsRowsAsImageDoes) {
  const TempFolder folder;
  constexpr int kWidth = 300;
  constexpr int kHeight = 500;
  std::vector<float> values(static_cast<std::size_t>(kWidth) * kHeight * 3);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 1009) / 1000.0F - 0.002F;
  }
  Image expected(kWidth, kHeight, 3, PixelType::U8);
  for (int y = 0; y < kHeight; ++y) {
    expected.write_row(0, y, kWidth, values.data() + static_cast<std::ptrdiff_t>(y) * kWidth * 3);
  }
  ImageWriter writer(folder.file("p.png"), kWidth, kHeight, 3, PixelType::U8);
  int y = 0;
  for (const int n_rows : {1, 0, 400, 99}) {
    writer.write_rows(n_rows, values.data() + static_cast<std::ptrdiff_t>(y) * kWidth * 3);
    y += n_rows;
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("p.png")));
  writer.close();
  expect_same(read_image(folder.file("p.png")), expected);
}

TEST(ImageFile, SharedPictures) {
  const std::string data = kSharedData;
  struct Case {
    const char* path;
    int width;
    int height;
    int n_channels;
    bool read;
  };
  const Case cases[] = {{"/image_camera/camera.png", 512, 512, 1, true},
                        {"/image_kodak/kodim04.png", 512, 768, 3, true},
                        {"/image_albert/albert_3250x4333_grey.jpg", 3250, 4333, 1, false},
                        {"/image_earth8k/earth_8192x8192.jpg", 8192, 8192, 3, false}};
  for (const Case& c : cases) {
    if (!std::filesystem::exists(data + c.path)) {
      GTEST_SKIP() << "no pictures in " << data;
    }
    const ImageFileInfo info = read_image_info(data + c.path);
    EXPECT_EQ(info.width, c.width);
    EXPECT_EQ(info.height, c.height);
    EXPECT_EQ(info.n_channels, c.n_channels);
    EXPECT_EQ(to_string(info.type), std::string("u8"));
    if (c.read) {
      const TempFolder folder;
      const Image image = read_image(data + c.path);
      write_image(folder.file("copy.png"), image);
      expect_same(read_image(folder.file("copy.png")), image);
    }
  }
}

TEST(ImageFile, NamesThatCanBeWritten) {
  for (const char* name : {"a.png", "b/c.JPG", "a.jpeg", "a.tif", "a.exr", "a.hdr", "a.webp"}) {
    EXPECT_TRUE(is_image_name(name)) << name;
  }
  for (const char* name : {"a.bmp", "a.mp4", "png", "a.png/b", ""}) EXPECT_FALSE(is_image_name(name)) << name;
}

}  // namespace
}  // namespace loe
