// The seam between features and the library that runs ONNX files. onnx_network_opencv.cpp or onnx_network_none.cpp is
// compiled, as CMakeLists.txt decides.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace loe {

class OnnxNetwork {
 public:
  virtual ~OnnxNetwork() = default;
  /// input [n, 3, size, size] -> values of the output, and its shape. Errors name the file.
  virtual std::vector<float> forward(std::vector<float>& input, int n, int size, std::vector<int64_t>& shape) = 0;
};

/// Error(Unsupported) where nothing runs ONNX files.
void require_onnx(const std::string& path);

/// `path` is for messages; output_layer "": the last.
std::unique_ptr<OnnxNetwork> open_onnx_network(std::span<const unsigned char> bytes, const std::string& path,
                                               const std::string& output_layer, int n_threads);

}  // namespace loe
