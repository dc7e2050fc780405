#include "io/text.h"

namespace loe {

std::string printable(std::string_view text, std::size_t max_length) {
  std::string shown;
  if (text.size() > max_length) {
    const std::size_t head = max_length / 2;
    shown = std::string(text.substr(0, head)) + "..." + std::string(text.substr(text.size() - (max_length - head)));
  } else {
    shown = std::string(text);
  }
  for (char& c : shown) {
    if (c < 0x20 || c > 0x7E) {
      c = '?';
    }
  }
  return shown;
}

}  // namespace loe
