// Pictures as people bring them: the files of tests/io/wild, whose values were read with Pillow, tifffile or OpenEXR,
// and files of the same kinds made here.
#include <OpenImageIO/imageio.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include "io/picture_test_helpers.h"
#include "io/tiff_bytes.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

/// Pixels that the table's values are of.
constexpr int kPlaces[5][2] = {{0, 0}, {7, 3}, {20, 9}, {5, 14}, {23, 15}};
/// The RGB picture that most of the files hold, there.
const std::vector<std::vector<float>> kColors = {
    {250, 10, 10}, {77, 51, 188}, {221, 153, 61}, {55, 238, 128}, {10, 240, 20}};
const std::vector<std::vector<float>> kGrey = {{130}, {63}, {186}, {146}, {125}};

struct Case {
  const char* name;
  int width;
  int height;
  PixelType type;
  AlphaKind alpha;
  std::vector<std::vector<float>> pixels;  ///< at kPlaces; empty: not compared
  const char* note;                        ///< part of a note; "": there is none
};

std::vector<Case> cases() {
  constexpr AlphaKind kNone = AlphaKind::Unstated;
  return {
      {"bit1-black.tif", 24, 16, PixelType::U8, kNone, {{255}, {0}, {255}, {255}, {0}}, ""},
      {"bmp8-rle-grey.bmp", 24, 16, PixelType::U8, kNone, kGrey, ""},
      {"thumb-first.tif", 24, 16, PixelType::U8, kNone, kColors, "page 2 of 2 is read"},
      {"bmp32-alpha0.bmp", 24, 16, PixelType::U8, kNone, kColors, ""},
      {"bmp-reserved.bmp", 24, 16, PixelType::U8, kNone, kColors, ""},
      {"rgb-nir.tif",
       24,
       16,
       PixelType::U8,
       AlphaKind::None,
       {{250, 10, 10, 0}, {77, 51, 188, 77}, {221, 153, 61, 221}, {55, 238, 128, 55}, {10, 240, 20, 255}},
       "none of them is alpha"},
      {"assoc-alpha.tif",
       24,
       16,
       PixelType::U8,
       AlphaKind::Associated,
       {{0, 0, 0, 0}, {23, 15, 56, 77}, {191, 132, 52, 221}, {11, 51, 27, 55}, {10, 240, 20, 255}},
       ""},
      {"uint32.tif", 24, 16, PixelType::F32, kNone, {{13000}, {6300}, {18600}, {14600}, {12500}}, ""},
      {"float-0-255.tif", 24, 16, PixelType::F32, kNone, kGrey, ""},
      {"float-nodata.tif", 24, 16, PixelType::F32, kNone, {{-9999}, {189}, {558}, {438}, {375}}, "GDAL_NODATA"},
      {"icc-p3.png", 24, 16, PixelType::U8, kNone, kColors, ""},
      {"ppm16.ppm", 24, 16, PixelType::U16, kNone, {}, ""},
      {"still.gif",
       24,
       16,
       PixelType::U8,
       kNone,
       {{250, 10, 10}, {77, 51, 188}, {221, 162, 58}, {61, 238, 125}, {10, 240, 20}},
       ""},
      {"anim.png", 24, 16, PixelType::U8, kNone, kColors, "the first of 4 frames"},
      {"anim.webp", 24, 16, PixelType::U8, kNone, kColors, "the first of 4 frames"},
      {"pages3.tif", 24, 16, PixelType::U8, kNone, kColors, "the first of 3 pages"},
      {"pixelaspect2.exr", 24, 16, PixelType::F16, kNone, {}, "2 times as wide as high"},
      {"data-in-display.exr", 12, 8, PixelType::F16, kNone, {}, "at (6, 4) of a display window of 24 x 16"},
      {"overscan.exr", 24, 16, PixelType::F16, kNone, {}, "at (-4, -4) of a display window of 16 x 8"},
      {"rgbz.exr", 24, 16, PixelType::F16, kNone, {}, "channels left out: Z"},
      {"exposure.hdr", 24, 16, PixelType::F32, kNone, {}, "divided by its exposure of 4"},
  };
}

