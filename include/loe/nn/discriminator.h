// The discriminator of the coordinate GAN (paper section 4.4 and Table 4): patch networks at two scales.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/backend/conv_net.h"
#include "loe/base/thread_pool.h"

namespace loe {

/// One network sees the picture, one the picture at half its size (bilinear, aligned corners).
inline constexpr int kDiscriminatorScales = 2;

struct DiscriminatorConfig {
  int n_channels = 3;                             ///< of a picture
  std::vector<int> widths = {64, 128, 256, 512};  ///< outputs of the hidden layers; the last layer has one
  double slope = 0.2;                             ///< LeakyReLU after every layer but the last
};

/// The network of one scale: n_channels -> widths -> 1, kernel 3, stride 2, padding 1; 1,555,585 parameters by default.
/// Its output is a map of scores, one per patch. Error(InvalidArgument) naming the field.
ConvNetSpec build_discriminator(const DiscriminatorConfig& config);

/// Everything that training a discriminator changes, in ONE flat float vector (what a checkpoint keeps as
/// RunState::task_state). In this order, s = 0 (full) and 1 (half), i = layer:
///   "scale<s>.layers.<i>.weight" and ".bias"  parameters before normalisation
///   "adam_m.scale<s>.layers.<i>..."           Adam's first moments, the same shapes
///   "adam_v.scale<s>.layers.<i>..."           Adam's second moments
///   "scale<s>.layers.<i>.u"                   [n_out] left singular vector of the weight so far
std::vector<TensorInfo> discriminator_tensors(const DiscriminatorConfig& config);
/// Numbers in it: 6 n_params + 2 (sum of widths + 1), n_params of one scale.
int64_t discriminator_state_size(const DiscriminatorConfig& config);

/// Kaiming-uniform weights (as initial_params), zero biases and moments, u after 15 power iterations from a random
/// vector. Deterministic: a drawn value depends on (seed, its index) only.
std::vector<float> initial_discriminator_state(const DiscriminatorConfig& config, uint64_t seed);

/// Two patch discriminators with spectral normalisation, hinge losses and Adam.
///
/// Every weight W, as a matrix [n_out, n_in 9], enters its convolution as W / sigma, sigma = u^T W v (Miyato et al.
/// 2018), v = W^T u / |W^T u|. A training update first does one power iteration, u = W v / |W v|; nothing else changes
/// u. Gradients go through W / sigma with u and v constant, as torch.nn.utils.spectral_norm does. With D_s(x) the map
/// of scores at scale s, means over patches and pictures, and the mean over the two scales (not the sum):
///   L_D = mean over s of ( mean max(0, 1 - D_s(real)) + mean max(0, 1 + D_s(fake)) )
///   L_G = -mean over s of mean D_s(fake)
///
/// Pictures are [n, n_channels, h, w] in [-1, 1], of any size and number from 1 on; the reals and fakes of one call
/// have the same size. Same inputs, same machine kind: same bits, for any n_threads. Not thread-safe. The caller owns
/// the state; this object holds normalised weights made from it.
class Discriminator {
 public:
  /// Device and threads as compile_conv. Error(InvalidArgument) for a bad config.
  Discriminator(const DiscriminatorConfig& config, const std::string& device, int n_threads);

  /// Of one scale.
  const ConvNetSpec& spec() const { return executors_[0]->spec(); }
  /// Of both.
  int64_t n_params() const { return kDiscriminatorScales * spec().n_params(); }
  int64_t state_size() const;
  /// Multiply-accumulates of a forward pass of one picture at both scales.
  int64_t macs(MapSize picture) const;
  /// What runs for pictures of this size, at both scales.
  std::vector<KernelInfo> kernels(MapSize picture);
  int64_t memory_bytes() const;

  /// Takes over a state: call first, and after loading one. Error(InvalidArgument) if its size is another.
  void set_state(std::span<const float> state);

  /// L_D, and its gradient by the parameters of both scales [n_params()] (after one power iteration, which is
  /// forgotten).
  double gradients(const PictureBatch& real, const PictureBatch& fake, std::span<const float> state,
                   std::span<float> param_grads);

  /// One update by Adam: changes `state` in place, which must be what set_state or the last train_step left. Returns
  /// L_D before the update. If it is not finite, nothing is changed. Costs about 3 forward passes of all pictures.
  double train_step(const PictureBatch& real, const PictureBatch& fake, const AdamUpdate& update,
                    std::span<float> state);

  /// L_G of the state; writes dL_G/dfake [n, n_channels, h, w] unless empty. NaN if a score is not finite.
  double generator_loss(const PictureBatch& fake, std::span<float> picture_grads);

  /// Mean score of the pictures at each scale.
  std::array<double, kDiscriminatorScales> scores(const PictureBatch& pictures);

 private:
  void normalise(std::span<const float> state, bool advances);
  /// `batch` at scale s; pixels are those of `batch` or of half_.
  PictureBatch at_scale(const PictureBatch& batch, int scale);
  double advanced_gradients(const PictureBatch& real, const PictureBatch& fake, std::span<const float> state,
                            std::span<float> param_grads);
  void check_state(std::size_t size) const;
  void check_batch(const char* what, const PictureBatch& batch) const;

  /// One weight matrix and what normalising it gave.
  struct Weight {
    int scale = 0;
    int64_t offset = 0;    ///< among the parameters of both scales
    int64_t u_offset = 0;  ///< in the state
    int64_t size = 0;
    int n_rows = 0;
    double sigma = 1;
    std::vector<double> u;
    std::vector<double> v;
  };

  std::array<std::unique_ptr<ConvExecutor>, kDiscriminatorScales> executors_;
  ThreadPool pool_;
  std::vector<Weight> weights_;
  std::vector<float> normalised_;  ///< parameters of both scales, weights divided by sigma
  std::vector<float> grads_;
  std::vector<float> joined_;  ///< reals, then fakes
  std::vector<float> half_;
};

}  // namespace loe
