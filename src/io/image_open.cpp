#include "io/image_open.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "io/foreign_content.h"
#include "io/icc_profile.h"
#include "io/oiio_setup.h"
#include "io/simple_pictures.h"
#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

const ImageFormat& detect_format(const ReadHandle& file, const std::string& path) {
  constexpr uint64_t kHeadBytes = 512;
  std::vector<unsigned char> head(static_cast<std::size_t>(std::min<uint64_t>(file.size(), kHeadBytes)));
  if (head.empty()) {
    fail_image(ErrorKind::Format, path, "a picture", "an empty file", "take another copy");
  }
  file.read_at(0, head.data(), head.size());
  const ImageFormat* format = format_of_content(head);
  if (format == nullptr) {
    ForeignContent foreign = foreign_content(head);
    if (foreign.what.empty()) {
      foreign = {describe_container(path), "name a file with moving pictures"};
    }
    const std::string found = foreign.what.empty() ? fmt::format("content that begins with '{}'",
                                                                 printable({reinterpret_cast<const char*>(head.data()),
                                                                            std::min<std::size_t>(head.size(), 16)}))
                                                   : foreign.what;
    fail_image(ErrorKind::Format, path, "a PNG, JPEG, TIFF, OpenEXR, HDR, WebP, GIF, HEIC, AVIF, BMP or PNM picture",
               found, foreign.what.empty() ? "convert it to PNG first" : foreign.remedy);
  }
  return *format;
}

/// Of the chosen channels, which an OpenEXR may store differently.
OIIO::TypeDesc stored_type(const OpenImage& image) {
  const OIIO::ImageSpec& spec = image.spec;
  OIIO::TypeDesc type = spec.channelformat(image.channels.indices.front());
  for (const int index : image.channels.indices) {
    const OIIO::TypeDesc other = spec.channelformat(index);
    if (other == type) {
      continue;
    }
    if (type == OIIO::TypeDesc::UINT || other == OIIO::TypeDesc::UINT) {
      fail_image(ErrorKind::Unsupported, image.path, "channels of one type", "integers among floats",
                 "choose some of one type with data.channels");
    }
    type = OIIO::TypeFloat;
  }
  return type == OIIO::TypeDesc::DOUBLE ? OIIO::TypeFloat : type;
}

bool is_cmyk(const OIIO::ImageSpec& spec) {
  constexpr int kTiffSeparated = 5;
  const std::string color_space = spec.get_string_attribute("jpeg:ColorSpace");
  return spec.get_int_attribute("tiff:PhotometricInterpretation", -1) == kTiffSeparated || color_space == "CMYK" ||
         color_space == "YCCK";
}

void check_tiff(const OpenImage& image) {
  const TiffFile& tiff = *image.tiff;
  if (tiff.is_dng || tiff.is_raw) {
    fail_image(ErrorKind::Unsupported, image.path, "a picture of colours",
               fmt::format("a camera raw file ({})", tiff.is_dng ? "DNG" : "a sensor's samples in a TIFF"),
               "develop it first (darktable, RawTherapee, dcraw -T) and fit the TIFF or PNG");
  }
  constexpr uint32_t kLogL = 32844;
  constexpr uint32_t kLogLuv = 32845;
  const uint32_t photometric = tiff.main().photometric;
  const bool is_lab = photometric >= 8 && photometric <= 10;
  if (is_lab || photometric == kLogL || photometric == kLogLuv) {
    fail_image(ErrorKind::Unsupported, image.path, "a grey or RGB picture", is_lab ? "Lab colours" : "LogLuv colours",
               "convert it to RGB first");
  }
}

/// OpenImageIO's picture number `subimage` into image.spec; false if there is none.
bool seek(OpenImage& image, int subimage) {
  if (!image.input->seek_subimage(subimage, 0)) {
    static_cast<void>(image.input->geterror());
    return false;
  }
  image.subimage = subimage;
  image.spec = image.input->spec();
  return true;
}

