#include "loe/io/feature_statistics_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "io/text.h"
#include "loe/base/error.h"
#include "loe/io/safetensors.h"

namespace loe {
namespace {

constexpr const char* kFormat = "loe-feature-statistics";
constexpr const char* kVersion = "1";
constexpr const char* kCount = "count";

[[noreturn]] void fail(const std::string& path, const std::string& thing, const std::string& expected,
                       const std::string& found) {
  throw Error(ErrorKind::Format, fmt::format("[statistics] {}: {}: expected {}, got {}; delete it and let it be "
                                             "computed again",
                                             path, thing, expected, found));
}

/// Field and text of everything the statistics depend on, in the order in which they are compared.
std::vector<std::pair<std::string, std::string>> fields_of(const FeatureStatisticsSource& source) {
  return {{"network_sha256", source.network.sha256},
          {"output_layer", source.network.output_layer},
          {"input_size", fmt::format("{}", source.network.input_size)},
          {"resize", to_string(source.network.resize)},
          {"input_low", fmt::format("{}", source.network.low)},
          {"input_high", fmt::format("{}", source.network.high)},
          {"pictures_hash", fmt::format("{:016x}", source.pictures_hash)},
          {"resolution", fmt::format("{}", source.resolution)}};
}

std::string metadata_text(const TensorFile& file, const std::string& path, const std::string& key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) fail(path, fmt::format("metadata '{}'", key), "a value", "none");
  return found->second;
}

std::vector<double> take_values(TensorFile& file, const std::string& path, const std::string& name,
                                const std::vector<int64_t>& shape) {
  for (TensorFile::Tensor& tensor : file.tensors) {
    if (tensor.name != name) continue;
    if (tensor.shape != shape || tensor.doubles.size() != tensor.data.size()) {
      fail(path, name, fmt::format("F64 [{}]", fmt::join(shape, ", ")),
           fmt::format("{} [{}]", tensor.doubles.empty() ? "another type" : "F64", fmt::join(tensor.shape, ", ")));
    }
    if (!std::ranges::all_of(tensor.doubles, [](double value) { return std::isfinite(value); })) {
      fail(path, name, "finite numbers", "NaN or infinity");
    }
    return std::move(tensor.doubles);
  }
  fail(path, name, "a tensor of that name", "none");
}

GaussianStatistics from_tensors(TensorFile file, const std::string& path, const FeatureStatisticsSource& expected) {
  const std::string format = metadata_text(file, path, "format");
  const std::string version = metadata_text(file, path, "version");
  if (format != kFormat || version != kVersion) {
    fail(path, "metadata 'format' and 'version'", fmt::format("{} {}", kFormat, kVersion),
         fmt::format("{} {}", printable(format), printable(version)));
  }
  for (const auto& [key, text] : fields_of(expected)) {
    const std::string found = metadata_text(file, path, key);
    if (found != text) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[statistics] {}: {}: expected '{}', got '{}' in the file; these are statistics of "
                              "something else: delete the file or choose another name",
                              path, key, printable(text, 80), printable(found, 80)));
    }
  }
  GaussianStatistics statistics;
  const std::string count = metadata_text(file, path, kCount);
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), statistics.count);
  if (error != std::errc() || end != count.data() + count.size() || statistics.count < 2) {
    fail(path, kCount, "a whole number from 2 on", fmt::format("'{}'", printable(count)));
  }
  const TensorFile::Tensor* mean = file.find("mean");
  const int64_t n = mean == nullptr ? 0 : static_cast<int64_t>(mean->data.size());
  if (n == 0) fail(path, "mean", "a tensor of at least one number", "none");
  statistics.mean = take_values(file, path, "mean", {n});
  statistics.covariance = take_values(file, path, "covariance", {n, n});
  return statistics;
}

}  // namespace

void write_feature_statistics(const std::string& path, const GaussianStatistics& statistics,
                              const FeatureStatisticsSource& source) {
  const int64_t n = statistics.n_features();
  LOE_ASSERT(static_cast<int64_t>(statistics.covariance.size()) == n * n);
  std::map<std::string, std::string> metadata = {
      {"format", kFormat}, {"version", kVersion}, {kCount, fmt::format("{}", statistics.count)}};
  for (const auto& [key, text] : fields_of(source)) metadata[key] = text;
  write_safetensors(path,
                    {{.name = "mean", .shape = {n}, .data = {}, .doubles = statistics.mean},
                     {.name = "covariance", .shape = {n, n}, .data = {}, .doubles = statistics.covariance}},
                    metadata);
}

GaussianStatistics read_feature_statistics(const std::string& path, const FeatureStatisticsSource& expected) {
  return from_tensors(read_safetensors(path), path, expected);
}

GaussianStatistics parse_feature_statistics(std::span<const unsigned char> bytes, const std::string& name,
                                            const FeatureStatisticsSource& expected) {
  return from_tensors(parse_safetensors(bytes, name), name, expected);
}

}  // namespace loe
