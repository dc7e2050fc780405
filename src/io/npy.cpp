#include "io/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <string_view>

#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeaderBytes = 65536;
constexpr std::size_t kMaxDims = 8;
constexpr const char* kConvert = "save it with numpy.save as a uint8, uint16, float32 or float64 array in C order";

/// The file as messages name it.
struct Origin {
  const std::string& part;
  const std::string& path;
};

[[noreturn]] void fail_npy(ErrorKind kind, const Origin& origin, const std::string& expected, const std::string& found,
                           const std::string& remedy) {
  throw Error(kind, fmt::format("[{}] {}: expected {}, got {}; {}", origin.part, origin.path, expected, found, remedy));
}

[[noreturn]] void fail_header(const Origin& origin, const std::string& expected, const std::string& found) {
  fail_npy(ErrorKind::Format, origin, expected, found, "it is damaged, so take another copy");
}

/// A Python dictionary with the three keys of the format, nothing else.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const Origin& origin) : text_(text), origin_(origin) {}

  void parse(NpyHeader& header, bool& fortran_order) {
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = parse_text();
      expect(':');
      const std::size_t which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3 || seen[which]) {
        fail_header(origin_, "the keys descr, fortran_order and shape once each", fmt::format("'{}'", printable(key)));
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
      fail_header(origin_, "the keys descr, fortran_order and shape", "fewer");
    }
    skip_space();
    if (position_ != text_.size()) {
      fail_at("the end of the header");
    }
  }

 private:
  [[noreturn]] void fail_at(const std::string& expected) const {
    fail_header(origin_, fmt::format("{} at byte {} of its header", expected, position_),
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
  const Origin& origin_;
  std::size_t position_ = 0;
};

/// The file must hold exactly the values that the shape has.
void require_size(const NpyHeader& header, uint64_t file_size, const Origin& origin) {
  const auto n_data = static_cast<double>(file_size - header.data_offset);
  double n_bytes = npy_value_bytes(header.dtype);  // a product of any shape is a double without overflow
  for (const int64_t n : header.shape) {
    n_bytes *= static_cast<double>(n);
  }
  if (n_bytes == 0) {
    fail_npy(ErrorKind::Format, origin, "at least one value", "an empty array", "take another copy");
  }
  // Files are smaller than 2^53 bytes, so equality of doubles is exact.
  if (n_bytes != n_data) {
    fail_npy(ErrorKind::Format, origin, fmt::format("{:.0f} bytes of values, as its shape says", n_bytes),
             fmt::format("{:.0f}", n_data), "it is damaged or truncated, so take another copy");
  }
}

template <typename Value>
Value value_at(const std::byte* bytes) {
  Value value{};
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// Values are copied as they are in memory.
static_assert(std::endian::native == std::endian::little, "src/io/npy.cpp: swap the bytes of values on this machine");

}  // namespace

int npy_value_bytes(const std::string& dtype) {
  return dtype == "u1" ? 1 : dtype == "<u2" ? 2 : dtype == "<f4" ? 4 : 8;
}

NpyHeader read_npy_header(const ReadHandle& file, const std::string& path, const std::string& part) {
  const Origin origin{part, path};
  unsigned char head[12] = {};
  constexpr std::size_t kVersion = 6;
  const std::size_t n_read = static_cast<std::size_t>(std::min<uint64_t>(file.size(), sizeof(head)));
  file.read_at(0, head, n_read);
  if (n_read < kMagic.size() || std::memcmp(head, kMagic.data(), kMagic.size()) != 0) {
    fail_npy(ErrorKind::Format, origin, "a NumPy array (.npy)", "something else", kConvert);
  }
  const int version = head[kVersion];
  const std::size_t prefix = version == 1 ? 10 : 12;
  if (n_read < prefix) {
    fail_header(origin, "a header", fmt::format("a file of {} bytes", file.size()));
  }
  if ((version != 1 && version != 2) || head[kVersion + 1] != 0) {
    fail_npy(ErrorKind::Unsupported, origin, "an .npy file of version 1.0 or 2.0",
             fmt::format("{}.{}", version, head[kVersion + 1]), kConvert);
  }
  uint64_t n_bytes = head[8] | static_cast<uint64_t>(head[9]) << 8;
  if (version == 2) {
    n_bytes |= static_cast<uint64_t>(head[10]) << 16 | static_cast<uint64_t>(head[11]) << 24;
  }
  if (n_bytes > kMaxHeaderBytes || n_bytes > file.size() - prefix) {
    fail_header(origin, fmt::format("a header of at most {} bytes inside the file", kMaxHeaderBytes),
                fmt::format("{} in a file of {}", n_bytes, file.size()));
  }
  std::string text(static_cast<std::size_t>(n_bytes), '\0');
  file.read_at(prefix, text.data(), text.size());

  NpyHeader header;
  bool fortran_order = false;
  HeaderParser(text, origin).parse(header, fortran_order);
  header.data_offset = prefix + n_bytes;
  if (header.dtype == "|u1" || header.dtype == "<u1" || header.dtype == "=u1") {
    header.dtype = "u1";
  }
  const bool known = header.dtype == "u1" || header.dtype == "<u2" || header.dtype == "<f4" || header.dtype == "<f8";
  if (!known || fortran_order) {
    fail_npy(ErrorKind::Unsupported, origin, "dtype u1, <u2, <f4 or <f8 in C order",
             known ? "Fortran order" : fmt::format("'{}'", printable(header.dtype)), kConvert);
  }
  require_size(header, file.size(), origin);
  return header;
}

std::vector<double> read_npy_values(const ReadHandle& file, const NpyHeader& header) {
  const auto value_bytes = static_cast<std::size_t>(npy_value_bytes(header.dtype));
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size() - header.data_offset));
  file.read_at(header.data_offset, bytes.data(), bytes.size());
  std::vector<double> values(bytes.size() / value_bytes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::byte* const at = bytes.data() + i * value_bytes;
    if (header.dtype == "u1") {
      values[i] = static_cast<double>(*at);
    } else if (header.dtype == "<u2") {
      values[i] = value_at<uint16_t>(at);
    } else if (header.dtype == "<f4") {
      values[i] = static_cast<double>(value_at<float>(at));
    } else {
      values[i] = value_at<double>(at);
    }
  }
  return values;
}

std::string npy_header(const std::string& dtype, const std::vector<int64_t>& shape) {
  constexpr std::size_t kBytes = 128;
  std::string text =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", dtype, fmt::join(shape, ", "));
  text.resize(kBytes - kMagic.size() - 4 - 1, ' ');
  const auto n_bytes = static_cast<char>(text.size() + 1);
  return std::string(kMagic) + std::string{1, 0, n_bytes, 0} + text + "\n";
}

}  // namespace loe
