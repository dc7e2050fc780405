#include "loe/base/random.h"

#include <Random123/philox.h>

namespace loe {

std::array<uint32_t, 4> random_words(uint64_t seed, RandomStream stream, uint64_t counter, uint32_t lane) {
  const r123::Philox4x32::ctr_type position = {
      {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), lane, static_cast<uint32_t>(stream)}};
  const r123::Philox4x32::key_type key = {{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}};
  const r123::Philox4x32::ctr_type words = r123::Philox4x32()(position, key);
  return {words[0], words[1], words[2], words[3]};
}

}  // namespace loe
