// What cuDNN is told of a network, and how a batch is cut: no GPU is needed for it.
#include "backend/cuda/conv_plan.h"

#include <gtest/gtest.h>

#include "backend/conv_cases.h"
#include "backend/cuda/emulated_conv.h"
#include "loe/base/error.h"
#ifdef LOE_HAS_CUDNN
#include "backend/cuda/cudnn_library.h"
#endif

namespace loe {
namespace {

using namespace test;

TEST(ConvPlan, PiecesAreEqualAndBelowTheLimit) {
  const ConvNetSpec spec = patch_net({3, 16, 1});
  const std::vector<MapSize> sizes = spec.map_sizes({8, 8});
  const int64_t per_picture = 3 * 64 + 16 * 16 + 4;
  EXPECT_EQ(cuda::pictures_per_piece(spec, sizes, 100, 100 * per_picture), 100);
  EXPECT_EQ(cuda::pictures_per_piece(spec, sizes, 100, 100 * per_picture - 1), 50);
  EXPECT_EQ(cuda::pictures_per_piece(spec, sizes, 7, 3 * per_picture), 3);  // 3, 3, 1
  EXPECT_EQ(cuda::pictures_per_piece(spec, sizes, 8, 3 * per_picture), 3);
  EXPECT_EQ(cuda::pictures_per_piece(spec, sizes, 100, 1), 1);
  EXPECT_EQ(cuda::pictures_per_piece(spec, sizes, 0, 1000), 1);
  // Table 4's batch is one piece.
  const ConvNetSpec table4 = patch_net({3, 64, 128, 256, 512, 1});
  EXPECT_EQ(cuda::pictures_per_piece(table4, table4.map_sizes({256, 256}), 32, cuda::kMaxPieceFloats), 32);
}

TEST(ConvPlan, ShapesFollowTheSpec) {
  const ConvNetSpec spec{{{3, 12, 4, 2, 1, leaky(0.1)}, {12, 4, 3, 1, 0, {}}}};
  const cuda::ConvPlan plan(spec, spec.map_sizes({14, 10}), 5);
  ASSERT_EQ(plan.layers.size(), 2U);
  EXPECT_EQ(plan.layers[0].output, (MapSize{7, 5}));
  EXPECT_EQ(plan.layers[1].input, (MapSize{7, 5}));
  EXPECT_TRUE(plan.layers[0].is_leaky);
  EXPECT_EQ(plan.layers[0].slope, 0.1F);
  EXPECT_FALSE(plan.layers[1].is_leaky);
  EXPECT_EQ(plan.layers[1].slope, 1);
  EXPECT_EQ(plan.layers[1].weight_offset, 3 * 12 * 16 + 12);
  EXPECT_EQ(plan.layers[1].bias_offset, 3 * 12 * 16 + 12 + 4 * 12 * 9);
  EXPECT_EQ(plan.n_picture_floats(), 5 * 3 * 140);
  EXPECT_EQ(plan.n_output_floats(), 5 * 4 * 5 * 3);
  EXPECT_EQ(plan.largest_map(), 5 * 3 * 140);
}

TEST(ConvPlan, MapsThatLibrariesCannotCountAreRefused) {
  const ConvNetSpec spec{{{1, 64, 3, 1, 1, {}}}};
  try {
    cuda::ConvPlan(spec, spec.map_sizes({8192, 8192}), 1);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unsupported);
    EXPECT_NE(std::string(error.what())
                  .find("layers[0]: expected a map of fewer than 2147483648 numbers, got "
                        "4294967296"),
              std::string::npos)
        << error.what();
  }
}

TEST(ConvPlan, TooLittleMemoryIsSaidInNumbers) {
  const ConvNetSpec spec = patch_net({3, 64, 1});
  const auto executor = emulated_conv(spec);
  executor->set_params(random_params(spec, 1));
  const std::vector<float> pictures = random_values(4 * 3 * 64 * 64, 2);
  std::vector<float> outputs(4 * 256);
  int64_t& limit = cuda::host_memory_limit();
  const int64_t before = limit;
  limit = 1 << 20;
  try {
    executor->forward({4, {64, 64}, pictures}, outputs);
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::OutOfMemory);
    EXPECT_NE(std::string(error.what()).find("MiB free"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
  limit = before;
  executor->forward({1, {8, 8}, std::span(pictures).first(192)}, std::span(outputs).first(4));
  EXPECT_GE(executor->memory_bytes(), 4 * (192 + 64 * 16));
}

TEST(ConvPlan, CudnnUnderstandsEveryShape) {
#ifdef LOE_HAS_CUDNN
  const cuda::CudnnLibrary& cudnn = cuda::cudnn_library();
  if (!cudnn.obstacle.empty()) GTEST_SKIP() << cudnn.obstacle;
  EXPECT_EQ(cudnn.cudnnGetVersion() / 10000, static_cast<std::size_t>(CUDNN_MAJOR));
  for (const ConvCase& c : conv_cases()) {
    SCOPED_TRACE(c.name);
    const cuda::ConvPlan plan(c.spec, c.spec.map_sizes(c.size), c.n_pictures);
    for (const cuda::ConvShape& shape : plan.layers) {
      const cuda::CudnnDescriptors descriptors(shape);
      int n = 0;
      int n_channels = 0;
      MapSize size;
      ASSERT_EQ(
          cudnn.cudnnGetConvolution2dForwardOutputDim(descriptors.convolution, descriptors.input, descriptors.weights,
                                                      &n, &n_channels, &size.height, &size.width),
          CUDNN_STATUS_SUCCESS);
      EXPECT_EQ(n, shape.n);
      EXPECT_EQ(n_channels, shape.n_out);
      EXPECT_EQ(size, shape.output);
    }
  }
#else
  GTEST_SKIP() << "built without cuDNN's headers";
#endif
}

TEST(ConvPlan, WithoutADeviceTheErrorSaysWhy) {
  const ConvNetSpec spec = patch_net({3, 8, 1});
  EXPECT_EQ(conv_device("cpu").device, "cpu");
  EXPECT_EQ(conv_device("reference").device, "reference");
  if (why_no_cuda_conv().empty()) {
    EXPECT_EQ(conv_device("auto").device, "cuda");
    EXPECT_EQ(compile_conv("cuda", spec, 1)->kernels({8, 8}).front().kernel.find("cudnn "), 0U);
    return;
  }
  EXPECT_EQ(conv_device("auto").device, "cpu");
  try {
    compile_conv("cuda", spec, 1);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unsupported);
    EXPECT_EQ(error.what(), "[backend] convolutions on device cuda: " + why_no_cuda_conv());
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace loe
