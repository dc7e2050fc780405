#include "loe/io/onnx_features.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/io_test_helpers.h"
#include "io/sha256.h"
#include "test_paths.h"

namespace loe {
namespace {

/// Committed with the script that makes them, tests/io/onnx/make_onnx.py.
std::string network(const std::string& name) {
  return std::string(kConfigs) + "/../tests/io/onnx/" + name;
}

#define LOE_NEEDS_ONNX() \
  if (!onnx_is_built_in()) GTEST_SKIP() << "built without OpenCV"

OnnxFeaturesOptions options_of_size(int input_size) {
  OnnxFeaturesOptions options;
  options.input_size = input_size;
  options.n_threads = 1;
  return options;
}

/// n pictures of `resolution`: any values, none like its neighbours.
std::vector<float> make_pictures(std::size_t n, int resolution) {
  std::vector<float> values(n * static_cast<std::size_t>(resolution * resolution * 3));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 101) / 128.0F;
  return values;
}

TEST(Sha256, EqualsTheStandardsExamples) {
  const auto of = [](const std::string& text) {
    return sha256({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
  };
  // FIPS 180-4's examples; the last with a tail of 64 bytes, which needs a second block, checked with sha256sum.
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(OnnxFeatures, AffineMapOfTheMeanColour) {
  LOE_NEEDS_ONNX();
  OnnxFeaturesOptions options = options_of_size(4);
  options.batch = 2;
  OnnxFeatures features(network("mean.onnx"), options);
  EXPECT_EQ(features.info().sha256, "3a35245f8d720ee5836c766d40fa231d40bc152c7ca1ee503147589a88be5b78");
  EXPECT_EQ(features.n_features(), 0);
  const std::vector<float> pictures = make_pictures(5, 4);
  const std::vector<float> found = features.features(pictures, 4);
  ASSERT_EQ(found.size(), 10U);
  EXPECT_EQ(features.n_features(), 2);
  for (std::size_t i = 0; i < 5; ++i) {
    double mean[3] = {0, 0, 0};
    for (std::size_t k = 0; k < 48; ++k) mean[k % 3] += (2.0 * pictures[i * 48 + k] - 1) / 16;
    // 16 values up to 7, single precision: 16 * 7 * 6e-8.
    EXPECT_NEAR(found[i * 2], mean[0] + 2 * mean[1] + 4 * mean[2] + 0.25, 7e-6);
    EXPECT_NEAR(found[i * 2 + 1], -mean[1] + 0.5 * mean[2] - 0.5, 7e-6);
  }
  // One at a time, or another layer of the same name.
  EXPECT_EQ(features.features(std::span(pictures).first(48), 4), std::vector<float>(found.begin(), found.begin() + 2));
  options.output_layer = "pool";  // [n, 2, 1, 1]
  OnnxFeatures pooled(network("mean.onnx"), options);
  EXPECT_EQ(pooled.features(pictures, 4), found);
}

TEST(OnnxFeatures, EightBitsAreValuesOver255) {
  LOE_NEEDS_ONNX();
  OnnxFeaturesOptions options = options_of_size(4);
  options.low = 0;
  options.high = 255;
  OnnxFeatures features(network("pixels.onnx"), options);
  std::vector<uint8_t> picture(48);
  for (std::size_t i = 0; i < 48; ++i) picture[i] = static_cast<uint8_t>(i * 5);
  const std::vector<float> found = features.features(picture, 4);
  ASSERT_EQ(found.size(), 48U);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t k = 0; k < 16; ++k) EXPECT_NEAR(found[c * 16 + k], picture[k * 3 + c], 255 * 1.2e-7);
  }
}

TEST(OnnxFeatures, ResizesAsStated) {
  LOE_NEEDS_ONNX();
  for (const FeatureResize resize : {FeatureResize::Bilinear, FeatureResize::BilinearCorner}) {
    for (const int resolution : {1, 2, 3, 4, 7, 9}) {
      OnnxFeaturesOptions options = options_of_size(4);
      options.resize = resize;
      options.low = -2;
      options.high = 3;
      OnnxFeatures features(network("pixels.onnx"), options);
      const std::vector<float> picture = make_pictures(1, resolution);
      const std::vector<float> found = features.features(picture, resolution);
      const double shift = resize == FeatureResize::Bilinear ? 0.5 : 0;
      // A tent over all pixels of each axis, of a place clamped to their centres.
      const auto weight = [&](int j, int pixel) {
        const double place = std::clamp((j + shift) * resolution / 4 - shift, 0.0, resolution - 1.0);
        return std::max(0.0, 1 - std::abs(place - pixel));
      };
      for (int c = 0; c < 3; ++c) {
        for (int j = 0; j < 4; ++j) {
          for (int i = 0; i < 4; ++i) {
            double sum = 0;
            for (int y = 0; y < resolution; ++y) {
              for (int x = 0; x < resolution; ++x) {
                sum += weight(j, y) * weight(i, x) * picture[static_cast<std::size_t>((y * resolution + x) * 3 + c)];
              }
            }
            ASSERT_NEAR(found[static_cast<std::size_t>((c * 4 + j) * 4 + i)], -2 + 5 * sum, 5e-6)
                << to_string(resize) << " " << resolution;
          }
        }
      }
    }
  }
}

TEST(OnnxFeatures, BrokenAndUnfitFilesAreOneLine) {
  LOE_NEEDS_ONNX();
  const TempFolder folder;
  const std::string whole = read_bytes(network("mean.onnx"));
  const auto refused = [&](ErrorKind kind, const std::string& part, const std::string& path,
                           const OnnxFeaturesOptions& options) {
    testing::internal::CaptureStderr();
    expect_error(kind, part, [&] {
      OnnxFeatures features(path, options);
      static_cast<void>(features.features(make_pictures(2, 4), 4));
    });
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "the library prints nothing";
  };
  const OnnxFeaturesOptions options = options_of_size(4);
  refused(ErrorKind::NotFound, "missing.onnx", folder.file("missing.onnx"), options);
  write_bytes(folder.file("empty.onnx"), "");
  refused(ErrorKind::Format, "an empty file", folder.file("empty.onnx"), options);
  write_bytes(folder.file("text.onnx"), "no network at all\n");
  refused(ErrorKind::Format, "text.onnx: expected an ONNX network", folder.file("text.onnx"), options);
  write_bytes(folder.file("half.onnx"), whole.substr(0, whole.size() / 2));
  refused(ErrorKind::Format, "half.onnx: expected an ONNX network", folder.file("half.onnx"), options);
  std::string odd = whole;
  odd.replace(odd.find("GlobalAveragePool"), 17, "GlobalAveragePuul");
  write_bytes(folder.file("odd.onnx"), odd);
  refused(ErrorKind::Format, "odd.onnx: expected an ONNX network", folder.file("odd.onnx"), options);
  OnnxFeaturesOptions layer = options;
  layer.output_layer = "nothing";
  refused(ErrorKind::Format, "a layer 'nothing'", network("mean.onnx"), layer);
  layer.output_layer = "mix";
  refused(ErrorKind::Format, "expected an output of 2 x F numbers, got [2, 2, 4, 4]", network("mean.onnx"), layer);
}

TEST(OnnxFeatures, RefusesOptionsAndShapes) {
  LOE_NEEDS_ONNX();
  const auto refused = [&](OnnxFeaturesOptions options) {
    expect_error(ErrorKind::InvalidArgument, "[onnx] input_size",
                 [&] { OnnxFeatures features(network("mean.onnx"), options); });
  };
  OnnxFeaturesOptions options = options_of_size(0);
  refused(options);
  options = options_of_size(4);
  options.batch = 0;
  refused(options);
  options = options_of_size(4);
  options.low = options.high;
  refused(options);
  OnnxFeatures features(network("mean.onnx"), options_of_size(4));
  expect_error(ErrorKind::InvalidArgument, "a multiple of 48 values, got 47",
               [&] { features.features(std::vector<float>(47), 4); });
  expect_error(ErrorKind::InvalidArgument, "resolution", [&] { features.features(std::vector<float>(48), 0); });
  EXPECT_TRUE(features.features(std::vector<float>(), 4).empty());
}

TEST(OnnxFeatures, ABuildWithoutOpenCvSaysWhatToInstall) {
  if (onnx_is_built_in()) GTEST_SKIP() << "built with OpenCV";
  expect_error(ErrorKind::Unsupported, "install libopencv-dnn-dev",
               [] { OnnxFeatures features(network("mean.onnx")); });
}

}  // namespace
}  // namespace loe
