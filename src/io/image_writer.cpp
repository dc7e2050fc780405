// Writing pictures: include/loe/io/image_file.h.
#include <OpenImageIO/filesystem.h>
#include <OpenImageIO/imageio.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "io/file_handle.h"
#include "io/image_formats.h"
#include "io/oiio_setup.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/image_file.h"

namespace loe {
namespace {

/// Rows are rounded to their depth in strips of about this many values.
constexpr int kStripValues = 1 << 18;

/// Takes a format's output into an AtomicFile and remembers the first failure, which the formats report poorly: on a
/// full disk libpng prints and goes on, and libjpeg writing to a file of its own ends the process. To them all is well.
class AtomicFileProxy : public OIIO::Filesystem::IOProxy {
 public:
  explicit AtomicFileProxy(AtomicFile& file) : IOProxy(file.temporary_path(), Write), file_(file) {}
  const char* proxytype() const override { return "loe"; }
  void close() override {}

  size_t write(const void* data, size_t n_bytes) override {
    const size_t n = pwrite(data, n_bytes, m_pos);
    m_pos += static_cast<int64_t>(n);
    return n;
  }
  size_t pwrite(const void* data, size_t n_bytes, int64_t offset) override {
    if (error_number_ == 0) {
      error_number_ = file_.write_at(static_cast<uint64_t>(offset), data, n_bytes);
    }
    size_ = std::max(size_, offset + static_cast<int64_t>(n_bytes));
    return n_bytes;
  }
  size_t size() const override { return static_cast<size_t>(size_); }
  int error_number() const { return error_number_; }