/// The first part with the best choice of channels.
void choose_exr_part(OpenImage& image) {
  constexpr int kMaxParts = 256;
  int best = 0;
  int best_rank = -1;
  int n_parts = 0;
  for (; n_parts < kMaxParts && seek(image, n_parts); ++n_parts) {
    const int rank = image.spec.deep ? 0 : choose_exr_channels(image.spec.channelnames).rank();
    if (rank > best_rank) {
      best = n_parts;
      best_rank = rank;
    }
  }
  seek(image, best);
  image.channels = choose_exr_channels(image.spec.channelnames);
  image.info.n_pictures = n_parts;
  if (n_parts > 1) {
    const std::string name = image.spec.get_string_attribute("oiio:subimagename");
    image.info.notes.push_back(fmt::format("part {} of {}{} is read", best + 1, n_parts,
                                           name.empty() ? "" : fmt::format(" ('{}')", printable(name))));
  }
}

void choose_tiff_page(OpenImage& image) {
  const TiffFile& tiff = *image.tiff;
  std::vector<std::string>& notes = image.info.notes;
  // A repaired file holds this page alone.
  if (!image.repaired && !seek(image, tiff.page)) {
    fail_image(ErrorKind::Format, image.path, fmt::format("a readable page {}", tiff.page + 1), "none",
               "it is damaged or truncated, so take another copy");
  }
  image.channels = choose_tiff_channels(tiff.main(), image.spec.nchannels);
  image.info.n_pictures = std::max(tiff.n_pictures, 1);
  if (tiff.child >= 0) {
    notes.emplace_back("a picture below the first page is read, of which the page is a reduced copy");
  } else if (tiff.page > 0) {
    notes.push_back(fmt::format("page {} of {} is read: those before it are reduced copies or masks", tiff.page + 1,
                                tiff.pages.size()));
  }
  if (tiff.n_pictures > 1 && tiff.child < 0 && tiff.page > 0) {
    notes.push_back(fmt::format("there are {} pages beside reduced copies and masks", tiff.n_pictures));
  } else if (tiff.n_pictures > 1) {
    notes.push_back(fmt::format("the first of {} pages is read", tiff.n_pictures));
  }
}

void choose_picture(OpenImage& image) {
  if (image.is("openexr")) {
    choose_exr_part(image);
  } else if (image.tiff) {
    choose_tiff_page(image);
  } else if (image.is("webp")) {
    image.channels = all_channels(std::min(image.spec.nchannels, 3));  // see require_opaque_webp
  } else {
    image.channels = all_channels(image.spec.nchannels);
  }
  if (image.facts.n_frames > 1) {
    image.info.n_pictures = image.facts.n_frames;
    image.info.notes.push_back(
        fmt::format("the first of {} frames is read; convert it to .mp4 or a folder of pictures "
                    "to fit them all",
                    image.facts.n_frames));
  }
}

std::vector<std::string> channel_names(const OpenImage& image) {
  if (image.tiff) {
    std::vector<std::string> names = tiff_channel_names(image.tiff->main(), image.spec.nchannels);
    if (!names.empty()) return names;
  }
  return image.spec.channelnames;
}

std::string listed(const std::vector<std::string>& names) {
  return printable(fmt::format("{}", fmt::join(names, ", ")), 120);
}

void take_asked_channels(OpenImage& image, const std::string& asked) {
  const std::vector<std::string> names = channel_names(image);
  std::string found;
  image.channels = choose_asked_channels(names, asked, image.channels, found);
  if (image.channels.indices.empty()) {
    fail_image(
        ErrorKind::InvalidArgument, image.path,
        fmt::format("1 to 4 of its {} channels in data.channels, names ({}) or numbers from 1, separated by commas",
                    names.size(), listed(names)),
        printable(found, 40), "correct data.channels");
  }
  std::vector<std::string> chosen;
  for (const int index : image.channels.indices) {
    chosen.push_back(names[static_cast<std::size_t>(index)]);
  }
  image.info.notes.push_back(fmt::format("channels {} are read, as data.channels asks", listed(chosen)));
}

