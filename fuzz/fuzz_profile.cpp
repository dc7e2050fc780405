// The name of a colour profile.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/icc_profile.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxBytes = 300;  // 100 characters of 3
  const std::string name = loe::icc_description(std::string(reinterpret_cast<const char*>(data), size));
  if (name.size() > kMaxBytes || name.find('\0') != std::string::npos) std::abort();
  return 0;
}
