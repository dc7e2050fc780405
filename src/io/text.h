// Quoting text from hostile files for one-line messages.
#pragma once

#include <string>
#include <string_view>

namespace loe {

/// `text` on one line: bytes outside printable ASCII become '?', the middle of anything longer than max_length is
/// left out. Keeps terminal escapes and megabyte-long names of a hostile file out of messages.
std::string printable(std::string_view text, std::size_t max_length = 60);

}  // namespace loe
