#include "loe/backend/peak.h"

#include <gtest/gtest.h>

namespace loe {
namespace {

// A loop that the compiler had thinned out would claim thousands of GFLOP/s a core; none at all would claim nothing.
TEST(PeakMeter, RatesArePlausible) {
  PeakMeter meter(1);
  EXPECT_EQ(meter.n_threads(), 1);
  for (PeakKind kind : {PeakKind::F32, PeakKind::Bf16}) {
    const double gflops = meter.sample(kind, 0.005);
    EXPECT_GT(gflops, 0.05) << meter.kernel(kind);
    // AMX: 1,024 operations a cycle.
    EXPECT_LT(gflops, meter.kernel(kind).starts_with("AMX") ? 6000 : 2000) << meter.kernel(kind);
    EXPECT_FALSE(meter.kernel(kind).empty());
  }
}

TEST(PeakMeter, Bf16StandsForF32WithoutDotProducts) {
  PeakMeter meter(1);
  if (meter.has_bf16_dot()) {
    EXPECT_NE(meter.kernel(PeakKind::Bf16), meter.kernel(PeakKind::F32));
  } else {
    EXPECT_EQ(meter.kernel(PeakKind::Bf16), meter.kernel(PeakKind::F32));
  }
}

}  // namespace
}  // namespace loe
