// A build without a library that runs ONNX files.
#include <fmt/format.h>

#include "io/onnx_network.h"
#include "loe/base/error.h"
#include "loe/io/onnx_features.h"

namespace loe {

bool onnx_is_built_in() {
  return false;
}

void require_onnx(const std::string& path) {
  throw Error(ErrorKind::Unsupported,
              fmt::format("[onnx] {}: expected a build of loe that runs ONNX files, got one without OpenCV; install "
                          "libopencv-dnn-dev (Debian), then configure and build loe again",
                          path));
}

std::unique_ptr<OnnxNetwork> open_onnx_network(std::span<const unsigned char>, const std::string& path,
                                               const std::string&, int) {
  require_onnx(path);
  return nullptr;
}

}  // namespace loe