void check_spec(const OpenImage& image) {
  const OIIO::ImageSpec& spec = image.spec;
  const std::string& path = image.path;
  if (spec.deep || spec.depth > 1) {
    fail_image(ErrorKind::Unsupported, path, "a flat picture", spec.deep ? "deep pixels" : "a volume",
               "flatten it first");
  }
  if (is_cmyk(spec)) {
    fail_image(ErrorKind::Unsupported, path, "a grey or RGB picture", "CMYK", "convert it to RGB first");
  }
  if (image.channels.indices.empty()) {
    fail_image(ErrorKind::Unsupported, path, "1..4 channels (grey, grey + alpha, RGB, RGBA)",
               fmt::format("{} ({})", spec.nchannels, listed(channel_names(image))),
               fmt::format("choose some, such as --set data.channels={}", printable(image.channels.example, 80)));
  }
  if (image.is("tiff") && spec.format == OIIO::TypeDesc::DOUBLE && (spec.tile_width != 0 || spec.height == 1)) {
    fail_image(ErrorKind::Unsupported, path, "doubles in strips of several rows",
               spec.tile_width != 0 ? "doubles in tiles, which OpenImageIO 2.4 reads as zeros"
                                    : "one row of doubles, which OpenImageIO 2.4 reads as zeros",
               "convert it to floats of 32 bits first (gdal_translate -ot Float32)");
  }
  if (spec.width < 1 || spec.height < 1) {
    fail_image(ErrorKind::Format, path, "at least one pixel", fmt::format("{} x {}", spec.width, spec.height),
               "take another copy");
  }
}

/// "sRGB" for integers and "Linear" for floats where the file says nothing; the name of a profile that is not sRGB's.
void read_color(OpenImage& image) {
  const bool integer = image.info.type == PixelType::U8 || image.info.type == PixelType::U16;
  PictureTags& tags = image.info.tags;
  tags.color_space = printable(image.spec.get_string_attribute("oiio:ColorSpace", integer ? "sRGB" : "Linear"));
  tags.icc_profile = image.facts.icc_profile;
  const OIIO::ParamValue* profile = image.spec.find_attribute("ICCProfile");
  if (profile != nullptr && profile->type().basetype == OIIO::TypeDesc::UINT8) {
    tags.icc_profile.assign(static_cast<const char*>(profile->data()), static_cast<std::size_t>(profile->datasize()));
  }
  if (!image.facts.color_code.empty()) {
    tags.color_space = image.facts.color_code;
  }
  if (!tags.icc_profile.empty()) {
    const std::string name = icc_description(tags.icc_profile);  // of any format's, unlike OpenImageIO's
    const bool is_srgb = name.find("sRGB") != std::string::npos;
    tags.color_space = is_srgb ? "sRGB" : name.empty() ? "of its profile" : printable(name);
  }
}

/// Width / height of a pixel as stored.
double stated_aspect(const OpenImage& image) {
  if (image.facts.pixel_aspect > 0) {
    return image.facts.pixel_aspect;
  }
  // Samples per unit: more of them across make pixels narrower. OpenImageIO 2.4 turns the ratio of a JPEG over.
  const float across = image.spec.get_float_attribute("XResolution", 0.0F);
  const float down = image.spec.get_float_attribute("YResolution", 0.0F);
  if (image.is("jpeg") && across > 0 && down > 0) {
    return static_cast<double>(down) / static_cast<double>(across);
  }
  const auto aspect = static_cast<double>(image.spec.get_float_attribute("PixelAspectRatio", 1.0F));
  // A PNG counts whole samples per metre: 0.50009 is meant as 0.5.
  const double rounded = std::round(aspect * 1000) / 1000;
  return image.is("png") && std::abs(aspect - rounded) < 2e-4 * aspect ? rounded : aspect;
}