 private:
  AtomicFile& file_;
  int64_t size_ = 0;
  int error_number_ = 0;
};

OIIO::TypeDesc oiio_type(PixelType type) {
  switch (type) {
    case PixelType::U8:
      return OIIO::TypeUInt8;
    case PixelType::U16:
      return OIIO::TypeUInt16;
    case PixelType::F16:
      return OIIO::TypeHalf;
    case PixelType::F32:
      return OIIO::TypeFloat;
  }
  return OIIO::TypeUnknown;
}

bool has_alpha(int n_channels, const PictureTags& tags) {
  return n_channels % 2 == 0 && tags.alpha != AlphaKind::None;
}

bool is_named(const ImageFormat& format, const char* name) {
  return std::string_view(format.name) == name;
}

/// What becomes of colours on their way into a file.
enum class AlphaChange { None, Multiply, Divide };

AlphaChange alpha_change(const ImageFormat& format, int n_channels, const PictureTags& tags) {
  if (!has_alpha(n_channels, tags)) {
    return AlphaChange::None;
  }
  if (is_named(format, "openexr")) {
    return tags.alpha == AlphaKind::Straight ? AlphaChange::Multiply : AlphaChange::None;
  }
  return is_named(format, "png") && tags.alpha == AlphaKind::Associated ? AlphaChange::Divide : AlphaChange::None;
}

/// values [n_pixels, n_channels], alpha last. Colours without any alpha stay: there is nothing to divide by.
void change_alpha(AlphaChange change, int n_channels, int64_t n_pixels, float* values) {
  for (int64_t i = 0; i < n_pixels; ++i, values += n_channels) {
    const float alpha = values[n_channels - 1];
    const float factor = change == AlphaChange::Multiply ? alpha : alpha > 0 ? 1 / std::min(alpha, 1.0F) : 1.0F;
    for (int c = 0; c < n_channels - 1; ++c) {
      values[c] *= factor;
    }
  }
}

void set_channels(const ImageFormat& format, const PictureTags& tags, OIIO::ImageSpec& spec) {
  const auto n_channels = static_cast<std::size_t>(spec.nchannels);
  if (tags.channels.size() == n_channels && is_named(format, "openexr")) {
    spec.channelnames = tags.channels;
  } else if (n_channels == 2) {
    spec.channelnames = {"Y", "A"};
  }
  spec.alpha_channel = has_alpha(spec.nchannels, tags) ? spec.nchannels - 1 : -1;
  const bool is_associated = is_named(format, "openexr") || tags.alpha == AlphaKind::Associated;
  if (spec.alpha_channel >= 0 && (is_named(format, "png") || !is_associated)) {
    spec.attribute("oiio:UnassociatedAlpha", 1);
  }
}

/// Profile or colour space, never both: PNG forbids it.
void set_color(const ImageFormat& format, const PictureTags& tags, OIIO::ImageSpec& spec) {
  if (tags.icc_profile.empty() || !format.keeps_profile) {
    spec.attribute("oiio:ColorSpace", printable(tags.color_space));
    return;
  }
  spec.attribute("oiio:ColorSpace", "");
  spec.attribute("ICCProfile", OIIO::TypeDesc(OIIO::TypeDesc::UINT8, static_cast<int>(tags.icc_profile.size())),
                 tags.icc_profile.data());
}

OIIO::ImageSpec make_spec(const ImageFormat& format, int width, int height, int n_channels, PixelType type,
                          const PictureTags& tags) {
  const std::string name = format.name;
  OIIO::ImageSpec spec(width, height, n_channels, oiio_type(type));
  set_channels(format, tags, spec);
  set_color(format, tags, spec);
  if (tags.pixel_aspect != 1) {
    // Also as samples per unit, in which a pixel twice as wide has half as many across: what JPEG and TIFF know.
    constexpr double kPerUnit = 72;
    if (name != "jpeg") {  // OpenImageIO 2.4 would turn it over
      spec.attribute("PixelAspectRatio", static_cast<float>(tags.pixel_aspect));
    }
    spec.attribute("XResolution", static_cast<float>(kPerUnit));
    spec.attribute("YResolution", static_cast<float>(kPerUnit * tags.pixel_aspect));
    spec.attribute("ResolutionUnit", "none");
  }
  if (name == "jpeg") {
    spec.attribute("compression", "jpeg:98");
  } else if (name == "webp") {
    spec.attribute("compression", "webp:100");
  } else if (name == "tiff" && type == PixelType::F16) {
    spec.attribute("tiff:half", 1);
  }
  return spec;
}

/// Channels that are neither colours nor alpha.
void require_channels(const std::string& path, const ImageFormat& format, int n_channels, PixelType type,
                      const PictureTags& tags) {
  const bool is_data = n_channels % 2 == 0 && !has_alpha(n_channels, tags);
  if (!is_data || is_named(format, "tiff") || is_named(format, "openexr")) {
    return;
  }
  const bool is_integer = type == PixelType::U8 || type == PixelType::U16;
  throw Error(
      ErrorKind::Unsupported,
      fmt::format("[image] {}: expected grey or RGB, maybe with alpha, for {}, got {} channels without alpha{}; "
                  "write {}",
                  path, format.title, n_channels,
                  tags.channels.empty() ? "" : printable(fmt::format(" ({})", fmt::join(tags.channels, ", "))),
                  is_integer ? "a .tif" : "a .tif or .exr"));
}

}  // namespace

struct ImageWriter::Impl {
  Impl(const std::string& path_, int width_, int height_, int n_channels_, PixelType type_, const PictureTags& tags)
      : path(path_),
        format(output_format(path_, width_, height_, n_channels_, type_)),
        change(alpha_change(format, n_channels_, tags)),
        width(width_),
        height(height_),
        n_channels(n_channels_),
        type(type_),
        file(path_),
        proxy(file) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (opened && n_written < height && std::string(format.name) == "png") {
      quiet_png_end();
    }
  }

  bool is_tiff() const { return std::string(format.name) == "tiff"; }

  /// After every call into OpenImageIO: the system's own word first, then the format's.
  void require(bool ok, const std::string& attempt) {
    const std::string message = !ok || output->has_error() ? output->geterror() : "";
    // OpenImageIO 2.4's word where a TIFF's colours are not sRGB: a directory of camera data that we have none of.
    const bool harmless = message.find("of the Exif data") != std::string::npos;
    const bool failed = !ok || (!message.empty() && !harmless);
    if (proxy.error_number() != 0) {
      throw_io_error(path, attempt, proxy.error_number());
    }
    if (failed) {
      throw_format_error(attempt, message);
    }
  }

  [[noreturn]] void throw_format_error(const std::string& attempt, const std::string& message) {
    // A format that wrote past the proxy (TIFF) does not say why it failed: try to add a byte to see.
    std::error_code ignored;
    const auto n_bytes = std::filesystem::file_size(file.temporary_path(), ignored);
    if (const int error_number = ignored ? 0 : file.write_at(n_bytes, "", 1); error_number != 0) {
      throw_io_error(path, attempt, error_number);
    }
    throw Error(ErrorKind::Io, fmt::format("[image] {}: expected to {}, got '{}'; try another format", path, attempt,
                                           oiio_message(message)));
  }