TEST(WildPictures, AreReadAsTheirPixelsWereMeant) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const ImageFileInfo info = read_image_info(kWild + c.name);
    const Image image = read_image(kWild + c.name);
    EXPECT_EQ(image.width(), c.width);
    EXPECT_EQ(image.height(), c.height);
    EXPECT_EQ(to_string(image.type()), std::string(to_string(c.type)));
    EXPECT_EQ(to_string(image.tags.alpha), std::string(to_string(c.alpha)));
    EXPECT_EQ(info.width, image.width());
    EXPECT_EQ(info.height, image.height());
    EXPECT_EQ(info.n_channels, image.n_channels());
    EXPECT_EQ(to_string(info.type), std::string(to_string(image.type())));
    for (std::size_t i = 0; i < c.pixels.size(); ++i) {
      EXPECT_EQ(stored_pixel(image, kPlaces[i][0], kPlaces[i][1]), c.pixels[i]) << "pixel " << i;
    }
    const std::string notes = fmt::format("{}", fmt::join(info.notes, "; "));
    if (std::string(c.note).empty()) {
      EXPECT_EQ(notes, "");
    } else {
      EXPECT_NE(notes.find(c.note), std::string::npos) << notes;
    }
  }
}

TEST(WildPictures, SixteenBitsOfAPpmComeBackAsTheyAre) {
  const Image image = read_image(kWild + "ppm16.ppm");
  const std::string bytes = read_bytes(kWild + "ppm16.ppm");
  const std::size_t start = std::string("P6\n24 16\n65535\n").size();
  for (std::size_t i = 0; i < image.n_bytes() / 2; ++i) {
    uint16_t value = 0;
    std::memcpy(&value, image.data() + 2 * i, 2);
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    ASSERT_EQ(value, byte(start + 2 * i) << 8 | byte(start + 2 * i + 1)) << i;
  }
}

TEST(WildPictures, RangeIsThatOfTheValues) {
  const auto range = [](const char* name) { return read_image(kWild + name).tags.range; };
  EXPECT_EQ(range("uint32.tif"), (std::array<double, 2>{3300, 22100}));
  EXPECT_EQ(range("float-0-255.tif"), (std::array<double, 2>{33, 221}));
  EXPECT_EQ(range("float-nodata.tif"), (std::array<double, 2>{102, 663}));  // -9999 is no value
  EXPECT_EQ(range("overscan.exr"), (std::array<double, 2>{0, 1}));
  EXPECT_EQ(range("bright.exr"), (std::array<double, 2>{0, 2000}));
  EXPECT_EQ(range("icc-p3.png"), (std::array<double, 2>{0, 1}));
}

TEST(WildPictures, ExposureIsDividedOut) {
  // 3.828125 is stored with EXPOSURE=4.
  EXPECT_FLOAT_EQ(stored_pixel(read_image(kWild + "exposure.hdr"), 0, 0)[0], 3.828125F / 4);
}

TEST(WildPictures, WebpIsTurnedByItsExif) {
  const Image image = read_image(kWild + "exif6-webp.webp");
  ASSERT_EQ(image.width(), 16);
  ASSERT_EQ(image.height(), 24);
  EXPECT_EQ(stored_pixel(image, 0, 0), (std::vector<float>{0, 255, 155}));
  EXPECT_EQ(stored_pixel(image, 3, 7), (std::vector<float>{77, 204, 128}));
  EXPECT_EQ(stored_pixel(image, 15, 23), (std::vector<float>{255, 0, 101}));
}

TEST(WildPictures, AvifIsAPictureWhereItCanBeDecoded) {
  try {
    const Image image = read_image(kWild + "a.avif");
    EXPECT_EQ(image.width(), 24);
    EXPECT_EQ(image.n_channels(), 3);
    // Pillow 11 has 251, 9, 13: decoders turn YUV into RGB a little differently.
    const std::vector<float> first = stored_pixel(image, 0, 0);
    EXPECT_NEAR(first[0], 251, 4);
    EXPECT_NEAR(first[1], 9, 4);
    EXPECT_NEAR(first[2], 13, 4);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("convert it to JPEG or PNG first"), std::string::npos) << error.what();
  }
}

