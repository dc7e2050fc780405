// PNM: src/io/simple_pictures.h.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "io/image_errors.h"
#include "io/simple_pictures.h"
#include "io/text.h"

namespace loe {
namespace {

constexpr uint64_t kMaxHeaderBytes = 65536;

struct PnmHeader {
  char kind = 0;  ///< '1' to '7', 'f', 'F'
  int64_t width = 0;
  int64_t height = 0;
  int64_t n_channels = 1;
  int64_t maximum = 1;
  bool has_alpha = false;
  bool is_little_endian = false;
  uint64_t pixels_at = 0;

  bool is_text() const { return kind >= '1' && kind <= '3'; }
  bool is_bits() const { return kind == '4'; }
  bool is_float() const { return kind == 'f' || kind == 'F'; }
  int64_t value_bytes() const { return is_float() ? 4 : maximum > 255 ? 2 : 1; }
  int64_t row_bytes() const { return is_bits() ? (width + 7) / 8 : width * n_channels * value_bytes(); }
};

/// Words of text, with comments from # to the end of a line.
class Words {
 public:
  explicit Words(const std::string& text, std::size_t at) : text_(text), at_(at) {}
  std::size_t position() const { return at_; }
  bool at_end() {
    skip_blanks();
    return at_ >= text_.size();
  }
  /// "" at the end.
  std::string next() {
    skip_blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_blank(text_[at_])) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }
  /// One digit, of those that may stand without blanks between them.
  char next_digit() {
    skip_blanks();
    return at_ < text_.size() ? text_[at_++] : '\0';
  }

 private:
  static bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
  void skip_blanks() {
    while (at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == '#')) {
      at_ = text_[at_] == '#' ? std::min(text_.find('\n', at_), text_.size()) : at_ + 1;
    }
  }
  const std::string& text_;
  std::size_t at_;
};

int64_t to_number(const std::string& word, int64_t least, int64_t most, const std::string& what,
                  const std::string& path) {
  const bool is_number = !word.empty() && word.size() <= 10 &&
                         std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int64_t value = is_number ? std::stoll(word) : -1;
  if (value < least || value > most) {
    fail_image(ErrorKind::Format, path, fmt::format("a PNM with {} of {} to {}", what, least, most),
               fmt::format("'{}'", printable(word, 20)), "take another copy, or convert it to PNG first");
  }
  return value;
}

void read_pam(Words& words, const std::string& path, PnmHeader& header) {
  header.width = header.height = header.n_channels = 0;
  std::string type;
  for (std::string word = words.next(); word != "ENDHDR"; word = words.next()) {
    if (word == "WIDTH") {
      header.width = to_number(words.next(), 1, kMaxImageSide, "a width", path);
    } else if (word == "HEIGHT") {
      header.height = to_number(words.next(), 1, kMaxImageSide, "a height", path);
    } else if (word == "DEPTH") {
      header.n_channels = to_number(words.next(), 1, 4, "a depth", path);
    } else if (word == "MAXVAL") {
      header.maximum = to_number(words.next(), 1, 65535, "a maximum", path);
    } else if (word == "TUPLTYPE") {
      type = words.next();
    } else {
      fail_image(ErrorKind::Format, path, "a PAM header with WIDTH, HEIGHT, DEPTH, MAXVAL, TUPLTYPE and ENDHDR",
                 word.empty() ? "its end" : fmt::format("'{}'", printable(word, 20)), "take another copy");
    }
  }
  header.has_alpha = type.ends_with("_ALPHA");
  if (header.width == 0 || header.height == 0 || header.n_channels == 0) {
    fail_image(ErrorKind::Format, path, "a PAM header with WIDTH, HEIGHT and DEPTH", "one without",
               "take another copy");
  }
}

PnmHeader read_header(const ReadHandle& file, const std::string& path) {
  std::string head(static_cast<std::size_t>(std::min(file.size(), kMaxHeaderBytes)), '\0');
  file.read_at(0, head.data(), head.size());
  PnmHeader header;
  header.kind = head[1];
  Words words(head, 2);
  if (header.kind == '7') {
    read_pam(words, path, header);
  } else {
    header.width = to_number(words.next(), 1, kMaxImageSide, "a width", path);
    header.height = to_number(words.next(), 1, kMaxImageSide, "a height", path);
    header.n_channels = header.kind == '3' || header.kind == '6' || header.kind == 'F' ? 3 : 1;
    if (header.is_float()) {
      const std::string scale = words.next();
      header.is_little_endian = std::atof(scale.c_str()) < 0;
    } else if (header.kind != '1' && header.kind != '4') {
      header.maximum = to_number(words.next(), 1, 65535, "a maximum", path);
    }
  }
  header.pixels_at = words.position() + 1;  // one blank
  return header;
}

std::vector<unsigned char> read_pixels(const ReadHandle& file, const std::string& path, const PnmHeader& header) {
  const auto n = static_cast<uint64_t>(header.row_bytes() * header.height);
  return read_image_bytes(file, path, header.pixels_at, n, fmt::format("{} bytes of pixels", n));
}

