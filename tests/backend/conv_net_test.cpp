#include "loe/backend/conv_net.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "backend/conv_cases.h"
#include "backend/cuda/emulated_conv.h"
#include "loe/base/error.h"

namespace loe {
namespace {

using namespace test;

/// Executors that do not run on threads: cuDNN where it can run, and its executor with plain loops for products.
std::vector<std::pair<std::string, std::unique_ptr<ConvExecutor>>> device_executors(const ConvNetSpec& spec) {
  std::vector<std::pair<std::string, std::unique_ptr<ConvExecutor>>> executors;
  executors.emplace_back("cuda emulated", emulated_conv(spec));
  if (why_no_cuda_conv().empty()) executors.emplace_back("cuda", compile_cuda_conv(spec));
  return executors;
}

/// Names for compile_conv of all that can run here.
std::vector<std::string> conv_devices() {
  std::vector<std::string> devices = {"cpu", "reference"};
  if (why_no_cuda_conv().empty()) devices.push_back("cuda");
  return devices;
}

class ConvAgreement : public testing::TestWithParam<ConvCase> {};

TEST_P(ConvAgreement, EveryDeviceIsTheReferenceButForRounding) {
  const ConvCase& c = GetParam();
  const std::vector<float> params = random_params(c.spec, 1);
  const std::vector<float> pictures = case_pictures(c);
  const Truth truth = truth_of(c, params, pictures);
  truth.param_grads.check_useful(test::kUnitF32, test::norm(truth.param_grads.exact), "parameters");
  truth.outputs.check_useful(test::kUnitF32, test::norm(truth.outputs.exact), "outputs");
  truth.picture_grads.check_useful(test::kUnitF32, test::norm(truth.picture_grads.exact), "pictures");

  // The reference's executor agrees with its own loops to the rounding of its float results.
  const auto reference = compile_reference_conv(c.spec);
  reference->set_params(params);
  const Result oracle = run(*reference, c, pictures);
  for (size_t k = 0; k < oracle.param_grads.size(); ++k) {
    // The gradient of the outputs passes through the objective in float.
    EXPECT_NEAR(oracle.param_grads[k], truth.param_grads.exact[k],
                4 * test::kUnitF32 * test::norm(truth.param_grads.exact));
  }
  expect_agreement(*compile_onednn_conv(c.spec, 2), "cpu", c, truth, params, pictures, oracle.loss);
  for (const auto& [name, executor] : device_executors(c.spec)) {
    expect_agreement(*executor, name, c, truth, params, pictures, oracle.loss);
  }
  // The same in pieces: of one picture each, or of some.
  expect_agreement(*emulated_conv(c.spec, c.n_pictures <= 5 ? 1 : 20'000), "cuda emulated, in pieces", c, truth, params,
                   pictures, oracle.loss);
}

TEST_P(ConvAgreement, BitsDoNotDependOnThreads) {
  const ConvCase& c = GetParam();
  const std::vector<float> params = random_params(c.spec, 1);
  const std::vector<float> pictures = case_pictures(c);
  std::vector<Result> results;
  for (const int n_threads : {1, 2, 5}) {
    const auto executor = compile_onednn_conv(c.spec, n_threads);
    executor->set_params(params);
    results.push_back(run(*executor, c, pictures));
  }
  for (size_t i = 1; i < results.size(); ++i) {
    EXPECT_EQ(results[i].loss, results[0].loss);
    EXPECT_EQ(results[i].outputs, results[0].outputs);
    EXPECT_EQ(results[i].param_grads, results[0].param_grads);
    EXPECT_EQ(results[i].picture_grads, results[0].picture_grads);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ConvAgreement, testing::ValuesIn(conv_cases()),
                         [](const auto& case_info) { return case_info.param.name; });

/// Central differences of f at x[k] by a step h: error of order h^2.
double slope_at(std::vector<double>& x, size_t k, const std::function<double()>& f) {
  constexpr double kStep = 1e-5;
  const double before = x[k];
  x[k] = before + kStep;
  const double high = f();
  x[k] = before - kStep;
  const double low = f();
  x[k] = before;
  return (high - low) / (2 * kStep);
}

TEST(ReferenceConv, GradientsAreFiniteDifferences) {
  // One of each: odd sizes, a stride, padding, a kernel that is not 3.
  const ConvNetSpec spec{{{2, 3, 3, 2, 1, leaky()}, {3, 2, 2, 1, 1, leaky(0.1)}, {2, 1, 3, 2, 0, {}}}};
  const MapSize size{9, 7};
  std::vector<double> params = to_double(random_params(spec, 3));
  std::vector<double> picture = to_double(random_values(2 * size.n_pixels(), 4));
  const auto loss = [&] {
    const reference::ConvPass at = reference::conv_net_forward(spec, size, params, picture);
    double sum = 0;
    for (const double y : at.values.back()) sum += y + 0.5 * y * y;
    return sum;
  };
  const reference::ConvPass pass = reference::conv_net_forward(spec, size, params, picture);
  std::vector<double> output_grads = pass.values.back();
  for (double& y : output_grads) y += 1;
  std::vector<double> param_grads(params.size());
  std::vector<double> picture_grads(picture.size());
  reference::conv_net_backward(spec, params, pass, output_grads, param_grads, picture_grads);
  // Between kinks the loss is a polynomial of low degree: differences are good to rounding over the step, 1e-15 / 1e-5,
  // times sums of some ten terms; 1e-8 leaves a factor ten. No unit is within 1e-4 of a kink.
  for (const std::vector<double>& sums : pass.sums) {
    for (const double sum : sums) ASSERT_GT(std::abs(sum), 1e-4) << "choose another seed";
  }
  for (size_t k = 0; k < params.size(); ++k) EXPECT_NEAR(param_grads[k], slope_at(params, k, loss), 1e-8) << k;
  for (size_t k = 0; k < picture.size(); ++k) EXPECT_NEAR(picture_grads[k], slope_at(picture, k, loss), 1e-8) << k;
}

TEST(ConvNet, EmptyBatchesAndGradientsThatNobodyWants) {
  const ConvNetSpec spec = patch_net({3, 8, 1});
  const std::vector<float> params = random_params(spec, 1);
  const std::vector<float> pictures = random_values(4 * 3 * 25, 2);
  for (const std::string& device : conv_devices()) {
    const auto executor = compile_conv(device, spec, 2);
    executor->set_params(params);
    const Bowl bowl(4);
    std::vector<float> param_grads(params.size(), 7.0F);
    EXPECT_EQ(executor->gradients({0, {5, 5}, {}}, bowl, param_grads, {}), 0);
    EXPECT_EQ(param_grads, std::vector<float>(params.size(), 0.0F));
    executor->forward({0, {5, 5}, {}}, {});

    const PictureBatch batch{4, {5, 5}, pictures};
    std::vector<float> both(params.size());
    std::vector<float> picture_grads(pictures.size());
    std::vector<float> picture_grads_alone(pictures.size());
    const double loss = executor->gradients(batch, bowl, both, picture_grads);
    EXPECT_EQ(executor->gradients(batch, bowl, param_grads, {}), loss);
    EXPECT_EQ(executor->gradients(batch, bowl, {}, picture_grads_alone), loss);
    EXPECT_EQ(executor->gradients(batch, bowl, {}, {}), loss);
    EXPECT_EQ(param_grads, both);
    EXPECT_EQ(picture_grads_alone, picture_grads);
  }
}

TEST(ConvNet, NewParametersAndSizesAreTakenUp) {
  const ConvNetSpec spec = patch_net({3, 8, 1});
  const auto used = compile_onednn_conv(spec, 2);
  for (const uint64_t seed : {1, 2}) {
    for (const int side : {5, 8, 17, 5}) {
      const ConvCase c{"", spec, 3 + side % 3, {side, 9}};
      const std::vector<float> pictures = random_values(c.n_pictures * 3 * c.size.n_pixels(), side);
      const auto fresh = compile_onednn_conv(spec, 1);
      fresh->set_params(random_params(spec, seed));
      used->set_params(random_params(spec, seed));
      const Result a = run(*used, c, pictures);
      const Result b = run(*fresh, c, pictures);
      EXPECT_EQ(a.outputs, b.outputs);
      EXPECT_EQ(a.param_grads, b.param_grads);
      EXPECT_EQ(a.picture_grads, b.picture_grads);
    }
  }
}

TEST(ConvNet, MemoryDoesNotGrowWithTheBatch) {
  const ConvNetSpec spec = patch_net({3, 8, 8, 1});
  const auto bytes = [&](int64_t n) {
    // One thread: which of several works on a short batch is open.
    const auto executor = compile_onednn_conv(spec, 1);
    executor->set_params(random_params(spec, 1));
    run(*executor, {"", spec, n, {16, 16}}, random_values(n * 3 * 256, 2));
    return executor->memory_bytes();
  };
  EXPECT_EQ(bytes(64), bytes(512));
}

TEST(ConvNet, CountsSizesAndNames) {
  const ConvNetSpec spec = patch_net({3, 64, 128, 256, 512, 1});
  spec.validate();
  EXPECT_EQ(spec.n_params(), 1'555'585);
  EXPECT_EQ(spec.output_size({256, 256}), (MapSize{8, 8}));
  EXPECT_EQ(spec.output_size({1, 33}), (MapSize{1, 2}));
  // 32^2 64 27 + 16^2 128 576 + 8^2 256 1152 + 4^2 512 2304 + 2^2 4608
  EXPECT_EQ(spec.macs({64, 64}), 1'769'472 + 3 * 18'874'368 + 18'432);
  const std::vector<TensorInfo> tensors = spec.tensors();
  ASSERT_EQ(tensors.size(), 10U);
  EXPECT_EQ(tensors[2].name, "layers.1.weight");
  EXPECT_EQ(tensors[2].shape, (std::vector<int64_t>{128, 64, 3, 3}));
  EXPECT_EQ(tensors[2].offset, 64 * 27 + 64);
  EXPECT_EQ(tensors.back().offset + 1, spec.n_params());
}

TEST(ConvNet, KernelsNameWhatRuns) {
  const ConvNetSpec spec = patch_net({3, 16, 1});
  const std::vector<KernelInfo> kernels = compile_conv("cpu", spec, 1)->kernels({16, 16});
  ASSERT_EQ(kernels.size(), 6U);
  EXPECT_EQ(kernels[0].operation, "convolution 0 forward f32");
  EXPECT_EQ(kernels[0].kernel.find("onednn "), 0U);
  EXPECT_GT(kernels[0].kernel.size(), std::string("onednn ").size());
  EXPECT_EQ(compile_conv("reference", spec, 1)->kernels({16, 16}).front().kernel, "reference plain loops f64");
}

void expect_error(ErrorKind kind, const std::string& part, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "expected an error with \"" << part << '"';
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

TEST(ConvNet, SpecErrorsNameLayerAndField) {
  const auto refused = [](const std::string& part, const std::function<void(ConvNetSpec&)>& change) {
    ConvNetSpec spec = patch_net({3, 8, 1});
    change(spec);
    expect_error(ErrorKind::InvalidArgument, part, [&] { compile_onednn_conv(spec, 1); });
    expect_error(ErrorKind::InvalidArgument, part, [&] { compile_reference_conv(spec); });
  };
  refused("layers: expected 1..", [](ConvNetSpec& spec) { spec.layers.clear(); });
  refused("layers[1].n_in: expected 8", [](ConvNetSpec& spec) { spec.layers[1].n_in = 9; });
  refused("layers[0].kernel: expected 1..16, got 0", [](ConvNetSpec& spec) { spec.layers[0].kernel = 0; });
  refused("layers[0].stride", [](ConvNetSpec& spec) { spec.layers[0].stride = 0; });
  refused("layers[0].padding: expected 0..2, got 3", [](ConvNetSpec& spec) { spec.layers[0].padding = 3; });
  refused("layers[1].n_out", [](ConvNetSpec& spec) { spec.layers[1].n_out = kMaxWidth + 1; });
  refused("layers[0].activation", [](ConvNetSpec& spec) { spec.layers[0].activation.kind = ActivationKind::Sine; });
  refused("layers[0].slope", [](ConvNetSpec& spec) { spec.layers[0].activation.slope = 1; });
  refused("parameters", [](ConvNetSpec& spec) { spec.layers = {{kMaxWidth, kMaxWidth, 3, 1, 1, {}}}; });
  const std::string cuda = why_no_cuda().empty() ? "cuda, " : "";
  expect_error(ErrorKind::Unsupported, "expected one of auto, cpu, " + cuda + "reference, got \"tpu\"", [] {
    compile_conv("tpu", patch_net({3, 1}), 1);
  });
}

TEST(ConvNet, ShapeErrorsSayWhatWasExpected) {
  const ConvNetSpec spec = {{{3, 4, 3, 1, 0, {}}}};
  const std::vector<float> pictures(2 * 3 * 16);
  std::vector<float> outputs(2 * 4 * 4);
  std::vector<float> grads(spec.n_params());
  for (const std::string& device : conv_devices()) {
    const auto executor = compile_conv(device, spec, 1);
    const auto refused = [&](const std::string& part, const std::function<void()>& call) {
      expect_error(ErrorKind::InvalidArgument, part, call);
    };
    const Bowl bowl(16);
    const PictureBatch batch{2, {4, 4}, pictures};
    refused("params", [&] { executor->set_params(std::vector<float>(3)); });
    refused("outputs: expected 32", [&] { executor->forward(batch, std::span(outputs).first(31)); });
    refused("pictures: expected 48", [&] { executor->forward({3, {4, 4}, pictures}, outputs); });
    refused("pictures", [&] { executor->forward({-1, {4, 4}, pictures}, outputs); });
    refused("pictures", [&] { executor->forward({std::numeric_limits<int64_t>::max(), {4, 4}, pictures}, outputs); });
    refused("sides of 1..", [&] { executor->forward({2, {0, 4}, pictures}, outputs); });
    refused("expected 3 x 3 pixels", [&] { executor->forward({2, {2, 24}, pictures}, outputs); });
    refused("param_grads", [&] { executor->gradients(batch, bowl, std::span(grads).first(5), {}); });
    refused("picture_grads", [&] { executor->gradients(batch, bowl, grads, std::span(outputs).first(5)); });
  }
}

}  // namespace
}  // namespace loe