TEST(WildPictures, ShapeOfPixelsIsKeptInWhatIsWritten) {
  Image image = read_image(kWild + "icc-p3.png");
  image.tags.icc_profile.clear();
  const TempFolder folder;
  for (const double aspect : {2.0, 0.5, 1.5}) {
    image.tags.pixel_aspect = aspect;
    for (const char* name : {"p.png", "p.jpg", "p.tif"}) {
      SCOPED_TRACE(fmt::format("{} {}", name, aspect));
      write_image(folder.file(name), image);
      EXPECT_NEAR(read_image(folder.file(name)).tags.pixel_aspect, aspect, 0.02);
    }
  }
  write_image(folder.file("p.exr"), read_image(kWild + "pixelaspect2.exr"));
  EXPECT_EQ(read_image(folder.file("p.exr")).tags.pixel_aspect, 2);
}

TEST(WildPictures, AlphaBecomesWhatTheFormatWants) {
  const Image image = read_image(kWild + "assoc-alpha.tif");
  const TempFolder folder;
  write_image(folder.file("p.png"), image);
  const Image png = read_image(folder.file("p.png"));
  EXPECT_EQ(png.tags.alpha, AlphaKind::Straight);
  // round(23 * 255 / 77) = 76, round(15 * 255 / 77) = 50, round(56 * 255 / 77) = 185; alpha 0 keeps its 0.
  EXPECT_EQ(stored_pixel(png, 7, 3), (std::vector<float>{76, 50, 185, 77}));
  EXPECT_EQ(stored_pixel(png, 0, 0), (std::vector<float>{0, 0, 0, 0}));
  write_image(folder.file("p.tif"), image);
  const Image tiff = read_image(folder.file("p.tif"));
  EXPECT_EQ(tiff.tags.alpha, AlphaKind::Associated);
  EXPECT_EQ(std::memcmp(tiff.data(), image.data(), image.n_bytes()), 0);
  Image straight(1, 1, 4, PixelType::F16);
  straight.tags.alpha = AlphaKind::Straight;
  const float half[] = {1.0F, 0.5F, 0.25F, 0.5F};
  straight.write_row(0, 0, 1, half);
  write_image(folder.file("p.exr"), straight);
  EXPECT_EQ(stored_pixel(read_image(folder.file("p.exr")), 0, 0), (std::vector<float>{0.5F, 0.25F, 0.125F, 0.5F}));
}

TEST(WildPictures, ChannelsThatAreNoColoursComeBackAndAreRefusedByPng) {
  const TempFolder folder;
  const Image image = read_image(kWild + "rgb-nir.tif");
  write_image(folder.file("p.tif"), image);
  const Image back = read_image(folder.file("p.tif"));
  EXPECT_EQ(back.tags.alpha, AlphaKind::None);
  EXPECT_EQ(std::memcmp(back.data(), image.data(), image.n_bytes()), 0);
  expect_error(ErrorKind::Unsupported, "4 channels without alpha (R, G, B, extra 1); write a .tif",
               [&] { write_image(folder.file("p.png"), image); });
}