void read_tags(OpenImage& image) {
  ImageFileInfo& info = image.info;
  PictureTags& tags = info.tags;
  read_color(image);
  tags.alpha = info.n_channels % 2 == 0 ? image.channels.alpha : AlphaKind::Unstated;
  tags.channels = image.channels.names;
  const double aspect = sensible_aspect(stated_aspect(image));
  tags.pixel_aspect = image.applied_orientation <= 4 ? aspect : 1 / aspect;
}

void add_notes(OpenImage& image) {
  std::vector<std::string>& notes = image.info.notes;
  const OIIO::ImageSpec& spec = image.spec;
  if (!image.channels.left_out.empty()) {
    notes.push_back(fmt::format("channels left out: {}", listed(image.channels.left_out)));
  }
  if (!image.channels.names.empty()) {
    notes.push_back(
        fmt::format("channels {} are read as they are: none of them is alpha", listed(image.channels.names)));
  }
  if (!image.channels.layer.empty()) {
    notes.push_back(fmt::format("the layer '{}' is read", printable(image.channels.layer)));
  }
  const bool has_window = spec.full_width > 0 && (spec.x != spec.full_x || spec.y != spec.full_y ||
                                                  spec.width != spec.full_width || spec.height != spec.full_height);
  if (image.is("openexr") && has_window) {
    notes.push_back(fmt::format("its data window is read, {} x {} at ({}, {}) of a display window of {} x {}",
                                spec.width, spec.height, spec.x - spec.full_x, spec.y - spec.full_y, spec.full_width,
                                spec.full_height));
  }
  if (image.info.tags.pixel_aspect != 1) {
    notes.push_back(aspect_note(image.info.tags.pixel_aspect));
  }
  const bool has_profile = !image.info.tags.icc_profile.empty();
  constexpr int kUncalibrated = 65535;
  if (!image.facts.color_code.empty() && !has_profile) {
    notes.push_back(
        fmt::format("its colours are {}: they are read as they are, and files that are written do not say so",
                    image.facts.color_code));
  } else if (!has_profile && spec.get_int_attribute("Exif:ColorSpace", 1) == kUncalibrated) {
    notes.emplace_back("its colours are not sRGB, says its EXIF, and it has no profile: they are read as they are");
  }
  if (image.facts.exposure != 1) {
    notes.push_back(fmt::format("values are divided by its exposure of {:.6g}", image.facts.exposure));
  }
  if (image.facts.n_bits > 8) {
    notes.push_back(fmt::format("its {} bits are read as 8", image.facts.n_bits));
  }
  if (image.tiff && image.tiff->main().nodata) {
    notes.push_back(fmt::format("values of {} mean that nothing was measured (GDAL_NODATA): they do not count",
                                *image.tiff->main().nodata));
  }
}

int orientation_of(const OpenImage& image) {
  // A HEIF's turns are applied by its decoder; its EXIF block repeats them.
  const int stated = image.is("heif")              ? 1
                     : image.facts.orientation > 0 ? image.facts.orientation
                                                   : image.spec.get_int_attribute("Orientation", 1);
  return stated >= 1 && stated <= 8 ? stated : 1;
}

void open_input(OpenImage& image) {
  set_up_oiio();
  image.input = OIIO::ImageInput::create(image.format->name);
  if (!image.input) {
    fail_image(ErrorKind::Unsupported, image.path, fmt::format("an OpenImageIO that reads {}", image.format->title),
               oiio_message(OIIO::geterror()), "convert it to JPEG or PNG first");
  }
  // Without this hint OpenImageIO multiplies alpha into 8-bit colours, which cannot be undone exactly.
  OIIO::ImageSpec hints;
  hints.attribute("oiio:UnassociatedAlpha", 1);
  if (image.tiff && (image.repaired = repaired_tiff(image.file, *image.tiff)) != nullptr) {
    OIIO::Filesystem::IOProxy* proxy = image.repaired.get();
    hints.attribute("oiio:ioproxy", OIIO::TypeDesc::PTR, &proxy);
  }
  if (!image.input->open(image.path, image.spec, hints)) {
    const std::string message = oiio_message(image.input->geterror());
    if (message.find("No support for data format") != std::string::npos) {
      fail_image(ErrorKind::Unsupported, image.path, "integers of up to 32 bits, or floats",
                 "values that OpenImageIO cannot read (64 bits, complex numbers)",
                 "convert it to floats of 32 bits first (gdal_translate -ot Float32)");
    }
    fail_image(
        ErrorKind::Format, image.path, fmt::format("a readable {} picture", image.format->title), message,
        image.is("heif") ? "convert it to JPEG or PNG first" : "it is damaged or truncated, so take another copy");
  }
}

