#include "loe/backend/pixel_samples.h"

#include <atomic>

namespace loe {

uint64_t new_signal_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace loe