/// Integers into an Image of 8 or 16 bits, in the file's order.
class Target {
 public:
  Target(Image& image, int64_t maximum, const std::string& path) : image_(image), maximum_(maximum), path_(path) {}
  void put(int64_t value) {
    if (value > maximum_) {
      fail_image(ErrorKind::Format, path_, fmt::format("values of at most {}, as its header says", maximum_),
                 fmt::format("{}", value), "take another copy");
    }
    const bool is_byte = image_.type() == PixelType::U8;
    const int64_t most = is_byte ? 255 : 65535;
    const auto scaled = static_cast<uint16_t>((2 * value * most + maximum_) / (2 * maximum_));
    if (is_byte) {
      image_.data()[at_] = static_cast<std::byte>(scaled);
    } else {
      std::memcpy(image_.data() + 2 * at_, &scaled, 2);
    }
    ++at_;
  }

 private:
  Image& image_;
  int64_t maximum_;
  const std::string& path_;
  std::size_t at_ = 0;
};

void read_text(const ReadHandle& file, const std::string& path, const PnmHeader& header, Image& image) {
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read_at(0, text.data(), text.size());
  Words words(text, static_cast<std::size_t>(std::min<uint64_t>(header.pixels_at, text.size())));
  Target target(image, header.maximum, path);
  const int64_t n = header.width * header.height * header.n_channels;
  for (int64_t i = 0; i < n; ++i) {
    if (words.at_end()) {
      fail_image(ErrorKind::Format, path, fmt::format("{} values", n), fmt::format("{}", i),
                 "it is truncated, so take another copy");
    }
    if (header.kind == '1') {
      target.put(words.next_digit() == '0' ? 1 : 0);  // 1 is black
    } else {
      target.put(to_number(words.next(), 0, 65535, "values", path));
    }
  }
}

void read_integers(const std::vector<unsigned char>& bytes, const std::string& path, const PnmHeader& header,
                   Image& image) {
  Target target(image, header.maximum, path);
  const unsigned char* at = bytes.data();
  for (int64_t y = 0; y < header.height; ++y, at += header.row_bytes()) {
    for (int64_t i = 0; i < header.width * header.n_channels; ++i) {
      if (header.is_bits()) {
        target.put((at[i / 8] >> (7 - i % 8) & 1) == 0 ? 1 : 0);
      } else {
        target.put(header.maximum > 255 ? at[2 * i] << 8 | at[2 * i + 1] : at[i]);
      }
    }
  }
}

/// From the bottom row up.
void read_floats(const std::vector<unsigned char>& bytes, const PnmHeader& header, Image& image) {
  const bool is_native = header.is_little_endian == (std::endian::native == std::endian::little);
  for (int64_t y = 0; y < header.height; ++y) {
    std::byte* row = image.row(static_cast<int>(header.height - 1 - y));
    std::memcpy(row, bytes.data() + y * header.row_bytes(), static_cast<std::size_t>(header.row_bytes()));
    for (int64_t i = 0; !is_native && i < header.width * header.n_channels; ++i) {
      std::reverse(row + 4 * i, row + 4 * i + 4);
    }
  }
}

}  // namespace

ImageFileInfo read_pnm_info(const ReadHandle& file, const std::string& path) {
  const PnmHeader header = read_header(file, path);
  ImageFileInfo info;
  info.format = "pnm";
  info.width = static_cast<int>(header.width);
  info.height = static_cast<int>(header.height);
  info.n_channels = static_cast<int>(header.n_channels);
  info.type = header.is_float() ? PixelType::F32 : header.maximum > 255 ? PixelType::U16 : PixelType::U8;
  info.source_type = header.is_float() ? "float" : header.maximum > 255 ? "uint16" : "uint8";
  info.tags.color_space = header.is_float() ? "Linear" : "Rec709";
  if (info.n_channels % 2 == 0) {
    info.tags.alpha = header.has_alpha ? AlphaKind::Straight : AlphaKind::None;
  }
  const auto end = header.pixels_at + static_cast<uint64_t>(header.row_bytes() * header.height);
  if (!header.is_text() && end + 8 < file.size()) {
    char next = 0;
    file.read_at(end, &next, 1);
    if (next == 'P') {
      info.notes.emplace_back("the first of several pictures in the file is read");
    }
  }
  return info;
}

Image read_pnm(const ReadHandle& file, const std::string& path, const ImageFileInfo& info) {
  const PnmHeader header = read_header(file, path);
  std::vector<unsigned char> bytes;
  if (header.is_text()) {
    // A value takes a character at least.
    if (static_cast<uint64_t>(header.width * header.height * header.n_channels) > file.size()) {
      fail_image(ErrorKind::Format, path, "a character for each value", fmt::format("a file of {} bytes", file.size()),
                 "it is truncated, so take another copy");
    }
  } else {
    bytes = read_pixels(file, path, header);
  }
  Image image(info.width, info.height, info.n_channels, info.type);
  if (header.is_text()) {
    read_text(file, path, header, image);
  } else if (header.is_float()) {
    read_floats(bytes, header, image);
  } else {
    read_integers(bytes, path, header, image);
  }
  image.tags = info.tags;
  return image;
}

}  // namespace loe
