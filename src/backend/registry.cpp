#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/enum_names.h"
#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr detail::EnumNames<Precision, 4> kPrecisionNames = {{
    {Precision::F32, "f32"},
    {Precision::Mixed, "mixed"},
    {Precision::Bf16, "bf16"},
    {Precision::Tf32, "tf32"},
}};

}  // namespace

const char* to_string(Precision precision) {
  return detail::enum_name(kPrecisionNames, precision);
}

Precision precision_from_string(const std::string& text) {
  return detail::enum_value(kPrecisionNames, text, "[backend] precision");
}

const Backend& find_backend(const std::string& device) {
  if (device == "cuda" || (device == "auto" && why_no_cuda().empty())) {
    return cuda_backend();
  }
  if (device == "auto" || device == "cpu") {
    return cpu_backend();
  }
  if (device == "reference") {
    return reference_backend();
  }
  throw Error(ErrorKind::Unsupported, fmt::format("[backend] device: expected one of auto, {}, got \"{}\"",
                                                  fmt::join(available_devices(), ", "), device));
}

std::vector<std::string> available_devices() {
  std::vector<std::string> devices = {"cpu", "reference"};
  if (why_no_cuda().empty()) {
    devices.insert(devices.begin() + 1, "cuda");
  }
  return devices;
}

}  // namespace loe
