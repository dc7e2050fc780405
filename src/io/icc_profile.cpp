#include "io/icc_profile.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace loe {
namespace {

constexpr std::size_t kMaxCharacters = 100;

/// Reads that never leave the profile: 0 and "" beyond its end.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  uint64_t number(uint64_t at, std::size_t n) const {
    uint64_t value = 0;
    for (std::size_t i = 0; i < n; ++i) {
      value = value << 8 | (at + i < bytes_.size() ? static_cast<unsigned char>(bytes_[at + i]) : 0U);
    }
    return value;
  }
  std::string_view text(uint64_t at, uint64_t n) const {
    if (at >= bytes_.size()) return {};
    return bytes_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(std::min<uint64_t>(n, bytes_.size())));
  }

 private:
  std::string_view bytes_;
};

void append_utf8(uint32_t code, std::string& text) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// UTF-16BE of n bytes up to its first 0; what lies beyond the basic plane becomes '?'.
std::string from_utf16(const Bytes& bytes, uint64_t at, uint64_t n) {
  std::string text;
  for (uint64_t i = 0; i + 1 < n && i < 2 * kMaxCharacters; i += 2) {
    const auto code = static_cast<uint32_t>(bytes.number(at + i, 2));
    if (code == 0) break;
    append_utf8(code >= 0xD800 && code < 0xE000 ? '?' : code, text);
  }
  return text;
}

std::string description_at(const Bytes& bytes, uint64_t at) {
  const std::string_view type = bytes.text(at, 4);
  if (type == "mluc") {  // records of language, length and place; the first one
    return from_utf16(bytes, at + bytes.number(at + 24, 4), bytes.number(at + 20, 4));
  }
  if (type != "desc") return "";
  const std::string_view text = bytes.text(at + 12, std::min<uint64_t>(bytes.number(at + 8, 4), kMaxCharacters));
  return std::string(text.substr(0, text.find('\0')));
}

}  // namespace

std::string icc_description(const std::string& profile) {
  const Bytes bytes(profile);
  if (bytes.text(36, 4) != "acsp") return "";
  constexpr uint64_t kTable = 128;
  constexpr uint64_t kMaxTags = 256;
  const uint64_t n_tags = std::min(bytes.number(kTable, 4), kMaxTags);
  for (uint64_t i = 0; i < n_tags; ++i) {
    const uint64_t entry = kTable + 4 + 12 * i;
    if (bytes.text(entry, 4) == "desc") return description_at(bytes, bytes.number(entry + 4, 4));
  }
  return "";
}

}  // namespace loe