TEST(WildPictures, RefusalsSayWhatItIsAndWhatToDo) {
  struct Refusal {
    const char* name;
    ErrorKind kind;
    const char* part;
  };
  const Refusal refusals[] = {
      {"bits12.jpg", ErrorKind::Unsupported, "got one of 12 bits, which this decoder cannot read; convert it to a PNG"},
      {"cover.mp3", ErrorKind::Format, "got sound (MP3); name a picture or a video"},
      {"none.mp4", ErrorKind::Format, "got a file without a video stream (mp4); name a file with moving pictures"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.name);
    expect_error(refusal.kind, refusal.part, [&] { read_image(kWild + refusal.name); });
  }
  struct Content {
    std::string bytes;
    const char* part;
  };
  const Content contents[] = {
      {"#EXTM3U\n#EXTINF:4,\nclip0.ts\n", "a playlist (M3U8); name the files that it lists"},
      {std::string("\0\0\0\x18"
                   "ftypcrx \0\0\0\0crx isom",
                   24),
       "a camera raw file (CR3); develop it first"},
      {"file 'a.mp4'\nfile 'b.mp4'\n", "a list of files (ffconcat)"},
      {std::string("\0\0\0\x0CJXL \r\n\x87\n", 12), "a JPEG XL picture; convert it to PNG first"},
      {"PK\x03\x04 and so on", "a ZIP archive; unpack it first"},
      {"<!DOCTYPE html><title>404</title>", "a web page; the download went wrong"},
      {"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
      {"RIFF\x24\0\0\0WAVEfmt ", "sound (WAV)"},
  };
  const TempFolder folder;
  for (const Content& content : contents) {
    SCOPED_TRACE(content.part);
    std::string bytes = content.bytes;
    if (bytes.starts_with("RIFF")) bytes = std::string("RIFF\x24\0\0\0WAVEfmt ", 16);
    write_bytes(folder.file("x.png"), bytes);
    expect_error(ErrorKind::Format, content.part, [&] { read_image(folder.file("x.png")); });
  }
}

TEST(WildPictures, TiffPictureBelowAReducedPageIsRead) {
  // Header, 1 grey pixel of the copy, 4 of the picture, the page's directory, the picture's.
  const TempFolder folder;
  const auto entries = [](uint32_t kind, uint32_t side, uint32_t at, uint32_t child, uint32_t photometric) {
    std::vector<TiffEntry> all = {{254, 4, 1, kind}, {256, 4, 1, side},        {257, 4, 1, side}, {258, 3, 1, 8},
                                  {259, 3, 1, 1},    {262, 3, 1, photometric}, {273, 4, 1, at},   {277, 3, 1, 1},
                                  {278, 4, 1, side}, {279, 4, 1, side * side}};
    if (child != 0) all.push_back({330, 4, 1, child});
    return all;
  };
  const uint32_t first = 16;
  const uint32_t child = first + 2 + 11 * 12 + 4;
  const std::string pixels("\x07\x01\x02\x03\x04\x00\x00\x00", 8);
  const auto file = [&](uint32_t photometric) {
    return std::string("II*\0", 4) + little_endian(first, 4) + pixels + tiff_directory(entries(1, 1, 8, child, 1), 0) +
           tiff_directory(entries(0, 2, 9, 0, photometric), 0);
  };
  write_bytes(folder.file("p.tif"), file(1));
  const Image image = read_image(folder.file("p.tif"));
  ASSERT_EQ(image.width(), 2);
  EXPECT_EQ(stored_pixel(image, 0, 0), (std::vector<float>{1}));
  EXPECT_EQ(stored_pixel(image, 1, 1), (std::vector<float>{4}));
  EXPECT_NE(read_image_info(folder.file("p.tif")).notes.at(0).find("reduced copy"), std::string::npos);
  write_bytes(folder.file("raw.tif"), file(32803));
  expect_error(ErrorKind::Unsupported, "a camera raw file (a sensor's samples in a TIFF); develop it first",
               [&] { read_image(folder.file("raw.tif")); });
}

TEST(WildPictures, PagesThatLookLikeReducedCopiesAreOnes) {
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  const auto write = [&](const std::vector<std::array<int, 2>>& sizes) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
      const OIIO::ImageSpec spec(sizes[i][0], sizes[i][1], 1, OIIO::TypeDesc::UINT8);
      ASSERT_TRUE(out->open(path, spec, i == 0 ? OIIO::ImageOutput::Create : OIIO::ImageOutput::AppendSubimage));
      const std::vector<uint8_t> pixels(static_cast<std::size_t>(sizes[i][0] * sizes[i][1]), static_cast<uint8_t>(i));
      ASSERT_TRUE(out->write_image(OIIO::TypeDesc::UINT8, pixels.data()));
      ASSERT_TRUE(out->close());
    }
  };
  const auto note = [&] { return fmt::format("{}", fmt::join(read_image_info(path).notes, "; ")); };
  write({{5, 4}, {21, 16}});
  EXPECT_EQ(read_image(path).width(), 21);
  EXPECT_EQ(note(), "page 2 of 2 is read: those before it are reduced copies or masks");
  write({{5, 4}, {10, 8}, {20, 16}, {20, 16}});
  EXPECT_EQ(read_image(path).width(), 20);
  EXPECT_EQ(stored_pixel(read_image(path), 0, 0), (std::vector<float>{2}));
  EXPECT_NE(note().find("there are 2 pages beside reduced copies"), std::string::npos) << note();
  write({{20, 16}, {10, 8}});  // a pyramid
  EXPECT_EQ(read_image(path).width(), 20);
  EXPECT_EQ(note(), "");
  write({{5, 4}, {20, 9}});  // another shape: another picture
  EXPECT_EQ(read_image(path).width(), 5);
  EXPECT_EQ(note(), "the first of 2 pages is read");
}

