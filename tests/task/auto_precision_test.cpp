// What `--precision auto` means, on processors that this one need not be.
#include "loe/task/auto_precision.h"

#include <gtest/gtest.h>

#include "loe/task/image_presets.h"
#include "loe/task/image_task.h"

namespace loe {
namespace {

FitConfig config_of_width(int width) {
  FitConfig config = image_config_from_settings(image_preset("toy"), 3);
  config.network.widths.assign(config.network.widths.size(), width);
  return config;
}

TEST(AutoPrecision, IsMixedWhereBf16IsFaster) {
  for (const char* isa : {"amx", "avx512bf16"}) {
    const PrecisionChoice choice = choose_precision(config_of_width(64), "cpu", isa);
    EXPECT_EQ(choice.precision, Precision::Mixed);
    EXPECT_NE(choice.reason.find(isa), std::string::npos);
  }
  for (const char* isa : {"avx512", "avx2", "sse4", "neon", "portable"}) {
    EXPECT_EQ(choose_precision(config_of_width(64), "cpu", isa).precision, Precision::F32) << isa;
  }
}

TEST(AutoPrecision, IsF32WhereLittleOrNothingIsKnownToBeGained) {
  EXPECT_EQ(choose_precision(config_of_width(16), "cpu", "amx").precision, Precision::F32);
  EXPECT_EQ(choose_precision(config_of_width(64), "cuda", "").precision, Precision::F32);
  EXPECT_EQ(choose_precision(config_of_width(64), "reference", "").precision, Precision::F32);
  FitConfig chunks = config_of_width(64);
  chunks.sampling = PixelSampling::ProductChunks;
  EXPECT_EQ(choose_precision(chunks, "cpu", "amx").precision, Precision::F32);
}

TEST(AutoPrecision, DoesNotDependOnWhatWasThereBefore) {
  FitConfig config = config_of_width(64);
  const PrecisionChoice choice = choose_precision(config, "cpu", "amx");
  config.precision = Precision::Bf16;
  EXPECT_EQ(choose_precision(config, "cpu", "amx").precision, choice.precision);
}

}  // namespace
}  // namespace loe
