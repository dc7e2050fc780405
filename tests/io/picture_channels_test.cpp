// Which channels of a picture of many are read: by what the file calls them, or as data.channels asks.
#include <OpenImageIO/imageio.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "io/io_test_helpers.h"
#include "io/tiff_bytes.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

/// 3 x 2 pixels; channel c of pixel i holds 10 c + i + 1.
std::string many_samples(int n_samples) {
  std::string pixels;
  for (int i = 0; i < 6; ++i) {
    for (int c = 0; c < n_samples; ++c) pixels += static_cast<char>(10 * c + i + 1);
  }
  return pixels;
}

/// The channels of the file, from 1, that were read as the channels of the last pixel.
std::vector<int> channels_read(const Image& image) {
  std::vector<float> values(static_cast<std::size_t>(image.n_channels()));
  image.read_pixel(image.width() - 1, image.height() - 1, values.data());
  std::vector<int> channels;
  for (const float value : values) {
    const float stored = image.type() == PixelType::U8 ? std::round(value * 255) : value;
    channels.push_back(static_cast<int>(std::lround((stored - 6) / 10)) + 1);
  }
  return channels;
}

Image read_asked(const std::string& path, const std::string& asked) {
  return read_image(path, kMaxImageBytes, ImageTurn::AsShown, asked);
}

std::string notes_of(const std::string& path, const std::string& asked = "") {
  return fmt::format("{}", fmt::join(read_image_info(path, ImageTurn::AsShown, asked).notes, "; "));
}

struct Read {
  std::string asked;  ///< data.channels
  std::vector<int> channels;
  AlphaKind alpha;
  std::string note;
};

void expect_read(const std::string& path, const std::vector<Read>& reads) {
  for (const Read& read : reads) {
    SCOPED_TRACE("'" + read.asked + "'");
    const Image image = read_asked(path, read.asked);
    EXPECT_EQ(channels_read(image), read.channels);
    EXPECT_EQ(to_string(image.tags.alpha), std::string(to_string(read.alpha)));
    EXPECT_EQ(read_image_info(path, ImageTurn::AsShown, read.asked).n_channels, image.n_channels());
    EXPECT_NE(notes_of(path, read.asked).find(read.note), std::string::npos) << notes_of(path, read.asked);
  }
}

void expect_refused(const std::string& path, const std::vector<std::pair<std::string, std::string>>& refusals) {
  for (const auto& [asked, part] : refusals) {
    SCOPED_TRACE("'" + asked + "'");
    // By a name of its own: clang 14 captures no structured binding.
    expect_error(ErrorKind::InvalidArgument, part, [&, &channels = asked] { read_asked(path, channels); });
  }
}

constexpr AlphaKind kUnstated = AlphaKind::Unstated;

TEST(PictureChannels, ColoursOfATiffOfManySamples) {
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  write_bytes(path, tiff_file(3, 2, 6, 2, {0, 0, 0}, many_samples(6)));
  expect_read(path, {{"", {1, 2, 3}, kUnstated, "channels left out: extra 1, extra 2, extra 3"},
                     {"4,1,2", {4, 1, 2}, kUnstated, "channels extra 1, R, G are read, as data.channels asks"},
                     {"b, g ,R", {3, 2, 1}, kUnstated, "channels B, G, R are read"},
                     {"extra 3", {6}, kUnstated, "channels extra 3 are read"},
                     {"5,4", {5, 4}, AlphaKind::None, "channels extra 2, extra 1 are read as they are"},
                     {"1,2,3,4", {1, 2, 3, 4}, AlphaKind::None, "none of them is alpha"}});
  expect_refused(path, {{"7",
                         "1 to 4 of its 6 channels in data.channels, names (R, G, B, extra 1, extra 2, extra 3) or "
                         "numbers from 1, separated by commas, got '7'; correct data.channels"},
                        {"NIR", "got 'NIR'"},
                        {"0", "got '0'"},
                        {"1,,2", "got nothing between two commas"},
                        {"1,2,3,4,5", "got 5 channels"}});
}

TEST(PictureChannels, AlphaOfATiffOfManySamples) {
  // RGB, near infrared, straight alpha: what many programs for maps write.
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  write_bytes(path, tiff_file(3, 2, 5, 2, {0, 2}, many_samples(5)));
  expect_read(path, {{"", {1, 2, 3, 5}, AlphaKind::Straight, "channels left out: extra 1"},
                     {"4,3,2,5", {4, 3, 2, 5}, AlphaKind::Straight, "channels extra 1, B, G, extra 2 are read"},
                     {"1,2,3,4", {1, 2, 3, 4}, AlphaKind::None, "none of them is alpha"}});
  write_bytes(path, tiff_file(3, 2, 5, 2, {1, 0}, many_samples(5)));
  expect_read(path, {{"", {1, 2, 3, 4}, AlphaKind::Associated, "channels left out: extra 2"}});
}

TEST(PictureChannels, BandsThatAreNoColoursMustBeChosen) {
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  for (const auto& extra : {std::vector<uint16_t>(), std::vector<uint16_t>(7, 0)}) {
    write_bytes(path, tiff_file(3, 2, 8, 1, extra, many_samples(8)));
    const std::string message =
        "1..4 channels (grey, grey + alpha, RGB, RGBA), got 8 (1, 2, 3, 4, 5, 6, 7, 8); choose some, such as --set "
        "data.channels=3,2,1";
    expect_error(ErrorKind::Unsupported, message, [&] { read_image(path); });
    expect_error(ErrorKind::Unsupported, message, [&] { read_image_info(path); });
    expect_read(path, {{"3,2,1", {3, 2, 1}, kUnstated, "channels 3, 2, 1 are read"},
                       {"8", {8}, kUnstated, ""},
                       {"8,4,3", {8, 4, 3}, kUnstated, ""}});
  }
}

