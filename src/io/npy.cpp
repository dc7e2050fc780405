#include "io/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstring>
#include <string_view>

#include "io/text.h"
#include "io/video_source.h"

namespace loe {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeaderBytes = 65536;
constexpr std::size_t kMaxDims = 8;
constexpr const char* kConvert = "save it with numpy.save as a uint8, uint16 or float32 array in C order";

[[noreturn]] void fail_header(const std::string& path, const std::string& expected, const std::string& found) {
  fail_video(ErrorKind::Format, path, expected, found, "it is damaged, so take another copy");
}

/// A Python dictionary with the three keys of the format, nothing else.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  void parse(NpyHeader& header, bool& fortran_order) {
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = parse_text();
      expect(':');
      const std::size_t which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3 || seen[which]) {
        fail_header(path_, "the keys descr, fortran_order and shape once each", fmt::format("'{}'", printable(key)));
      }
      seen[which] = true;
      if (which == 0) {
        header.dtype = parse_text();
      } else if (which == 1) {
        fortran_order = parse_bool();
      } else {
        parse_shape(header.shape);
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!seen[0] || !seen[1] || !seen[2]) {
      fail_header(path_, "the keys descr, fortran_order and shape", "fewer");
    }
    skip_space();
    if (position_ != text_.size()) {
      fail_at("the end of the header");
    }
  }

 private:
  [[noreturn]] void fail_at(const std::string& expected) const {
    fail_header(path_, fmt::format("{} at byte {} of its header", expected, position_),
                position_ < text_.size() ? fmt::format("'{}'", printable(text_.substr(position_, 16))) : "its end");
  }
  void skip_space() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) {
      ++position_;
    }
  }
  bool accept(char c) {
    skip_space();
    const bool found = position_ < text_.size() && text_[position_] == c;
    position_ += found ? 1 : 0;
    return found;
  }
  void expect(char c) {
    if (!accept(c)) {
      fail_at(fmt::format("'{}'", c));
    }
  }
  bool accept_word(std::string_view word) {
    skip_space();
    const bool found = text_.substr(position_, word.size()) == word;
    position_ += found ? word.size() : 0;
    return found;
  }
  std::string parse_text() {
    skip_space();
    const char quote = position_ < text_.size() ? text_[position_] : ' ';
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, position_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) {
      fail_at("a quoted text");
    }
    const std::string text(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return text;
  }
  bool parse_bool() {
    if (accept_word("True")) {
      return true;
    }
    if (!accept_word("False")) {
      fail_at("True or False");
    }
    return false;
  }
  int64_t parse_number() {
    skip_space();
    int64_t value = 0;
    std::size_t n_digits = 0;
    for (; position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_])) != 0; ++position_) {
      if (++n_digits > 15) {
        fail_at("a number of at most 15 digits");
      }
      value = value * 10 + (text_[position_] - '0');
    }
    if (n_digits == 0) {
      fail_at("a number");
    }
    return value;
  }
  void parse_shape(std::vector<int64_t>& shape) {
    expect('(');
    while (!accept(')')) {
      if (shape.size() == kMaxDims) {
        fail_at(fmt::format("at most {} dimensions", kMaxDims));
      }
      shape.push_back(parse_number());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t position_ = 0;
};

/// The file must hold exactly the values that the shape has.
void require_size(const NpyHeader& header, uint64_t file_size, const std::string& path) {
  const auto n_data = static_cast<double>(file_size - header.data_offset);
  double n_bytes = npy_value_bytes(header.dtype);  // a product of any shape is a double without overflow
  for (const int64_t n : header.shape) {
    n_bytes *= static_cast<double>(n);
  }
  if (n_bytes == 0) {
    fail_video(ErrorKind::Format, path, "at least one frame with a pixel", "an empty array", "take another copy");
  }
  // Files are smaller than 2^53 bytes, so equality of doubles is exact.
  if (n_bytes != n_data) {
    fail_video(ErrorKind::Format, path, fmt::format("{:.0f} bytes of values, as its shape says", n_bytes),
               fmt::format("{:.0f}", n_data), "it is damaged or truncated, so take another copy");
  }
}

class NpySource final : public VideoSource {
 public:
  explicit NpySource(const std::string& path) : path_(path), file_(path), header_(read_npy_header(file_, path)) {
    const std::vector<int64_t>& shape = header_.shape;
    const bool has_channels = shape.size() == 4;
    const bool one_picture = shape.size() == 3 && (shape[2] == 3 || shape[2] == 4);
    if ((shape.size() != 3 && !has_channels) || (has_channels && shape[3] != 1 && shape[3] != 3) || one_picture) {
      fail_video(ErrorKind::Unsupported, path_, "an array [T, H, W, 3], [T, H, W, 1] or [T, H, W]",
                 fmt::format("[{}]{}", fmt::join(shape, ", "), one_picture ? ", which looks like one picture" : ""),
                 "reshape it with numpy");
    }
    if (shape[1] > kMaxVideoSide || shape[2] > kMaxVideoSide || shape[1] * shape[2] > kMaxFramePixels) {
      fail_video(ErrorKind::Unsupported, path_,
                 fmt::format("sides of at most {} and frames of at most {} pixels", kMaxVideoSide, kMaxFramePixels),
                 fmt::format("{}x{}", shape[2], shape[1]), "make it smaller first");
    }
    info_.format = "npy";
    info_.codec = header_.dtype;
    info_.n_frames = shape[0];
    info_.height = static_cast<int>(shape[1]);
    info_.width = static_cast<int>(shape[2]);
    info_.n_channels = has_channels ? static_cast<int>(shape[3]) : 1;
    info_.type = header_.dtype == "u1" ? PixelType::U8 : PixelType::U16;
    info_.color = {"rgb", "full", "unknown", "unknown"};
  }

  bool next(Image* image) override {
    if (n_frames_ == info_.n_frames) {
      return false;
    }
    if (image != nullptr) {
      read_frame(*image);
    }
    ++n_frames_;
    return true;
  }

 private:
  void read_frame(Image& image) {
    image = Image(info_.width, info_.height, info_.n_channels, info_.type);
    const auto row_values = static_cast<std::size_t>(info_.width) * static_cast<std::size_t>(info_.n_channels);
    const std::size_t row_bytes = row_values * static_cast<std::size_t>(npy_value_bytes(header_.dtype));
    row_.resize(row_bytes);
    uint64_t offset =
        header_.data_offset + static_cast<uint64_t>(n_frames_) * static_cast<uint64_t>(info_.height) * row_bytes;
    for (int y = 0; y < info_.height; ++y, offset += row_bytes) {
      file_.read_at(offset, row_.data(), row_bytes);
      if (header_.dtype == "u1" || header_.dtype == "<u2") {
        std::memcpy(image.row(y), row_.data(), row_bytes);
      } else if (header_.dtype == "<f4") {
        store_floats<float>(row_values, image.row(y));
      } else {
        store_floats<double>(row_values, image.row(y));
      }
    }
  }

  template <typename Float>
  void store_floats(std::size_t n, std::byte* out) const {
    constexpr double kSlack = 1e-3;
    for (std::size_t i = 0; i < n; ++i) {
      Float value = 0;
      std::memcpy(&value, row_.data() + i * sizeof(Float), sizeof(Float));
      if (!(value >= -kSlack && value <= 1 + kSlack)) {
        fail_video(ErrorKind::Format, path_, fmt::format("values in [0, 1] in frame {}", n_frames_),
                   fmt::format("{}", value), "scale them to [0, 1], or store 8 or 16-bit integers");
      }
      const double clipped = std::clamp(static_cast<double>(value), 0.0, 1.0);
      const auto stored = static_cast<uint16_t>(std::floor(clipped * 65535 + 0.5));
      std::memcpy(out + i * sizeof(stored), &stored, sizeof(stored));
    }
  }

  std::string path_;
  ReadHandle file_;
  NpyHeader header_;
  int64_t n_frames_ = 0;
  std::vector<std::byte> row_;
};

class NpySink final : public VideoSink {
 public:
  NpySink(const std::string& path, const VideoShape& shape, PixelType type) : file_(path), shape_(shape), type_(type) {
    file_.append(header(0).data(), header(0).size());
  }
  void write(const Image& frame) override {
    file_.append(frame.data(), frame.n_bytes());
    ++n_frames_;
  }
  void close() override {
    const std::string text = header(n_frames_);
    if (const int error_number = file_.write_at(0, text.data(), text.size()); error_number != 0) {
      throw_io_error(file_.temporary_path(), "write the header", error_number);
    }
    file_.commit();
  }

 private:
  std::string header(int64_t n_frames) const {
    return npy_header(type_ == PixelType::U8 ? "|u1" : "<u2",
                      {n_frames, shape_.height, shape_.width, shape_.n_channels});
  }

  AtomicFile file_;
  VideoShape shape_;
  PixelType type_;
  int64_t n_frames_ = 0;
};

// Values are copied as they are in memory.
static_assert(std::endian::native == std::endian::little, "src/io/npy.cpp: swap the bytes of values on this machine");

}  // namespace

