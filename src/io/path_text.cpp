// Names that are no UTF-8, and names for what is made of them: include/loe/io/file.h.
#include <fmt/format.h>

#include <cctype>
#include <string_view>

#include "loe/io/file.h"

namespace loe {
namespace {

constexpr std::string_view kScheme = "file:";

/// Bytes of the character that begins at text[i]; 0 if there is none of UTF-8 (RFC 3629: no surrogates, no overlong
/// forms).
std::size_t character_bytes(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const unsigned first = byte(i);
  const std::size_t n = first < 0x80   ? 1
                        : first < 0xC2 ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  for (std::size_t k = 1; k < n; ++k) {
    if ((byte(i + k) & 0xC0U) != 0x80) return 0;
  }
  const bool is_overlong = (first == 0xE0 && byte(i + 1) < 0xA0) || (first == 0xF0 && byte(i + 1) < 0x90);
  const bool is_beyond = (first == 0xED && byte(i + 1) >= 0xA0) || (first == 0xF4 && byte(i + 1) >= 0x90);
  return is_overlong || is_beyond ? 0 : n;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = character_bytes(text, i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

std::string path_to_text(const std::string& path) {
  if (is_utf8(path) && !path.starts_with(kScheme)) return path;
  std::string text(kScheme);
  if (path.starts_with('/')) text += "//";
  for (const char c : path) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 0x80;
    if (is_plain || std::string_view("/-._~").find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

std::string path_from_text(const std::string& text) {
  if (!text.starts_with(kScheme)) return text;
  std::string_view rest = std::string_view(text).substr(kScheme.size());
  if (rest.starts_with("//localhost/")) rest.remove_prefix(11);
  if (rest.starts_with("///")) rest.remove_prefix(2);
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const int high = rest[i] == '%' && i + 2 < rest.size() ? hex_digit(rest[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(rest[i + 2]) : -1;
    if (low >= 0) {
      path += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      path += rest[i];
    }
  }
  return path;
}

std::string safe_name(const std::string& name) {
  constexpr std::size_t kMaxBytes = 200;
  std::string safe;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t n = character_bytes(name, i);
    const auto c = static_cast<unsigned char>(name[i]);
    const std::string character = n == 0 || c < 0x20 || c == 0x7F || c == '/' ? "_" : name.substr(i, n);
    i += n == 0 ? 1 : n;
    if (safe.empty() && character == ".") continue;
    if (safe.size() + character.size() > kMaxBytes) break;
    safe += character;
  }
  return safe.empty() ? "run" : safe;
}

}  // namespace loe
