// What a file is that we do not read: in words, with what to do about it.
#pragma once

#include <span>
#include <string>

namespace loe {

struct ForeignContent {
  std::string what;    ///< "a JPEG XL picture", "sound (MP3)"; empty: unknown
  std::string remedy;  ///< "convert it to PNG first"
};

/// By the first bytes of a file, 512 or all.
ForeignContent foreign_content(std::span<const unsigned char> head);

}  // namespace loe
