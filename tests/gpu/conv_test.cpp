// Convolutions by cuDNN on a real device; skipped, with the reason, where there is none.
#include <gtest/gtest.h>

#include "backend/conv_cases.h"
#include "loe/backend/conv_net.h"

namespace loe {
namespace {

using namespace test;

class GpuConv : public testing::TestWithParam<ConvCase> {
 protected:
  void SetUp() override {
    if (!why_no_cuda_conv().empty()) GTEST_SKIP() << why_no_cuda_conv();
  }
};

TEST_P(GpuConv, IsTheReferenceButForRounding) {
  const ConvCase& c = GetParam();
  const std::vector<float> params = random_params(c.spec, 1);
  const std::vector<float> pictures = case_pictures(c);
  const auto reference = compile_reference_conv(c.spec);
  reference->set_params(params);
  expect_agreement(*compile_cuda_conv(c.spec), "cuda", c, truth_of(c, params, pictures), params, pictures,
                   run(*reference, c, pictures).loss);
}

void expect_same_bits(const ConvCase& c) {
  const std::vector<float> params = random_params(c.spec, 1);
  const std::vector<float> pictures = case_pictures(c);
  std::vector<Result> results;
  for (int i = 0; i < 2; ++i) {
    const auto executor = compile_cuda_conv(c.spec);
    executor->set_params(params);
    for (int repeat = 0; repeat < 3; ++repeat) results.push_back(run(*executor, c, pictures));
  }
  for (const Result& result : results) {
    EXPECT_EQ(result.loss, results[0].loss);
    EXPECT_EQ(result.outputs, results[0].outputs);
    EXPECT_EQ(result.param_grads, results[0].param_grads);
    EXPECT_EQ(result.picture_grads, results[0].picture_grads);
  }
}

TEST_P(GpuConv, TwoRunsHaveTheSameBits) {
  expect_same_bits(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cases, GpuConv, testing::ValuesIn(conv_cases()),
                         [](const auto& case_info) { return case_info.param.name; });

/// Table 4's discriminator, where sums are long enough to be split.
TEST(GpuConvLarge, TwoRunsHaveTheSameBits) {
  if (!why_no_cuda_conv().empty()) GTEST_SKIP() << why_no_cuda_conv();
  expect_same_bits({"table_4", patch_net({3, 64, 128, 256, 512, 1}), 32, {256, 256}});
}

}  // namespace
}  // namespace loe
