// Apart from registry.cpp: a program that runs no convolution does not load oneDNN.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "loe/backend/backend.h"
#include "loe/backend/conv_net.h"
#include "loe/base/error.h"

namespace loe {

std::unique_ptr<ConvExecutor> compile_conv(const std::string& device, const ConvNetSpec& spec, int n_threads) {
  if (device == "auto" || device == "cpu") {
    return compile_onednn_conv(spec, n_threads);
  }
  if (device == "reference") {
    return compile_reference_conv(spec);
  }
  throw Error(ErrorKind::Unsupported, fmt::format("[backend] device: expected one of auto, {}, got \"{}\"",
                                                  fmt::join(available_devices(), ", "), device));
}

}  // namespace loe