  /// TIFF's close cannot tell that the directory did not reach the disk: read it and the last row back.
  void verify_tiff() {
    const std::unique_ptr<OIIO::ImageInput> input = OIIO::ImageInput::create(format.name);
    OIIO::ImageSpec spec;
    std::vector<std::byte> row(static_cast<size_t>(width) * static_cast<size_t>(n_channels) *
                               static_cast<size_t>(bytes_per_value(type)));
    if (!input || !input->open(file.temporary_path(), spec) || spec.width != width || spec.height != height ||
        !input->read_scanline(height - 1, 0, oiio_type(type), row.data())) {
      throw_format_error("finish the picture", input ? input->geterror() : "");
    }
  }

  void write_stored(int n_rows, const std::byte* rows) {
    require(output->write_scanlines(n_written, n_written + n_rows, 0, oiio_type(type), rows),
            fmt::format("write rows {} to {} of {}", n_written, n_written + n_rows, height));
    n_written += n_rows;
  }

  /// libpng prints to stderr if a file ends before its compressor has put out anything: feed it zeros until it has.
  void quiet_png_end() noexcept {
    constexpr size_t kHeaderBytes = 1024;
    try {
      const std::vector<std::byte> zeros(static_cast<size_t>(width) * static_cast<size_t>(n_channels) *
                                         static_cast<size_t>(bytes_per_value(type)));
      for (; n_written < height && proxy.size() < kHeaderBytes; ++n_written) {
        if (!output->write_scanline(n_written, 0, oiio_type(type), zeros.data())) {
          return;
        }
      }
    } catch (...) {
      // Abandoning a file never fails; at worst libpng prints its line.
    }
  }

  void require_room(int n_rows) const {
    if (n_rows < 0 || n_rows > height - n_written) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[image] {}: expected at most {} more rows, got {}; pass each row once", path,
                              height - n_written, n_rows));
    }
  }

  std::string path;
  const ImageFormat& format;
  AlphaChange change;
  int width;
  int height;
  int n_channels;
  PixelType type;
  bool opened = false;
  int n_written = 0;
  AtomicFile file;
  AtomicFileProxy proxy;                      // outlives `output`, whose destructor may still write
  std::unique_ptr<OIIO::ImageOutput> output;  // last: destroyed first
};

ImageWriter::ImageWriter(const std::string& path, int width, int height, int n_channels, PixelType type,
                         const PictureTags& tags) {
  // The limits of Image apply: sides of 1..65536, 1..4 channels.
  if (width < 1 || height < 1 || width > 65536 || height > 65536 || n_channels < 1 || n_channels > 4) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[image] {}: expected sides of 1..65536 pixels and 1..4 channels, got {} x {} x {}; choose "
                            "another size",
                            path, width, height, n_channels));
  }
  set_up_oiio();
  impl_ = std::make_unique<Impl>(path, width, height, n_channels, type, tags);
  require_channels(path, impl_->format, n_channels, type, tags);
  impl_->output = OIIO::ImageOutput::create(impl_->format.name);
  if (!impl_->output || impl_->output->supports("ioproxy") == 0) {
    throw Error(ErrorKind::Unsupported, fmt::format("[image] {}: expected an OpenImageIO that writes {}, got one that "
                                                    "does not ({}); write a .png",
                                                    path, impl_->format.title, oiio_message(OIIO::geterror())));
  }
  OIIO::ImageSpec spec = make_spec(impl_->format, width, height, n_channels, type, tags);
  // Not TIFF: OpenImageIO reads the file back for its EXIF directory, through a proxy it cannot, and the file comes out
  // damaged. libtiff does report a failed write.
  if (!impl_->is_tiff()) {
    OIIO::Filesystem::IOProxy* proxy = &impl_->proxy;
    spec.attribute("oiio:ioproxy", OIIO::TypeDesc::PTR, &proxy);
  }
  impl_->opened = impl_->output->open(impl_->file.temporary_path(), spec);
  impl_->require(impl_->opened, "start a picture");
  if (impl_->output->spec().format != oiio_type(type)) {
    throw Error(ErrorKind::Unsupported,
                fmt::format("[image] {}: expected {} to store {}, got {}; write a .png or .tif", path,
                            impl_->format.title, to_string(type), impl_->output->spec().format.c_str()));
  }
}

ImageWriter::~ImageWriter() = default;