void read_info(OpenImage& image, ImageTurn turn) {
  ImageFileInfo& info = image.info;
  info.format = image.format->name;
  info.n_channels = static_cast<int>(image.channels.indices.size());
  image.read_type = stored_type(image);
  info.type = image_type_of(image.read_type);
  info.source_type = image.spec.channelformat(image.channels.indices.front()).c_str();
  info.orientation = orientation_of(image);
  image.applied_orientation = turn == ImageTurn::AsShown ? info.orientation : 1;
  info.width = image.applied_orientation <= 4 ? image.spec.width : image.spec.height;
  info.height = image.applied_orientation <= 4 ? image.spec.height : image.spec.width;
  read_tags(image);
  add_notes(image);
}

/// A GIF with a transparent index that its first frame never shows is opaque.
void drop_unused_alpha(OpenImage& image) {
  constexpr int64_t kMaxLook = int64_t{1} << 26;
  const int64_t n_pixels = int64_t{image.spec.width} * image.spec.height;
  if (!image.is("gif") || image.spec.nchannels != 4 || (image.facts.may_be_transparent && n_pixels > kMaxLook)) {
    return;
  }
  if (image.facts.may_be_transparent) {
    std::vector<uint8_t> pixels(static_cast<std::size_t>(n_pixels) * 4);
    const bool is_read = image.input->read_image(0, 0, 0, 4, OIIO::TypeUInt8, pixels.data());
    for (std::size_t i = 3; is_read && i < pixels.size(); i += 4) {
      if (pixels[i] != 255) {
        return;
      }
    }
  }
  image.channels = all_channels(3);
}

}  // namespace

PixelType image_type_of(OIIO::TypeDesc type) {
  switch (type.basetype) {
    case OIIO::TypeDesc::UINT8:
      return PixelType::U8;
    case OIIO::TypeDesc::UINT16:
      return PixelType::U16;
    case OIIO::TypeDesc::HALF:
      return PixelType::F16;
    default:
      return PixelType::F32;
  }
}

std::unique_ptr<OpenImage> open_image(const std::string& path, bool whole, ImageTurn turn,
                                      const std::string& channels) {
  auto image = std::make_unique<OpenImage>(path);
  image->format = &detect_format(image->file, path);
  check_content(*image->format, image->file, path, whole);
  image->facts = picture_facts(*image->format, image->file, path);
  if (image->is_own()) {
    if (!channels.empty()) {
      fail_image(ErrorKind::InvalidArgument, path, "a TIFF, an OpenEXR or another file of named channels",
                 fmt::format("a {} with data.channels", image->format->title), "leave data.channels out");
    }
    image->info = image->is("bmp") ? read_bmp_info(image->file, path) : read_pnm_info(image->file, path);
    return image;
  }
  if (image->is("tiff")) {
    image->tiff = read_tiff_directories(image->file, path);
    check_tiff(*image);
  }
  open_input(*image);
  choose_picture(*image);
  if (!channels.empty()) {
    take_asked_channels(*image, channels);
  }
  check_spec(*image);
  if (channels.empty()) {
    drop_unused_alpha(*image);
  }
  read_info(*image, turn);
  return image;
}

}  // namespace loe
