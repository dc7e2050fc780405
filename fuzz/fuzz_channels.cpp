// Which channels of an OpenEXR are read: names, one a line, of which the first line is what data.channels asks for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "io/image_channels.h"

namespace {

void check(const loe::ChannelChoice& choice, std::size_t n_channels) {
  if (choice.indices.size() > 4) std::abort();
  for (const int index : choice.indices) {
    if (index < 0 || static_cast<std::size_t>(index) >= n_channels) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxSize = 4096;
  if (size > kMaxSize) return 0;
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += static_cast<char>(data[i]);
    }
  }
  const std::string asked = lines.front();
  lines.erase(lines.begin());
  if (lines.empty()) return 0;
  const loe::ChannelChoice usual = loe::choose_exr_channels(lines);
  check(usual, lines.size());
  if (usual.indices.empty() && usual.example.empty()) std::abort();  // a message needs one
  std::string found;
  const loe::ChannelChoice chosen = loe::choose_asked_channels(lines, asked, usual, found);
  check(chosen, lines.size());
  if (chosen.indices.empty() == found.empty()) std::abort();
  return 0;
}