TEST(PictureChannels, SamplesInPlanesOfTheirOwn) {
  const TempFolder folder;
  const std::string path = folder.file("p.tif");
  for (const OIIO::TypeDesc& type : {OIIO::TypeDesc(OIIO::TypeDesc::FLOAT), OIIO::TypeDesc(OIIO::TypeDesc::UINT8)}) {
    OIIO::ImageSpec spec(3, 2, 7, type);
    spec.alpha_channel = -1;
    spec.attribute("planarconfig", "separate");
    const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
    ASSERT_TRUE(out && out->open(path, spec)) << OIIO::geterror();
    std::vector<float> values;
    for (const char c : many_samples(7))
      values.push_back(static_cast<float>(c) / (type == OIIO::TypeFloat ? 1.0F : 255.0F));
    ASSERT_TRUE(out->write_image(OIIO::TypeFloat, values.data())) << out->geterror();
    ASSERT_TRUE(out->close());
    expect_read(path, {{"", {1, 2, 3}, kUnstated, "left out"}, {"7,5,1", {7, 5, 1}, kUnstated, ""}});
  }
}

TEST(PictureChannels, LayersOfAnExr) {
  const TempFolder folder;
  const std::string path = folder.file("p.exr");
  const auto write = [&](const std::vector<std::string>& names) {
    OIIO::ImageSpec spec(3, 2, static_cast<int>(names.size()), OIIO::TypeFloat);
    spec.channelnames = names;
    spec.alpha_channel = -1;
    const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
    ASSERT_TRUE(out && out->open(path, spec)) << OIIO::geterror();
    std::vector<float> values;
    for (const char c : many_samples(static_cast<int>(names.size()))) values.push_back(static_cast<float>(c));
    ASSERT_TRUE(out->write_image(OIIO::TypeFloat, values.data())) << out->geterror();
    ASSERT_TRUE(out->close());
  };
  write({"a.R", "a.G", "a.B", "b.R", "b.G", "b.B"});
  expect_error(ErrorKind::Unsupported, "choose some, such as --set data.channels=a.R,a.G,a.B",
               [&] { read_image(path); });
  expect_read(path, {{"b.R,b.G,b.B", {4, 5, 6}, kUnstated, "channels b.R, b.G, b.B are read"},
                     {"A.r,b.r", {1, 4}, AlphaKind::None, "none of them is alpha"}});
  write({"left.Y", "right.Y"});
  expect_error(ErrorKind::Unsupported, "such as --set data.channels=left.Y", [&] { read_image(path); });
  write({"u", "v", "w", "x", "z"});
  expect_error(ErrorKind::Unsupported, "u, v, w); choose some, such as --set data.channels=3,2,1",
               [&] { read_image(path); });
  write({"R", "G", "B", "A", "Z"});
  expect_read(path, {{"", {1, 2, 3, 4}, AlphaKind::Associated, "channels left out: Z"},
                     {"B,G,R,A", {3, 2, 1, 4}, AlphaKind::Associated, ""},
                     {"R,G,B,Z", {1, 2, 3, 5}, AlphaKind::None, "none of them is alpha"},
                     {"Z", {5}, kUnstated, "channels Z are read"}});
}

TEST(PictureChannels, OtherFormats) {
  const TempFolder folder;
  Image image(3, 2, 4, PixelType::U8);
  const std::string pixels = many_samples(4);
  for (std::size_t i = 0; i < pixels.size(); ++i) image.data()[i] = static_cast<std::byte>(pixels[i]);
  write_image(folder.file("p.png"), image);
  expect_read(folder.file("p.png"), {{"R,G,B", {1, 2, 3}, kUnstated, "channels R, G, B are read"},
                                     {"A", {4}, kUnstated, ""},
                                     {"B,A", {3, 4}, AlphaKind::Straight, ""}});
  write_bytes(folder.file("p.ppm"), "P6\n1 1\n255\nabc");
  expect_error(ErrorKind::InvalidArgument, "got a PNM with data.channels; leave data.channels out",
               [&] { read_asked(folder.file("p.ppm"), "R"); });
}

TEST(PictureChannels, WhereNothingWasMeasured) {
  const TempFolder folder;
  // GDAL_NODATA of integers: 1 in all channels of the first pixel, in one of the second.
  std::string pixels = many_samples(3);
  pixels.replace(0, 4, "\x01\x01\x01\x01");
  write_bytes(folder.file("p.tif"), tiff_file(3, 2, 3, 2, {}, pixels, "1"));
  const Image colors = read_image(folder.file("p.tif"));
  EXPECT_EQ(colors.no_data, (std::vector<uint8_t>{1, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(colors.is_measured(0, 0));
  EXPECT_TRUE(colors.is_measured(1, 0));
  EXPECT_NE(notes_of(folder.file("p.tif")).find("values of 1 mean that nothing was measured (GDAL_NODATA)"),
            std::string::npos);
  // NaN needs no word from the file; infinity is a value.
  Image image(2, 2, 2, PixelType::F32);
  image.tags.alpha = AlphaKind::Associated;
  const float values[] = {NAN, 0, 3, 1, INFINITY, 1, -2, NAN};
  image.write_row(0, 0, 2, values);
  image.write_row(0, 1, 2, values + 4);
  write_image(folder.file("p.tif"), image);
  const Image read = read_image(folder.file("p.tif"));
  ASSERT_TRUE(read.has_alpha());
  EXPECT_EQ(read.no_data, (std::vector<uint8_t>{1, 0, 0, 0}));
  EXPECT_EQ(read.tags.range, (std::array<double, 2>{-2, 3}));
}

}  // namespace
}  // namespace loe
