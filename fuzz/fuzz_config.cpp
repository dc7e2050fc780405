// Config files and --set: no input may crash, and whatever parses must survive being written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "loe/base/error.h"
#include "loe/io/config_file.h"

namespace {

/// Our own output must be accepted, and mean the same.
void check_round_trip(const loe::Settings& settings) {
  try {
    const std::string written = loe::config_to_toml(settings);
    if (loe::config_to_toml(loe::parse_config(written, "written")) == written) {
      return;
    }
  } catch (const loe::Error& error) {
    std::fprintf(stderr, "refused: %s\n", error.what());
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    check_round_trip(loe::parse_config(text, "fuzz"));
  } catch (const loe::Error&) {
  }
  try {
    loe::Settings settings;
    loe::apply_override(settings, text);
    check_round_trip(settings);
  } catch (const loe::Error&) {
  }
  return 0;
}
