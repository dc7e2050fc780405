// What a picture says about its colours: profiles, code points, EXIF.
#include <OpenImageIO/imageio.h>
#include <fmt/format.h>

#include <memory>

#include "io/icc_profile.h"
#include "io/picture_facts.h"
#include "io/picture_test_helpers.h"

namespace loe {
namespace {

std::string notes_of(const std::string& path) {
  return fmt::format("{}", fmt::join(read_image_info(path).notes, "; "));
}

TEST(PictureColors, ProfileIsKeptInWhatIsWritten) {
  const Image image = read_image(kWild + "icc-p3.png");
  EXPECT_EQ(image.tags.icc_profile.size(), 488U);
  EXPECT_EQ(image.tags.color_space, "Display P");  // as the file says
  const TempFolder folder;
  for (const char* name : {"p.png", "p.jpg", "p.tif"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(lost_tags(name, image.tags), "");
    write_image(folder.file(name), image);
    EXPECT_EQ(read_image(folder.file(name)).tags.icc_profile, image.tags.icc_profile);
  }
  EXPECT_EQ(read_bytes(folder.file("p.png")).find("sRGB\0", 0, 5), std::string::npos);
  EXPECT_EQ(lost_tags("p.webp", image.tags), "the colour profile");
}

TEST(PictureColors, NamesOfProfiles) {
  using namespace std::string_literals;
  // One tag, at byte 144: the description.
  const std::string head =
      std::string(36, '\0') + "acsp" + std::string(88, '\0') + "\0\0\0\x01"s + "desc" + "\0\0\0\x90\0\0\0\x20"s;
  EXPECT_EQ(icc_description(head + "desc\0\0\0\0\0\0\0\x05sRGB\0"s), "sRGB");
  const std::string record = "mluc\0\0\0\0\0\0\0\x01\0\0\0\x0C"s + "enUS";
  EXPECT_EQ(icc_description(head + record + "\0\0\0\x04\0\0\0\x1C\0P"s +
                            "\0"
                            "3"s),
            "P3");
  EXPECT_EQ(icc_description(head + record + "\0\0\0\x04\0\0\0\x1C\0\xE9\x20\x26"s), "\xC3\xA9\xE2\x80\xA6");
  EXPECT_EQ(icc_description(head + record + "\xFF\xFF\xFF\xFF\0\0\0\x1C\0P"s), "P");  // leaves the profile
  EXPECT_EQ(icc_description(head), "");
  EXPECT_EQ(icc_description("no profile"), "");
}

TEST(PictureColors, CodePointsOfAPng) {
  using namespace std::string_literals;
  struct Case {
    std::string code;   ///< primaries, transfer, matrix, full range
    std::string space;  ///< "": as without
  };
  const Case cases[] = {{"\x09\x10\0\x01"s, "BT.2020, PQ"},
                        {"\x0C\x0D\0\x01"s, "Display P3"},
                        {"\x01\x12\0\x01"s, "HLG"},
                        {"\x01\x0D\0\x01"s, ""}};
  const TempFolder folder;
  const std::string path = folder.file("p.png");
  write_image(path, Image(2, 2, 3, PixelType::U8));
  const std::string plain = read_bytes(path);
  const std::string usual = read_image(path).tags.color_space;
  const std::size_t end_of_header = 8 + 12 + 13;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.space);
    write_bytes(path, plain.substr(0, end_of_header) + png_chunk("cICP" + c.code) + plain.substr(end_of_header));
    const Image image = read_image(path);
    EXPECT_EQ(image.tags.color_space, c.space.empty() ? usual : c.space);
    const std::string notes = notes_of(path);
    EXPECT_EQ(notes.empty(), c.space.empty()) << notes;
    EXPECT_EQ(notes.find("its colours are " + c.space + ":") != std::string::npos, !c.space.empty()) << notes;
    // What is written does not claim to be sRGB.
    write_image(folder.file("q.png"), image);
    const bool says_srgb = read_bytes(folder.file("q.png")).find("sRGB") != std::string::npos;
    EXPECT_EQ(says_srgb, c.space.empty());
  }
}

std::string box(const std::string& type, const std::string& content) {
  return big_endian(static_cast<uint32_t>(content.size() + 8)) + type + content;
}

TEST(PictureColors, OfAHeif) {
  using namespace std::string_literals;
  const TempFolder folder;
  const auto facts_of = [&](const std::string& boxes) {
    write_bytes(folder.file("p.heic"), box("ftyp", "heic\0\0\0\0mif1heic"s) + box("meta", "\0\0\0\0"s + boxes));
    const ReadHandle file(folder.file("p.heic"));
    const std::string bytes = read_bytes(folder.file("p.heic"));
    const ImageFormat* format = format_of_content({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
    return picture_facts(*format, file, "p.heic");
  };
  EXPECT_EQ(facts_of(box("colr", "nclx\0\x0C\0\x0D\0\x06\x80"s)).color_code, "Display P3");
  EXPECT_EQ(facts_of(box("colr", "nclx\0\x01\0\x0D\0\x06\x80"s)).color_code, "");
  const PictureFacts both =
      facts_of(box("colr", "nclx\0\x09\0\x12\0\x09\x80"s) + box("colr", "prof" + std::string(200, 'p')) +
               box("pixi", "\0\0\0\0\x03\x0A\x0A\x0A"s));
  EXPECT_EQ(both.icc_profile, std::string(200, 'p'));
  EXPECT_EQ(both.n_bits, 10);
  EXPECT_EQ(facts_of(box("colr", "prof")).icc_profile, "");
  EXPECT_EQ(facts_of("\x7F\xFF\xFF\xFF"s + "colrprof").icc_profile, "");
}

TEST(PictureColors, ExifThatSaysNotSrgb) {
  const TempFolder folder;
  const std::string path = folder.file("p.jpg");
  OIIO::ImageSpec spec(8, 8, 3, OIIO::TypeDesc::UINT8);
  const std::vector<uint8_t> pixels(8 * 8 * 3, 100);
  for (const int color_space : {1, 65535}) {
    spec.attribute("Exif:ColorSpace", color_space);
    const std::unique_ptr<OIIO::ImageOutput> out = OIIO::ImageOutput::create(path);
    ASSERT_TRUE(out && out->open(path, spec) && out->write_image(OIIO::TypeDesc::UINT8, pixels.data()) && out->close());
    EXPECT_EQ(notes_of(path).find("its colours are not sRGB, says its EXIF") != std::string::npos, color_space != 1);
  }
}

}  // namespace
}  // namespace loe
