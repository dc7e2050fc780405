// BMP and PNM, which we decode ourselves: every kind of them by hand.
#include "io/picture_test_helpers.h"
#include "io/tiff_bytes.h"

namespace loe {
namespace {

TEST(SimplePictures, PnmOfAnyRange) {
  struct Pnm {
    std::string bytes;
    PixelType type;
    std::vector<float> first;
    std::vector<float> last;
  };
  using namespace std::string_literals;
  const Pnm pnms[] = {
      {"P1\n# bits\n2 1\n01\n", PixelType::U8, {255}, {0}},
      {"P4\n2 1\n\x40"s, PixelType::U8, {255}, {0}},
      {"P2 2 1 15 3 15", PixelType::U8, {51}, {255}},
      {"P5\n2 1\n100\n\x32\x64"s, PixelType::U8, {128}, {100.0F / 100 * 255}},
      {"P5\n2 1\n1023\n\x00\x01\x03\xFF"s, PixelType::U16, {64}, {65535}},
      {"P6\n1 1\n255\n\x01\x02\x03"s, PixelType::U8, {1, 2, 3}, {1, 2, 3}},
      {"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\x01\x02\x03\x04"s,
       PixelType::U8,
       {1, 2, 3, 4},
       {1, 2, 3, 4}},
      {"Pf\n1 2\n-1.0\n\x00\x00\x80\x3F\x00\x00\x00\x40"s, PixelType::F32, {2}, {1}},
      {"Pf\n1 2\n1.0\n\x3F\x80\x00\x00\x40\x00\x00\x00"s, PixelType::F32, {2}, {1}},
  };
  const TempFolder folder;
  for (const Pnm& pnm : pnms) {
    SCOPED_TRACE(pnm.bytes.substr(0, 12));
    write_bytes(folder.file("p.pnm"), pnm.bytes);
    const Image image = read_image(folder.file("p.pnm"));
    EXPECT_EQ(to_string(image.type()), std::string(to_string(pnm.type)));
    EXPECT_EQ(stored_pixel(image, 0, 0), pnm.first);
    EXPECT_EQ(stored_pixel(image, image.width() - 1, image.height() - 1), pnm.last);
  }
  write_bytes(folder.file("p.pnm"), "P5\n2 1\n100\n\x32\x65");
  expect_error(ErrorKind::Format, "values of at most 100", [&] { read_image(folder.file("p.pnm")); });
  write_bytes(folder.file("p.pnm"), "P5\n2 2\n100\n\x32\x64");
  expect_error(ErrorKind::Format, "truncated", [&] { read_image(folder.file("p.pnm")); });
}

std::string bmp(uint32_t n_bits, uint32_t compression, int32_t width, int32_t height, const std::string& tables,
                const std::string& pixels) {
  const auto offset = static_cast<uint32_t>(54 + tables.size());
  return "BM" + little_endian(offset + pixels.size(), 4) + "lazy" + little_endian(offset, 4) + little_endian(40, 4) +
         little_endian(static_cast<uint32_t>(width), 4) + little_endian(static_cast<uint32_t>(height), 4) +
         little_endian(1, 2) + little_endian(n_bits, 2) + little_endian(compression, 4) + std::string(20, '\0') +
         tables + pixels;
}

TEST(SimplePictures, BmpOfEveryKind) {
  using namespace std::string_literals;
  const std::string two_greys = "\x00\x00\x00\x00\xFF\xFF\xFF\x00"s;
  std::string colors = "\x01\x02\x03\x00\x04\x05\x06\x00"s;  // blue, green, red
  struct Bmp {
    const char* what;
    std::string bytes;
    std::vector<float> top_left;
    std::vector<float> bottom_right;
  };
  const Bmp bmps[] = {
      {"1 bit, grey", bmp(1, 0, 2, 2, two_greys, "\x80\0\0\0\x40\0\0\0"s), {0}, {0}},
      {"1 bit, from the top", bmp(1, 0, 2, -2, two_greys, "\x80\0\0\0\x40\0\0\0"s), {255}, {255}},
      {"1 bit, colours", bmp(1, 0, 2, 1, colors, "\x40\0\0\0"s), {3, 2, 1}, {6, 5, 4}},
      {"16 bits", bmp(16, 0, 1, 1, "", "\x1F\x7C\0\0"s), {255, 0, 255}, {255, 0, 255}},
      {"16 bits, 5-6-5",
       bmp(16, 3, 1, 1, "\0\xF8\0\0\xE0\x07\0\0\x1F\0\0\0"s, "\x00\x04\0\0"s),
       {0, 130, 0},
       {0, 130, 0}},
      {"32 bits", bmp(32, 0, 1, 1, "", "\x01\x02\x03\x09"s), {3, 2, 1}, {3, 2, 1}},
      {"run lengths of 8 bits", bmp(8, 1, 3, 2, two_greys, "\x03\x01\0\0\0\x03\0\x01\0\0\0\x01"s), {0}, {255}},
      {"run lengths of 4 bits", bmp(4, 2, 3, 2, two_greys, "\x03\x10\0\0\x03\x01\0\x01"s), {0}, {255}},
  };
  const TempFolder folder;
  for (const Bmp& each : bmps) {
    SCOPED_TRACE(each.what);
    write_bytes(folder.file("p.bmp"), each.bytes);
    const Image image = read_image(folder.file("p.bmp"));
    EXPECT_EQ(stored_pixel(image, 0, 0), each.top_left);
    EXPECT_EQ(stored_pixel(image, image.width() - 1, image.height() - 1), each.bottom_right);
  }
  write_bytes(folder.file("p.bmp"), bmp(24, 0, 2, 2, "", "\x01\x02\x03"));
  expect_error(ErrorKind::Format, "truncated", [&] { read_image(folder.file("p.bmp")); });
  write_bytes(folder.file("p.bmp"), bmp(24, 5, 2, 2, "", "\x01\x02\x03"));
  expect_error(ErrorKind::Unsupported, "compression 5", [&] { read_image(folder.file("p.bmp")); });
}

TEST(SimplePictures, BmpMayStateTheShapeOfItsPixels) {
  const TempFolder folder;
  std::string bytes = bmp(24, 0, 1, 1, "", std::string(4, '\0'));
  const auto state = [&](uint32_t across, uint32_t down) {
    bytes.replace(38, 8, little_endian(across, 4) + little_endian(down, 4));
    write_bytes(folder.file("p.bmp"), bytes);
    return read_image_info(folder.file("p.bmp"));
  };
  EXPECT_EQ(state(2835, 2835).tags.pixel_aspect, 1);
  EXPECT_TRUE(state(0, 2835).notes.empty());
  const ImageFileInfo wide = state(2835, 5670);  // half as many across: twice as wide
  EXPECT_EQ(wide.tags.pixel_aspect, 2);
  EXPECT_EQ(wide.notes, (std::vector<std::string>{"its pixels are 2 times as wide as high"}));
  EXPECT_EQ(read_image(folder.file("p.bmp")).tags.pixel_aspect, 2);
}

TEST(SimplePictures, BmpWithABitFieldOfAlphaHasIt) {
  // A header of 56 bytes: 40 and four masks.
  const TempFolder folder;
  const auto file = [&](char alpha) {
    std::string masks;
    for (const uint32_t mask : {0x00FF0000U, 0x0000FF00U, 0x000000FFU, 0xFF000000U}) masks += little_endian(mask, 4);
    return "BM" + little_endian(74, 4) + little_endian(0, 4) + little_endian(70, 4) + little_endian(56, 4) +
           little_endian(1, 4) + little_endian(1, 4) + little_endian(1, 2) + little_endian(32, 2) +
           little_endian(3, 4) + std::string(20, '\0') + masks + std::string{'\x01', '\x02', '\x03', alpha};
  };
  write_bytes(folder.file("p.bmp"), file('\x80'));
  EXPECT_EQ(stored_pixel(read_image(folder.file("p.bmp")), 0, 0), (std::vector<float>{3, 2, 1, 128}));
  EXPECT_EQ(read_image(folder.file("p.bmp")).tags.alpha, AlphaKind::Straight);
  write_bytes(folder.file("p.bmp"), file('\0'));  // invisible everywhere: never meant
  EXPECT_EQ(stored_pixel(read_image(folder.file("p.bmp")), 0, 0), (std::vector<float>{3, 2, 1, 255}));
}

}  // namespace
}  // namespace loe
