// Apart from registry.cpp: a program that runs no convolution does not load oneDNN.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "loe/backend/backend.h"
#include "loe/backend/conv_net.h"
#include "loe/base/error.h"

namespace loe {

std::unique_ptr<ConvExecutor> compile_conv(const std::string& device, const ConvNetSpec& spec, int n_threads) {
  if (device == "auto") {
    return compile_conv(conv_device(device).device, spec, n_threads);
  }
  if (device == "cpu") {
    return compile_onednn_conv(spec, n_threads);
  }
  if (device == "cuda") {
    return compile_cuda_conv(spec);
  }
  if (device == "reference") {
    return compile_reference_conv(spec);
  }
  throw Error(ErrorKind::Unsupported, fmt::format("[backend] device: expected one of auto, {}, got \"{}\"",
                                                  fmt::join(available_devices(), ", "), device));
}

ConvDevice conv_device(const std::string& device) {
  const bool is_for_cuda = (device == "auto" || device == "cuda") && why_no_cuda().empty();
  if (is_for_cuda && why_no_cuda_conv().empty()) {
    return {"cuda", ""};
  }
  if (is_for_cuda) {
    return {"cpu", why_no_cuda_conv()};
  }
  return {device == "auto" ? "cpu" : device, ""};
}

}  // namespace loe
