#include "io/image_errors.h"

#include <fmt/format.h>

#include "loe/signal/image.h"

namespace loe {

void fail_image(ErrorKind kind, const std::string& path, const std::string& expected, const std::string& found,
                const std::string& remedy) {
  throw Error(kind, fmt::format("[image] {}: expected {}, got {}; {}", path, expected, found, remedy));
}

void fail_truncated_image(const ReadHandle& file, const std::string& path, const std::string& expected) {
  fail_image(ErrorKind::Format, path, expected, fmt::format("the end of the file at byte {}", file.size()),
             "it is truncated, so take another copy");
}

void check_image_sides(int64_t width, int64_t height, const std::string& path) {
  if (width < 1 || height < 1) {
    fail_image(ErrorKind::Format, path, "at least one pixel", fmt::format("{} x {}", width, height),
               "take another copy");
  }
  if (width > kMaxImageSide || height > kMaxImageSide) {
    fail_image(ErrorKind::Unsupported, path, fmt::format("sides of at most {} pixels", kMaxImageSide),
               fmt::format("{} x {}", width, height), "crop or resize it first");
  }
}

std::vector<unsigned char> read_image_bytes(const ReadHandle& file, const std::string& path, uint64_t offset,
                                            uint64_t n, const std::string& expected) {
  if (offset > file.size() || n > file.size() - offset) {
    fail_truncated_image(file, path, expected);
  }
  std::vector<unsigned char> bytes(static_cast<std::size_t>(n));
  file.read_at(offset, bytes.data(), bytes.size());
  return bytes;
}

}  // namespace loe
