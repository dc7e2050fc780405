// What all readers of pictures say when they cannot go on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file_handle.h"
#include "loe/base/error.h"

namespace loe {

/// Error "[image] <path>: expected ..., got ...; ...".
[[noreturn]] void fail_image(ErrorKind kind, const std::string& path, const std::string& expected,
                             const std::string& found, const std::string& remedy);

/// Error(Format): the file ends before what is expected.
[[noreturn]] void fail_truncated_image(const ReadHandle& file, const std::string& path, const std::string& expected);

/// Error(Format) for no pixels, Error(Unsupported) for sides beyond kMaxImageSide.
void check_image_sides(int64_t width, int64_t height, const std::string& path);

/// n bytes from `offset`; fail_truncated_image(expected) if the file ends before.
std::vector<unsigned char> read_image_bytes(const ReadHandle& file, const std::string& path, uint64_t offset,
                                            uint64_t n, const std::string& expected);

}  // namespace loe
