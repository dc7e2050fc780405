// The reference's executor of convolutional networks.
#include <algorithm>

#include "backend/check.h"
#include "backend/conv_check.h"
#include "backend/reference/conv_net.h"

namespace loe {
namespace {

using reference::ConvPass;

/// Pictures that an objective sees together. Only bounds memory: pictures are summed in order either way.
constexpr int64_t kPiece = 8;

class ReferenceConvExecutor final : public ConvExecutor {
 public:
  explicit ReferenceConvExecutor(const ConvNetSpec& spec) : spec_(spec), params_(spec.n_params()) {}

  const ConvNetSpec& spec() const override { return spec_; }
  int n_threads() const override { return 1; }
  std::vector<KernelInfo> kernels(MapSize picture) override;
  int64_t memory_bytes() const override { return static_cast<int64_t>(params_.capacity() * sizeof(double)); }

  void set_params(std::span<const float> params) override {
    check_size("params", spec_.n_params(), "[n_params]", params.size());
    params_.assign(params.begin(), params.end());
  }

  void forward(const PictureBatch& batch, std::span<float> outputs) override;
  double gradients(const PictureBatch& batch, const PictureObjective& objective, std::span<float> param_grads,
                   std::span<float> picture_grads) override;

 private:
  ConvPass run(const PictureBatch& batch, int64_t picture) const;

  ConvNetSpec spec_;
  std::vector<double> params_;
};

std::vector<KernelInfo> ReferenceConvExecutor::kernels(MapSize picture) {
  spec_.map_sizes(picture);
  const char* kernel = "reference plain loops f64";
  const char* reason = "the reference has one kernel per operation";
  return {{"convolution forward", kernel, reason}, {"convolution backward", kernel, reason}};
}

ConvPass ReferenceConvExecutor::run(const PictureBatch& batch, int64_t picture) const {
  const int64_t n_values = spec_.n_in() * batch.size.n_pixels();
  const std::span<const float> values = batch.pictures.subspan(picture * n_values, n_values);
  return reference::conv_net_forward(spec_, batch.size, params_, std::vector<double>(values.begin(), values.end()));
}

void ReferenceConvExecutor::forward(const PictureBatch& batch, std::span<float> outputs) {
  const std::vector<MapSize> sizes = check_conv_forward(spec_, batch, outputs);
  const int64_t n_out = spec_.n_out() * sizes.back().n_pixels();
  for (int64_t picture = 0; picture < batch.n_pictures; ++picture) {
    const ConvPass pass = run(batch, picture);
    std::copy(pass.values.back().begin(), pass.values.back().end(), outputs.begin() + picture * n_out);
  }
}

double ReferenceConvExecutor::gradients(const PictureBatch& batch, const PictureObjective& objective,
                                        std::span<float> param_grads, std::span<float> picture_grads) {
  const std::vector<MapSize> sizes = check_conv_gradients(spec_, batch, param_grads, picture_grads);
  const int64_t n_in = spec_.n_in() * sizes.front().n_pixels();
  const int64_t n_out = spec_.n_out() * sizes.back().n_pixels();
  std::vector<double> sums(param_grads.size());
  std::vector<double> x_grads(picture_grads.empty() ? 0 : n_in);
  double loss = 0;
  for (int64_t first = 0; first < batch.n_pictures; first += kPiece) {
    const int64_t count = std::min(kPiece, batch.n_pictures - first);
    std::vector<ConvPass> passes;
    std::vector<float> outputs;
    for (int64_t i = 0; i < count; ++i) {
      passes.push_back(run(batch, first + i));
      outputs.insert(outputs.end(), passes.back().values.back().begin(), passes.back().values.back().end());
    }
    std::vector<float> output_grads(outputs.size());
    loss += objective.loss(first, count, outputs.data(), output_grads.data());
    for (int64_t i = 0; i < count; ++i) {
      const auto from = output_grads.begin() + i * n_out;
      reference::conv_net_backward(spec_, params_, passes[i], std::vector<double>(from, from + n_out), sums, x_grads);
      std::copy(x_grads.begin(), x_grads.end(),
                picture_grads.begin() + (picture_grads.empty() ? 0 : (first + i) * n_in));
    }
  }
  std::copy(sums.begin(), sums.end(), param_grads.begin());
  return loss;
}

}  // namespace

std::unique_ptr<ConvExecutor> compile_reference_conv(const ConvNetSpec& spec) {
  spec.validate();
  return std::make_unique<ReferenceConvExecutor>(spec);
}

}  // namespace loe
