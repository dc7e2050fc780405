#include "loe/io/feature_statistics_file.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "io/io_test_helpers.h"
#include "loe/io/safetensors.h"

namespace loe {
namespace {

GaussianStatistics small_statistics() {
  // Thirds: not a float among them.
  return {12, {1.0 / 3, -2.0 / 3}, {1.0, 1.0 / 7, 1.0 / 7, 2.0 / 3}};
}

FeatureStatisticsSource small_source() {
  FeatureStatisticsSource source;
  source.network = {std::string(64, 'a'), 299, FeatureResize::Bilinear, -1, 1, ""};
  source.pictures_hash = 0x0123456789ABCDEFULL;
  source.resolution = 64;
  return source;
}

TEST(FeatureStatisticsFile, ComesBackBitForBit) {
  const TempFolder folder;
  const std::string path = folder.file("s.safetensors");
  write_feature_statistics(path, small_statistics(), small_source());
  const GaussianStatistics read = read_feature_statistics(path, small_source());
  EXPECT_EQ(read.count, 12);
  EXPECT_EQ(read.mean, small_statistics().mean);
  EXPECT_EQ(read.covariance, small_statistics().covariance);
  const TensorFile file = read_safetensors(path);
  EXPECT_EQ(file.metadata.at("format"), "loe-feature-statistics");
  EXPECT_EQ(file.metadata.at("pictures_hash"), "0123456789abcdef");
  EXPECT_EQ(file.metadata.at("resize"), "bilinear");
  EXPECT_EQ(file.metadata.at("input_low"), "-1");
}

TEST(FeatureStatisticsFile, RefusesStatisticsOfSomethingElseByName) {
  const TempFolder folder;
  const std::string path = folder.file("s.safetensors");
  write_feature_statistics(path, small_statistics(), small_source());
  const auto refused = [&](const std::string& part, const std::function<void(FeatureStatisticsSource&)>& change) {
    FeatureStatisticsSource source = small_source();
    change(source);
    expect_error(ErrorKind::InvalidArgument, part, [&] { read_feature_statistics(path, source); });
  };
  refused("network_sha256: expected 'bb", [](auto& s) { s.network.sha256 = std::string(64, 'b'); });
  refused("output_layer: expected 'pool', got ''", [](auto& s) { s.network.output_layer = "pool"; });
  refused("input_size: expected '128', got '299'", [](auto& s) { s.network.input_size = 128; });
  refused("resize: expected 'bilinear_corner'", [](auto& s) { s.network.resize = FeatureResize::BilinearCorner; });
  refused("input_low: expected '0'", [](auto& s) { s.network.low = 0; });
  refused("input_high: expected '255'", [](auto& s) { s.network.high = 255; });
  refused("pictures_hash: expected '0000000000000001'", [](auto& s) { s.pictures_hash = 1; });
  refused("resolution: expected '128', got '64'", [](auto& s) { s.resolution = 128; });
}

TEST(FeatureStatisticsFile, RefusesDamagedFiles) {
  const TempFolder folder;
  const std::string path = folder.file("s.safetensors");
  write_feature_statistics(path, small_statistics(), small_source());
  const TensorFile good = read_safetensors(path);
  // Writes the good file's content after a change, which must be refused.
  const auto refused = [&](const std::string& part, const std::function<void(TensorFile&)>& change) {
    TensorFile file = good;
    change(file);
    std::vector<TensorView> views;
    for (const auto& tensor : file.tensors) {
      views.push_back({tensor.name, tensor.shape, {}, tensor.doubles});
      if (tensor.doubles.empty()) views.back().data = tensor.data;
    }
    write_safetensors(path, views, file.metadata);
    expect_error(ErrorKind::Format, part, [&] { read_feature_statistics(path, small_source()); });
  };
  refused("metadata 'format' and 'version'", [](TensorFile& f) { f.metadata["format"] = "loe-model"; });
  refused("metadata 'format' and 'version'", [](TensorFile& f) { f.metadata["version"] = "2"; });
  refused("metadata 'resize': expected a value, got none", [](TensorFile& f) { f.metadata.erase("resize"); });
  refused("count: expected a whole number", [](TensorFile& f) { f.metadata["count"] = "1"; });
  refused("count: expected a whole number", [](TensorFile& f) { f.metadata["count"] = "12x"; });
  refused("mean: expected a tensor", [](TensorFile& f) { f.tensors[0].name = "median"; });
  refused("covariance: expected a tensor", [](TensorFile& f) { f.tensors.pop_back(); });
  refused("covariance: expected F64 [2, 2], got F64 [4]", [](TensorFile& f) { f.tensors[1].shape = {4}; });
  refused("mean: expected F64 [2], got another type [2]", [](TensorFile& f) { f.tensors[0].doubles.clear(); });
  refused("covariance: expected finite numbers",
          [](TensorFile& f) { f.tensors[1].doubles[3] = std::numeric_limits<double>::infinity(); });
  write_bytes(path, read_bytes(path).substr(0, 100));
  expect_error(ErrorKind::Format, "[safetensors]", [&] { read_feature_statistics(path, small_source()); });
}

TEST(Safetensors, DoublesComeBackAsDoublesAndAsFloats) {
  const TempFolder folder;
  const std::string path = folder.file("d.safetensors");
  const std::vector<double> doubles = {1.0 / 3, 1e-300, -5};
  const std::vector<float> floats = {0.5F};
  write_safetensors(path, {{"d", {3}, {}, doubles}, {"f", {1}, floats}}, {});
  const TensorFile file = read_safetensors(path);
  EXPECT_EQ(file.find("d")->doubles, doubles);
  EXPECT_EQ(file.find("d")->data, (std::vector<float>{1.0F / 3, 0, -5}));
  EXPECT_EQ(file.find("f")->data, floats);
  EXPECT_TRUE(file.find("f")->doubles.empty());
  expect_error(ErrorKind::InvalidArgument, "3 values for its shape, got 4", [&] {
    write_safetensors(path, {{"d", {3}, floats, doubles}}, {});
  });
}

}  // namespace
}  // namespace loe
