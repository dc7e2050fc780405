#include "gan_fid.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "loe/base/error.h"
#include "loe/io/feature_statistics_file.h"
#include "loe/io/onnx_features.h"
#include "loe/metric/frechet.h"
#include "loe/task/gan_task.h"
#include "parse.h"

namespace loe::app {
namespace {

constexpr int64_t kBatch = 32;
constexpr int kMaxInput = 4096;

OnnxFeaturesOptions options_of(const FidFlags& flags, int n_threads) {
  OnnxFeaturesOptions options;
  options.n_threads = n_threads;
  options.output_layer = flags.layer;
  if (!flags.size.empty()) options.input_size = static_cast<int>(parse_int("--fid-size", flags.size, 1, kMaxInput));
  if (flags.resize == to_string(FeatureResize::BilinearCorner)) {
    options.resize = FeatureResize::BilinearCorner;
  } else if (!flags.resize.empty() && flags.resize != to_string(FeatureResize::Bilinear)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --fid-resize: expected bilinear or bilinear_corner, got '{}'", flags.resize));
  }
  if (!flags.range.empty()) {
    const std::size_t comma = flags.range.find(',');
    if (comma == std::string::npos) {
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[flags] --fid-range: expected LOW,HIGH, got '{}'", flags.range));
    }
    options.low = static_cast<float>(parse_double("--fid-range", flags.range.substr(0, comma), -1e6, 1e6));
    options.high = static_cast<float>(parse_double("--fid-range", flags.range.substr(comma + 1), -1e6, 1e6));
  }
  return options;
}

/// Statistics that grow with the first features, which say how many there are.
class Statistics {
 public:
  explicit Statistics(ThreadPool& pool) : pool_(&pool) {}
  void add(OnnxFeatures& network, std::span<const uint8_t> pictures, int resolution) {
    const std::vector<float> features = network.features(pictures, resolution);
    if (!sums_) sums_.emplace(network.n_features());
    sums_->add(features, *pool_);
  }
  GaussianStatistics get() const {
    if (!sums_) throw Error(ErrorKind::InvalidArgument, "[fid] expected pictures, got none");
    return sums_->statistics(*pool_);
  }

 private:
  ThreadPool* pool_;
  std::optional<GaussianAccumulator> sums_;
};

GaussianStatistics statistics_of_set(const FidFlags& flags, OnnxFeatures& network, const PictureSet& set,
                                     ThreadPool& pool, const std::function<void(double)>& on_share) {
  const FeatureStatisticsSource source = {network.info(), set.content_hash(), set.resolution()};
  std::error_code error;
  if (!flags.statistics.empty() && std::filesystem::exists(flags.statistics, error)) {
    return read_feature_statistics(flags.statistics, source);
  }
  Statistics statistics(pool);
  std::vector<uint8_t> batch;
  for (int64_t first = 0; first < set.size(); first += kBatch) {
    const int64_t count = std::min(kBatch, set.size() - first);
    batch.resize(static_cast<std::size_t>(count * set.values_per_picture()));
    for (int64_t i = 0; i < count; ++i) set.read(first + i, batch.data() + i * set.values_per_picture());
    statistics.add(network, batch, set.resolution());
    on_share(static_cast<double>(first + count) / static_cast<double>(set.size()));
  }
  const GaussianStatistics found = statistics.get();
  if (!flags.statistics.empty()) write_feature_statistics(flags.statistics, found, source);
  return found;
}

}  // namespace

double measure_fid(const FidFlags& flags, Executor& generator, const PictureSet& pictures, int64_t n, uint64_t seed,
                   const std::function<void(double)>& on_share) {
  ThreadPool pool(generator.n_threads());
  OnnxFeatures network(flags.network, options_of(flags, generator.n_threads()));
  const GaussianStatistics real =
      statistics_of_set(flags, network, pictures, pool, [&](double done) { on_share(0.5 * done); });
  Statistics generated(pool);
  for_generated_pictures(generator, n, pictures.resolution(), seed,
                         [&](int64_t first, int64_t count, std::span<const uint8_t> made) {
                           generated.add(network, made, pictures.resolution());
                           on_share(0.5 + 0.5 * static_cast<double>(first + count) / static_cast<double>(n));
                         });
  return squared_frechet_distance(generated.get(), real);
}

}  // namespace loe::app
