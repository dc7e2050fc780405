// Our own walk over PNG chunks and JPEG markers, which runs before any decoder. The decoders have fuzz targets of their
// own elsewhere.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/file_handle.h"
#include "io/image_formats.h"
#include "loe/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const loe::ImageFormat* format = loe::format_of_content({data, std::min<std::size_t>(size, 32)});
  if (format == nullptr) {
    return 0;
  }
  const int fd = ::memfd_create("picture", 0);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  for (const bool whole : {false, true}) {
    try {
      const loe::ReadHandle file("/proc/self/fd/" + std::to_string(fd));
      loe::check_content(*format, file, "fuzz", whole);
    } catch (const loe::Error&) {
    }
  }
  ::close(fd);
  return 0;
}
