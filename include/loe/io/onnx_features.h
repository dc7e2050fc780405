// Feature vectors of pictures from a network in an ONNX file, for the Frechet distance.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace loe {

/// Whether this build runs ONNX files (it found OpenCV's dnn module when it was configured).
bool onnx_is_built_in();

/// How pictures of another size than the network's are resized. It changes the distance by whole units: use the one
/// that goes with the network's published figures. No method widens its filter when shrinking (no antialiasing).
enum class FeatureResize {
  Bilinear,        ///< source place (j + 1/2) in / out - 1/2, clamped: PyTorch's interpolate(align_corners=False)
  BilinearCorner,  ///< source place j in / out, clamped: TensorFlow 1's resize_bilinear, as the first FID code had it
};
/// "bilinear", "bilinear_corner".
const char* to_string(FeatureResize resize);

struct OnnxFeaturesOptions {
  int input_size = 299;  ///< side of the square input, 1..4096
  FeatureResize resize = FeatureResize::Bilinear;
  float low = -1;            ///< the network's input for black (0)
  float high = 1;            ///< for white (1)
  std::string output_layer;  ///< name of the layer to read; "": the last one
  int batch = 8;             ///< pictures that go through the network at once, 1..1024
  int n_threads = 0;         ///< of OpenCV, a setting of the whole process; 0: all usable cores
};

/// What features depend on, besides the pictures. Part of a statistics file.
struct FeatureNetworkInfo {
  std::string sha256;  ///< of the file's bytes, as `sha256sum` prints it
  int input_size = 0;
  FeatureResize resize = FeatureResize::Bilinear;
  float low = 0;
  float high = 0;
  std::string output_layer;
  bool operator==(const FeatureNetworkInfo&) const = default;
};

/// A network with one input [N, 3, S, S] (RGB, planar) and an output [N, F] or [N, F, 1, 1]. One call at a time.
/// An ONNX file is a program of a kind, run by OpenCV: use only files that you trust.
class OnnxFeatures {
 public:
  /// Error(Unsupported) if this build has no OpenCV, naming the package; Error(NotFound), Error(Io); Error(Format) for
  /// a file that OpenCV cannot use or that lacks the output layer, one line with OpenCV's reason;
  /// Error(InvalidArgument) for options.
  explicit OnnxFeatures(const std::string& path, const OnnxFeaturesOptions& options = {});
  ~OnnxFeatures();
  OnnxFeatures(const OnnxFeatures&) = delete;
  OnnxFeatures& operator=(const OnnxFeatures&) = delete;

  const FeatureNetworkInfo& info() const;
  /// F; 0 before the first picture.
  int64_t n_features() const;

  /// pictures [n, R, R, 3], values in [0, 1] (not checked, not clipped), R = resolution in 1..4096 -> features [n, F].
  /// The input is low + (high - low) resized(picture), resized in float, not rounded.
  /// Error(Format) if the output has another shape, or F changes. 12 S^2 bytes per picture of a batch, and what the
  /// network needs.
  std::vector<float> features(std::span<const float> pictures, int resolution);
  /// The same for 8 bits, value / 255.
  std::vector<float> features(std::span<const uint8_t> pictures, int resolution);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace loe