TEST(WildPictures, TiffDirectoriesThatLieAreRefusedOrPassedOver) {
  const TempFolder folder;
  // A first directory at its own end, one that is its own successor, and an offset beyond the file.
  write_bytes(folder.file("end.tif"), std::string("II*\0\xFF\0\0\0", 8));
  expect_error(ErrorKind::Format, "a TIFF directory", [&] { read_image(folder.file("end.tif")); });
  write_bytes(folder.file("loop.tif"), std::string("II*\0", 4) + little_endian(12, 4) + std::string("\x05\0\0\0", 4) +
                                           tiff_directory({{256, 4, 1, 1},
                                                           {257, 4, 1, 1},
                                                           {258, 3, 1, 8},
                                                           {259, 3, 1, 1},
                                                           {262, 3, 1, 1},
                                                           {273, 4, 1, 8},
                                                           {277, 3, 1, 1},
                                                           {278, 4, 1, 1},
                                                           {279, 4, 1, 1}},
                                                          12));
  EXPECT_EQ(stored_pixel(read_image(folder.file("loop.tif")), 0, 0), (std::vector<float>{5}));
}

/// Writes with OpenImageIO directly.
void write_parts(const std::string& path, const std::vector<OIIO::ImageSpec>& specs, float value) {
  const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
  ASSERT_TRUE(out);
  ASSERT_TRUE(out->open(path, static_cast<int>(specs.size()), specs.data())) << out->geterror();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (i > 0) {
      ASSERT_TRUE(out->open(path, specs[i], OIIO::ImageOutput::AppendSubimage)) << out->geterror();
    }
    std::vector<float> pixels;
    for (int p = 0; p < specs[i].width * specs[i].height; ++p) {
      for (int c = 0; c < specs[i].nchannels; ++c)
        pixels.push_back(value + static_cast<float>(10 * i) + static_cast<float>(c));
    }
    ASSERT_TRUE(out->write_image(OIIO::TypeFloat, pixels.data())) << out->geterror();
  }
  ASSERT_TRUE(out->close()) << out->geterror();
}

OIIO::ImageSpec exr_spec(const std::vector<std::string>& channels, OIIO::TypeDesc type = OIIO::TypeFloat) {
  OIIO::ImageSpec spec(4, 3, static_cast<int>(channels.size()), type);
  spec.channelnames = channels;
  spec.alpha_channel = -1;
  return spec;
}

TEST(WildPictures, ExrChannelsAreChosenByName) {
  struct Exr {
    std::vector<std::string> channels;
    std::vector<std::string> read;  ///< which of them
    AlphaKind alpha;
    const char* note;
  };
  const Exr exrs[] = {
      {{"R", "G", "B"}, {"R", "G", "B"}, AlphaKind::Unstated, ""},
      {{"R", "G", "B", "A"}, {"R", "G", "B", "A"}, AlphaKind::Associated, ""},
      {{"R", "G", "B", "A", "Z"}, {"R", "G", "B", "A"}, AlphaKind::Associated, "left out: Z"},
      {{"Y"}, {"Y"}, AlphaKind::Unstated, ""},
      {{"Z"}, {"Z"}, AlphaKind::Unstated, "none of them is alpha"},
      {{"U", "V"}, {"U", "V"}, AlphaKind::None, "channels U, V are read as they are"},
      {{"beauty.R", "beauty.G", "beauty.B", "diffuse.R", "diffuse.G", "diffuse.B"},
       {"beauty.R", "beauty.G", "beauty.B"},
       AlphaKind::Unstated,
       "the layer 'beauty' is read"},
      {{"left.R", "left.G", "left.B", "depth.Z"}, {"left.R", "left.G", "left.B"}, AlphaKind::Unstated, "depth.Z"},
  };
  const TempFolder folder;
  const std::string path = folder.file("p.exr");
  for (const Exr& exr : exrs) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(exr.channels, " ")));
    write_parts(path, {exr_spec(exr.channels)}, 1);
    const Image image = read_image(path);
    // A channel's value tells where it was written.
    std::vector<float> expected;
    for (const std::string& name : exr.read) {
      expected.push_back(
          1 + static_cast<float>(std::find(exr.channels.begin(), exr.channels.end(), name) - exr.channels.begin()));
    }
    EXPECT_EQ(stored_pixel(image, 2, 1), expected);
    EXPECT_EQ(to_string(image.tags.alpha), std::string(to_string(exr.alpha)));
    const std::string notes = fmt::format("{}", fmt::join(read_image_info(path).notes, "; "));
    EXPECT_NE(notes.find(exr.note), std::string::npos) << notes;
    EXPECT_EQ(notes.empty(), std::string(exr.note).empty()) << notes;
  }
  write_parts(path, {exr_spec({"a.R", "a.G", "a.B", "b.R", "b.G", "b.B"})}, 1);
  expect_error(ErrorKind::Unsupported, "6 (", [&] { read_image(path); });
}