void ImageWriter::write_stored_rows(int n_rows, const std::byte* rows) {
  impl_->require_room(n_rows);
  if (n_rows > 0 && impl_->change == AlphaChange::None) {
    impl_->write_stored(n_rows, rows);
  } else if (n_rows > 0) {
    Image strip(impl_->width, n_rows, impl_->n_channels, impl_->type);
    std::memcpy(strip.data(), rows, strip.n_bytes());
    std::vector<float> values(static_cast<std::size_t>(strip.n_pixels()) *
                              static_cast<std::size_t>(strip.n_channels()));
    for (int i = 0; i < n_rows; ++i) {
      strip.read_row(0, i, impl_->width, values.data() + int64_t{i} * impl_->width * impl_->n_channels);
    }
    write_rows(n_rows, values.data());
  }
}

void ImageWriter::write_rows(int n_rows, const float* values) {
  impl_->require_room(n_rows);
  const int row_values = impl_->width * impl_->n_channels;
  const int strip_rows = std::min(std::max(kStripValues / row_values, 1), std::max(n_rows, 1));
  Image strip(impl_->width, strip_rows, impl_->n_channels, impl_->type);
  std::vector<float> changed(impl_->change == AlphaChange::None ? 0 : static_cast<std::size_t>(row_values));
  for (int first = 0; first < n_rows; first += strip_rows) {
    const int n = std::min(strip_rows, n_rows - first);
    for (int i = 0; i < n; ++i) {
      const float* row = values + int64_t{first + i} * row_values;
      if (!changed.empty()) {
        std::copy_n(row, row_values, changed.begin());
        change_alpha(impl_->change, impl_->n_channels, impl_->width, changed.data());
        row = changed.data();
      }
      strip.write_row(0, i, impl_->width, row);
    }
    impl_->write_stored(n, strip.data());
  }
}

void ImageWriter::close() {
  if (impl_->n_written != impl_->height) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[image] {}: expected {} rows before closing, got {}; write "
                                                        "them all",
                                                        impl_->path, impl_->height, impl_->n_written));
  }
  impl_->require(impl_->output->close(), "finish the picture");
  impl_->output.reset();
  if (impl_->is_tiff()) {
    impl_->verify_tiff();
  }
  impl_->file.commit();
}

std::string lost_tags(const std::string& path, const PictureTags& tags) {
  const ImageFormat* format = format_of_extension(path);
  if (format == nullptr) {
    return "";
  }
  std::string lost = tags.icc_profile.empty() || format->keeps_profile ? "" : "the colour profile";
  if (tags.pixel_aspect != 1 && !format->keeps_aspect) {
    lost += (lost.empty() ? "" : " and ") + fmt::format("the shape of the pixels ({:.4g} : 1)", tags.pixel_aspect);
  }
  return lost;
}

void write_image(const std::string& path, const Image& image) {
  ImageWriter writer(path, image.width(), image.height(), image.n_channels(), image.type(), image.tags);
  // In strips: OpenImageIO copies what it is given, and the whole picture would be copied at once.
  const int strip_rows = std::max(kStripValues / (image.width() * image.n_channels()), 1);
  for (int y = 0; y < image.height(); y += strip_rows) {
    writer.write_stored_rows(std::min(strip_rows, image.height() - y), image.row(y));
  }
  writer.close();
}

std::string encode_png(const Image& image) {
  const std::string name = "memory.png";  // nothing of this name is written: it selects the format, and names errors
  set_up_oiio();
  const ImageFormat& format = output_format(name, image.width(), image.height(), image.n_channels(), image.type());
  OIIO::ImageSpec spec = make_spec(format, image.width(), image.height(), image.n_channels(), image.type(), image.tags);
  constexpr int kMaxCompression = 9;
  spec.attribute("png:compressionLevel", kMaxCompression);
  std::vector<unsigned char> bytes;
  OIIO::Filesystem::IOVecOutput memory(bytes);
  OIIO::Filesystem::IOProxy* proxy = &memory;
  spec.attribute("oiio:ioproxy", OIIO::TypeDesc::PTR, &proxy);
  const std::unique_ptr<OIIO::ImageOutput> output = OIIO::ImageOutput::create(format.name);
  if (!output || !output->open(name, spec) || !output->write_image(oiio_type(image.type()), image.data()) ||
      !output->close()) {
    throw Error(ErrorKind::Unsupported,
                fmt::format("[image] encode_png: expected an OpenImageIO that writes PNG to memory, got one that does "
                            "not ({}); use its version 2.4 or later",
                            oiio_message(output ? output->geterror() : OIIO::geterror())));
  }
  return {bytes.begin(), bytes.end()};
}

}  // namespace loe
