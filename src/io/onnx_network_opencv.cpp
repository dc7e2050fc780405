// ONNX files through OpenCV's dnn module, on the CPU: the only place that knows OpenCV.
#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>

#include "io/onnx_network.h"
#include "io/text.h"
#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "loe/io/onnx_features.h"

namespace loe {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& expected, const std::string& found,
                       const std::string& remedy) {
  throw Error(ErrorKind::Format, fmt::format("[onnx] {}: expected {}, got {}; {}", path, expected, found, remedy));
}

/// OpenCV's "OpenCV(4.6.0) ./file.cpp:81: error: (-215:Assertion failed) what it was in function 'f'" without the
/// place.
std::string reason_of(const std::exception& error) {
  const std::string text = error.what();
  const std::size_t at = text.find("error: ");
  return printable(at == std::string::npos ? text : text.substr(at + 7), 200);
}

/// Runs action(); whatever OpenCV throws becomes an Error.
template <typename Action>
auto guarded(const std::string& path, const char* expected, const Action& action) {
  try {
    return action();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::OutOfMemory,
                fmt::format("[onnx] {}: expected memory for the network, got none; use a smaller batch", path));
  } catch (const std::exception& error) {  // cv::Exception is one
    fail(path, expected, reason_of(error), "export it again with fixed sizes and operators that OpenCV knows");
  }
}

class OpenCvNetwork final : public OnnxNetwork {
 public:
  OpenCvNetwork(std::span<const unsigned char> bytes, const std::string& path, const std::string& output_layer)
      : path_(path) {
    if (bytes.empty()) fail(path_, "an ONNX network", "an empty file", "take another copy");
    guarded(path_, "an ONNX network that OpenCV reads", [&] {
      net_ = cv::dnn::readNetFromONNX(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (net_.empty() || net_.getLayerNames().empty()) fail(path_, "a network", "no layers", "take another copy");
      net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
      net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
      output_ = output_layer.empty() ? net_.getLayerNames().back() : find_layer(output_layer);
    });
  }

  std::vector<float> forward(std::vector<float>& input, int n, int size, std::vector<int64_t>& shape) override {
    const int sides[] = {n, 3, size, size};
    return guarded(path_, "a network that takes such pictures", [&] {
      net_.setInput(cv::Mat(4, sides, CV_32F, input.data()));
      const cv::Mat output = net_.forward(output_);
      shape.assign(output.size.p, output.size.p + output.dims);
      if (output.type() != CV_32F || !output.isContinuous()) {
        fail(path_, "an output of 32-bit floats", "another type", "name another output layer");
      }
      const float* values = output.ptr<float>();
      return std::vector<float>(values, values + output.total());
    });
  }

 private:
  /// OpenCV writes a node's name as "onnx_node!name": both are taken.
  std::string find_layer(const std::string& wanted) const {
    const std::vector<std::string> names = net_.getLayerNames();
    const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      return name == wanted || name.ends_with("!" + wanted);
    });
    if (found != names.end()) return *found;
    std::string last;
    for (std::size_t i = names.size() - std::min<std::size_t>(names.size(), 3); i < names.size(); ++i) {
      last += (last.empty() ? "" : ", ") + printable(names[i]);
    }
    fail(path_, fmt::format("a layer '{}'", printable(wanted)), fmt::format("{} others", names.size()),
         fmt::format("the last are: {}", last));
  }

  std::string path_;
  cv::dnn::Net net_;
  std::string output_;
};

}  // namespace

bool onnx_is_built_in() {
  return true;
}

void require_onnx(const std::string&) {}

std::unique_ptr<OnnxNetwork> open_onnx_network(std::span<const unsigned char> bytes, const std::string& path,
                                               const std::string& output_layer, int n_threads) {
  // The library prints nothing, and this would write its reasons for a broken file to stderr.
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  cv::setNumThreads(n_threads == 0 ? n_usable_cores() : n_threads);
  return std::make_unique<OpenCvNetwork>(bytes, path, output_layer);
}

}  // namespace loe
