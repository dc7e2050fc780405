#include "io/oiio_setup.h"

#include <OpenImageIO/imageio.h>

#include "io/text.h"
#include "loe/base/thread_pool.h"

namespace loe {

void set_up_oiio() {
  static const bool done = [] {
    OIIO::attribute("threads", n_usable_cores());
    OIIO::attribute("exr_threads", n_usable_cores());
    return true;
  }();
  static_cast<void>(done);
}

std::string oiio_message(const std::string& message) {
  const std::string line = message.substr(0, message.find('\n'));
  return line.empty() ? "no reason given" : printable(line, 160);
}

}  // namespace loe
