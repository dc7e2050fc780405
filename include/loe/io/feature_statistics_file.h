// Statistics of a set's feature vectors in a file: the half of a Frechet distance that does not change.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "loe/io/onnx_features.h"
#include "loe/metric/frechet.h"

namespace loe {

/// What the statistics were computed from.
struct FeatureStatisticsSource {
  FeatureNetworkInfo network;
  uint64_t pictures_hash = 0;  ///< PictureSet::content_hash
  int resolution = 0;          ///< PictureSet::resolution
};

/// A safetensors file, docs/formats.md: mean and covariance in double, bit for bit. Error(Io) naming path and cause.
void write_feature_statistics(const std::string& path, const GaussianStatistics& statistics,
                              const FeatureStatisticsSource& source);

/// Error(NotFound), Error(Io); Error(Format) for a damaged file; Error(InvalidArgument) for one that was computed from
/// something else than `expected`, naming the first field that differs and both values.
GaussianStatistics read_feature_statistics(const std::string& path, const FeatureStatisticsSource& expected);

/// The same from memory (the fuzz target's entry); `name` stands for the path in messages.
GaussianStatistics parse_feature_statistics(std::span<const unsigned char> bytes, const std::string& name,
                                            const FeatureStatisticsSource& expected);

}  // namespace loe