TEST(WildPictures, ExrPartWithColoursIsRead) {
  const TempFolder folder;
  const std::string path = folder.file("p.exr");
  OIIO::ImageSpec depth = exr_spec({"Z"});
  OIIO::ImageSpec beauty = exr_spec({"R", "G", "B"});
  depth.attribute("oiio:subimagename", "depth");
  beauty.attribute("oiio:subimagename", "beauty");
  write_parts(path, {depth, beauty}, 1);
  const Image image = read_image(path);
  EXPECT_EQ(stored_pixel(image, 0, 0), (std::vector<float>{11, 12, 13}));
  EXPECT_NE(read_image_info(path).notes.at(0).find("part 2 of 2"), std::string::npos);
}

TEST(WildPictures, IntegersOfAnyWidthAreTheirValues) {
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  const auto write = [&](OIIO::TypeDesc type, const void* pixels, int width = 2) {
    const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
    ASSERT_TRUE(out->open(path, OIIO::ImageSpec(width, 2 / width, 1, type))) << out->geterror();
    ASSERT_TRUE(out->write_image(type, pixels)) << out->geterror();
    ASSERT_TRUE(out->close());
  };
  const auto expect = [&](float first, float second) {
    const Image image = read_image(path);
    EXPECT_EQ(to_string(image.type()), std::string("f32"));
    EXPECT_EQ(stored_pixel(image, 0, 0), (std::vector<float>{first}));
    EXPECT_EQ(stored_pixel(image, image.width() - 1, image.height() - 1), (std::vector<float>{second}));
    EXPECT_EQ(image.tags.range, (std::array<double, 2>{first, second}));
  };
  const int16_t shorts[] = {-300, 1200};
  write(OIIO::TypeDesc::INT16, shorts);
  expect(-300, 1200);
  const int8_t chars[] = {-12, 100};
  write(OIIO::TypeDesc::INT8, chars);
  expect(-12, 100);
  const uint32_t words[] = {6600, 4000000000U};
  write(OIIO::TypeDesc::UINT32, words);
  expect(6600, 4e9F);
  const double doubles[] = {-1.5, 2.25};
  write(OIIO::TypeDesc::DOUBLE, doubles, 1);
  expect(-1.5F, 2.25F);
  write(OIIO::TypeDesc::DOUBLE, doubles);
  expect_error(ErrorKind::Unsupported, "one row of doubles, which OpenImageIO 2.4 reads as zeros; convert it to floats",
               [&] { read_image(path); });
}

TEST(WildPictures, DoublesComeBackFromStripsOfAnyHeight) {
  // More rows than are decoded at once of other types, which left the last ones 0.
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  constexpr int kWidth = 1024;
  constexpr int kHeight = 259;
  OIIO::ImageSpec spec(kWidth, kHeight, 1, OIIO::TypeDesc::DOUBLE);
  for (const int strip : {1, 7, 64, kHeight}) {
    spec.attribute("tiff:RowsPerStrip", strip);
    std::vector<double> pixels(std::size_t{kWidth} * kHeight);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = 0.5 + static_cast<double>(i);
    const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
    ASSERT_TRUE(out->open(path, spec));
    ASSERT_TRUE(out->write_image(OIIO::TypeDesc::DOUBLE, pixels.data()));
    ASSERT_TRUE(out->close());
    const Image image = read_image(path);
    for (const int y : {0, 1, 255, 256, 257, 258}) {
      EXPECT_EQ(stored_pixel(image, 5, y)[0], static_cast<float>(pixels[static_cast<std::size_t>(y) * kWidth + 5]))
          << y;
    }
  }
}

}  // namespace
}  // namespace loe
