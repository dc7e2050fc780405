// What we read of pictures ourselves: the walk over PNG chunks and JPEG markers that runs before any decoder, what
// files say outside their pixels, TIFF directories and their repair, channels, and all of BMP and PNM. The decoders of
// other formats have fuzz targets of their own elsewhere.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_handle.h"
#include "io/image_channels.h"
#include "io/image_formats.h"
#include "io/picture_facts.h"
#include "io/simple_pictures.h"
#include "io/tiff_directory.h"
#include "loe/base/error.h"

namespace {

using Read = void (*)(const loe::ImageFormat& format, const loe::ReadHandle& file);

void check_whole(const loe::ImageFormat& format, const loe::ReadHandle& file) {
  for (const bool whole : {false, true}) loe::check_content(format, file, "fuzz", whole);
}

void read_facts(const loe::ImageFormat& format, const loe::ReadHandle& file) {
  const loe::PictureFacts facts = loe::picture_facts(format, file, "fuzz");
  if (facts.n_frames < 1 || facts.orientation < 0 || facts.orientation > 8) std::abort();
  loe::is_heif_sequence(file);
}

/// A choice is of channels that are there, at most 4.
void check_choice(const loe::ChannelChoice& choice, std::size_t n_channels) {
  if (choice.indices.size() > 4) std::abort();
  for (const int index : choice.indices) {
    if (index < 0 || static_cast<std::size_t>(index) >= n_channels) std::abort();
  }
}

void read_directories(const loe::ImageFormat& format, const loe::ReadHandle& file) {
  if (std::string_view(format.name) != "tiff") return;
  const loe::TiffFile tiff = loe::read_tiff_directories(file, "fuzz");
  const int n_channels = static_cast<int>(std::clamp<uint32_t>(tiff.main().n_samples, 1, 64));
  const loe::ChannelChoice usual = loe::choose_tiff_channels(tiff.main(), n_channels);
  check_choice(usual, static_cast<std::size_t>(n_channels));
  const std::vector<std::string> names = loe::tiff_channel_names(tiff.main(), n_channels);
  std::string found;
  check_choice(loe::choose_asked_channels(names, "2, b,1", usual, found), names.size());
  const auto repaired = loe::repaired_tiff(file, tiff);
  if (repaired == nullptr) return;
  std::vector<unsigned char> bytes(64);
  for (std::size_t at = 0; at < repaired->size(); at += bytes.size() - 7) {
    if (repaired->pread(bytes.data(), bytes.size(), static_cast<int64_t>(at)) > bytes.size()) std::abort();
  }
}

void read_pixels(const loe::ImageFormat& format, const loe::ReadHandle& file) {
  const bool is_bmp = std::string_view(format.name) == "bmp";
  if (!is_bmp && std::string_view(format.name) != "pnm") return;
  const loe::ImageFileInfo info = is_bmp ? loe::read_bmp_info(file, "fuzz") : loe::read_pnm_info(file, "fuzz");
  constexpr int64_t kMaxPixels = 1 << 20;  // more is time, not a bug
  if (int64_t{info.width} * info.height > kMaxPixels) return;
  const loe::Image image = is_bmp ? loe::read_bmp(file, "fuzz", info) : loe::read_pnm(file, "fuzz", info);
  if (image.width() != info.width || image.height() != info.height || image.n_channels() != info.n_channels) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const loe::ImageFormat* format = loe::format_of_content({data, std::min<std::size_t>(size, 32)});
  if (format == nullptr) {
    return 0;
  }
  const int fd = ::memfd_create("picture", 0);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  for (const Read read : {check_whole, read_facts, read_directories, read_pixels}) {
    try {
      const loe::ReadHandle file("/proc/self/fd/" + std::to_string(fd));
      read(*format, file);
    } catch (const loe::Error&) {
    }
  }
  ::close(fd);
  return 0;
}