int npy_value_bytes(const std::string& dtype) {
  return dtype == "u1" ? 1 : dtype == "<u2" ? 2 : dtype == "<f4" ? 4 : 8;
}

NpyHeader read_npy_header(const ReadHandle& file, const std::string& path) {
  unsigned char head[12] = {};
  constexpr std::size_t kVersion = 6;
  const std::size_t n_read = static_cast<std::size_t>(std::min<uint64_t>(file.size(), sizeof(head)));
  file.read_at(0, head, n_read);
  const int version = head[kVersion];
  const std::size_t prefix = version == 1 ? 10 : 12;
  if (n_read < prefix) {
    fail_header(path, "a header", fmt::format("a file of {} bytes", file.size()));
  }
  if ((version != 1 && version != 2) || head[kVersion + 1] != 0) {
    fail_video(ErrorKind::Unsupported, path, "an .npy file of version 1.0 or 2.0",
               fmt::format("{}.{}", version, head[kVersion + 1]), kConvert);
  }
  uint64_t n_bytes = head[8] | static_cast<uint64_t>(head[9]) << 8;
  if (version == 2) {
    n_bytes |= static_cast<uint64_t>(head[10]) << 16 | static_cast<uint64_t>(head[11]) << 24;
  }
  if (n_bytes > kMaxHeaderBytes || n_bytes > file.size() - prefix) {
    fail_header(path, fmt::format("a header of at most {} bytes inside the file", kMaxHeaderBytes),
                fmt::format("{} in a file of {}", n_bytes, file.size()));
  }
  std::string text(static_cast<std::size_t>(n_bytes), '\0');
  file.read_at(prefix, text.data(), text.size());

  NpyHeader header;
  bool fortran_order = false;
  HeaderParser(text, path).parse(header, fortran_order);
  header.data_offset = prefix + n_bytes;
  if (header.dtype == "|u1" || header.dtype == "<u1" || header.dtype == "=u1") {
    header.dtype = "u1";
  }
  const bool known = header.dtype == "u1" || header.dtype == "<u2" || header.dtype == "<f4" || header.dtype == "<f8";
  if (!known || fortran_order) {
    fail_video(ErrorKind::Unsupported, path, "dtype u1, <u2, <f4 or <f8 in C order",
               known ? "Fortran order" : fmt::format("'{}'", printable(header.dtype)), kConvert);
  }
  require_size(header, file.size(), path);
  return header;
}

std::string npy_header(const std::string& dtype, const std::vector<int64_t>& shape) {
  constexpr std::size_t kBytes = 128;
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", dtype, fmt::join(shape, ", "));
  text.resize(kBytes - kMagic.size() - 4 - 1, ' ');
  const auto n_bytes = static_cast<char>(text.size() + 1);
  return std::string(kMagic) + std::string{1, 0, n_bytes, 0} + text + "\n";
}

std::unique_ptr<VideoSource> open_npy_source(const std::string& path) {
  return std::make_unique<NpySource>(path);
}

std::unique_ptr<VideoSink> open_npy_sink(const std::string& path, const VideoShape& shape, PixelType type) {
  return std::make_unique<NpySink>(path, shape, type);
}

}  // namespace loe
