// SHA-256 (FIPS 180-4), to name a file by its content.
#pragma once

#include <span>
#include <string>

namespace loe {

/// 64 hexadecimal digits, as `sha256sum` prints them. About 0.3 GB/s.
std::string sha256(std::span<const unsigned char> bytes);

}  // namespace loe
