// Statistics of features: no input may crash, and whatever is accepted has a covariance of its mean's size.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "loe/base/error.h"
#include "loe/io/feature_statistics_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  try {
    const loe::GaussianStatistics statistics = loe::parse_feature_statistics({data, size}, "fuzz", {});
    if (statistics.count < 2 || statistics.mean.empty() ||
        statistics.covariance.size() != statistics.mean.size() * statistics.mean.size()) {
      std::abort();
    }
  } catch (const loe::Error&) {
  }
  return 0;
}
