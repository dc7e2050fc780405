#include "loe/nn/discriminator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "loe/backend/adam.h"
#include "loe/base/error.h"
#include "nn/half_scale.h"
#include "nn/hinge.h"
#include "nn/initial_values.h"
#include "nn/spectral_norm.h"

namespace loe {
namespace {

constexpr int kInitialPowerIterations = 15;
/// Parameters that one thread updates at a time.
constexpr int64_t kAdamChunk = 65536;

[[noreturn]] void fail(const std::string& message) {
  throw Error(ErrorKind::InvalidArgument, "[discriminator] " + message);
}

/// Sum of the lengths of a scale's vectors u.
int64_t n_vectors(const ConvNetSpec& spec) {
  int64_t n = 0;
  for (const ConvLayerSpec& layer : spec.layers) {
    n += layer.n_out;
  }
  return n;
}

/// Where the parameters, moments and vectors of a state start.
struct StateLayout {
  int64_t n_params;  ///< of both scales
  int64_t adam_m;
  int64_t adam_v;
  int64_t vectors;
  int64_t size;

  explicit StateLayout(const ConvNetSpec& spec)
      : n_params(kDiscriminatorScales * spec.n_params()),
        adam_m(n_params),
        adam_v(2 * n_params),
        vectors(3 * n_params),
        size(3 * n_params + kDiscriminatorScales * n_vectors(spec)) {}
};

/// L_D over reals followed by fakes.
class HingeObjective final : public PictureObjective {
 public:
  HingeObjective(int64_t n_real, int64_t n_fake, int64_t n_patches)
      : n_real_(n_real),
        n_patches_(n_patches),
        real_share_(1.0 / static_cast<double>(kDiscriminatorScales * n_real * n_patches)),
        fake_share_(1.0 / static_cast<double>(kDiscriminatorScales * n_fake * n_patches)) {}

  double loss(int64_t first, int64_t count, const float* outputs, float* output_grads) const override {
    double sum = 0;
    for (int64_t i = 0; i < count * n_patches_; ++i) {
      const bool is_real = first + i / n_patches_ < n_real_;
      const double share = is_real ? real_share_ : fake_share_;
      const LossAndSlope<double> term = hinge(static_cast<double>(outputs[i]), is_real);
      sum += share * term.loss;
      output_grads[i] = static_cast<float>(share * term.slope);
    }
    return sum;
  }

 private:
  int64_t n_real_;
  int64_t n_patches_;
  double real_share_;
  double fake_share_;
};

/// L_G.
class GeneratorObjective final : public PictureObjective {
 public:
  GeneratorObjective(int64_t n_pictures, int64_t n_patches)
      : n_patches_(n_patches), share_(1.0 / static_cast<double>(kDiscriminatorScales * n_pictures * n_patches)) {}

  double loss(int64_t, int64_t count, const float* outputs, float* output_grads) const override {
    double sum = 0;
    for (int64_t i = 0; i < count * n_patches_; ++i) {
      sum -= share_ * static_cast<double>(outputs[i]);
      output_grads[i] = static_cast<float>(-share_);
    }
    return std::isfinite(sum) ? sum : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  int64_t n_patches_;
  double share_;
};

}  // namespace

ConvNetSpec build_discriminator(const DiscriminatorConfig& config) {
  if (config.widths.empty()) {
    fail("widths: expected one number for each hidden layer, got none; 64, 128, 256, 512 are usual");
  }
  ConvNetSpec spec;
  int n_in = config.n_channels;
  for (size_t i = 0; i <= config.widths.size(); ++i) {
    const bool is_last = i == config.widths.size();
    const Activation leaky{ActivationKind::LeakyRelu, config.slope};
    const ConvLayerSpec layer{.n_in = n_in,
                              .n_out = is_last ? 1 : config.widths[i],
                              .kernel = 3,
                              .stride = 2,
                              .padding = 1,
                              .activation = is_last ? Activation{} : leaky};
    n_in = layer.n_out;
    spec.layers.push_back(layer);
  }
  spec.validate();
  return spec;
}

std::vector<TensorInfo> discriminator_tensors(const DiscriminatorConfig& config) {
  const ConvNetSpec spec = build_discriminator(config);
  std::vector<TensorInfo> tensors;
  int64_t offset = 0;
  for (const char* prefix : {"", "adam_m.", "adam_v."}) {
    for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
      for (TensorInfo tensor : spec.tensors()) {
        tensor.name = fmt::format("{}scale{}.{}", prefix, scale, tensor.name);
        tensor.offset += offset;
        tensors.push_back(std::move(tensor));
      }
      offset += spec.n_params();
    }
  }
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    for (size_t i = 0; i < spec.layers.size(); ++i) {
      tensors.push_back({fmt::format("scale{}.layers.{}.u", scale, i), {spec.layers[i].n_out}, offset});
      offset += spec.layers[i].n_out;
    }
  }
  return tensors;
}

int64_t discriminator_state_size(const DiscriminatorConfig& config) {
  return StateLayout(build_discriminator(config)).size;
}

std::vector<float> initial_discriminator_state(const DiscriminatorConfig& config, uint64_t seed) {
  const ConvNetSpec spec = build_discriminator(config);
  const StateLayout layout(spec);
  std::vector<float> state(layout.size, 0.0F);
  int64_t u_offset = layout.vectors;
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
      const ConvLayerSpec& layer = spec.layers[i];
      const int64_t offset = scale * spec.n_params() + spec.weight_offset(i);
      const int64_t fan_in = int64_t{layer.n_in} * layer.kernel * layer.kernel;
      fill_uniform(state, offset, layer.n_weights(), kaiming_bound(config.slope, fan_in), seed,
                   RandomStream::Discriminator);
      fill_uniform(state, u_offset, layer.n_out, 1, seed, RandomStream::Discriminator);
      const auto weight = std::span<const float>(state).subspan(offset, layer.n_weights());
      std::vector<double> u(state.begin() + u_offset, state.begin() + u_offset + layer.n_out);
      for (int iteration = 0; iteration < kInitialPowerIterations; ++iteration) {
        u = spectral_norm(weight, std::span<const double>(u), true).u;
      }
      std::copy(u.begin(), u.end(), state.begin() + u_offset);
      u_offset += layer.n_out;
    }
  }
  return state;
}

Discriminator::Discriminator(const DiscriminatorConfig& config, const std::string& device, int n_threads)
    : pool_(n_threads) {
  const ConvNetSpec network = build_discriminator(config);
  int64_t u_offset = StateLayout(network).vectors;
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    executors_[scale] = compile_conv(device, network, n_threads);
    for (int i = 0; i < static_cast<int>(network.layers.size()); ++i) {
      Weight weight;
      weight.scale = scale;
      weight.offset = scale * network.n_params() + network.weight_offset(i);
      weight.u_offset = u_offset;
      weight.size = network.layers[i].n_weights();
      weight.n_rows = network.layers[i].n_out;
      u_offset += weight.n_rows;
      weights_.push_back(std::move(weight));
    }
  }
  normalised_.resize(n_params());
}

int64_t Discriminator::state_size() const {
  return StateLayout(spec()).size;
}

int64_t Discriminator::macs(MapSize picture) const {
  return spec().macs(picture) + spec().macs(HalfScale::half(picture));
}

std::vector<KernelInfo> Discriminator::kernels(MapSize picture) {
  std::vector<KernelInfo> all = executors_[0]->kernels(picture);
  for (KernelInfo& kernel : executors_[1]->kernels(HalfScale::half(picture))) {
    all.push_back(std::move(kernel));
  }
  return all;
}

int64_t Discriminator::memory_bytes() const {
  const size_t n_floats = normalised_.capacity() + grads_.capacity() + joined_.capacity() + half_.capacity();
  return static_cast<int64_t>(n_floats * sizeof(float)) + executors_[0]->memory_bytes() + executors_[1]->memory_bytes();
}

void Discriminator::check_state(std::size_t size) const {
  if (static_cast<int64_t>(size) != state_size()) {
    fail(fmt::format("state: expected {} numbers, got {}; use a state of the same widths", state_size(), size));
  }
}

void Discriminator::check_batch(const char* what, const PictureBatch& batch) const {
  if (batch.n_pictures < 1) {
    fail(fmt::format("{}: expected 1 picture or more, got {}; pass some", what, batch.n_pictures));
  }
  // By division: a number of pictures may be anything.
  const int64_t n_values = spec().n_in() * spec().map_sizes(batch.size).front().n_pixels();
  const auto n_found = static_cast<int64_t>(batch.pictures.size());
  if (n_found % n_values != 0 || n_found / n_values != batch.n_pictures) {
    fail(fmt::format("{}: expected {} numbers for each of {} pictures, got {} in all; pass [n, {}, {}, {}]", what,
                     n_values, batch.n_pictures, n_found, spec().n_in(), batch.size.height, batch.size.width));
  }
}

void Discriminator::set_state(std::span<const float> state) {
  check_state(state.size());
  normalise(state, false);
}

/// Fills weights_ and normalised_ and hands both executors theirs.
void Discriminator::normalise(std::span<const float> state, bool advances) {
  std::copy(state.begin(), state.begin() + n_params(), normalised_.begin());
  pool_.parallel_for(static_cast<int64_t>(weights_.size()), [&](int64_t index, int) {
    Weight& weight = weights_[index];
    SpectralNorm norm = spectral_norm(state.subspan(weight.offset, weight.size),
                                      state.subspan(weight.u_offset, weight.n_rows), advances);
    weight.sigma = norm.sigma;
    weight.u = std::move(norm.u);
    weight.v = std::move(norm.v);
    for (int64_t i = weight.offset; i < weight.offset + weight.size; ++i) {
      normalised_[i] = static_cast<float>(normalised_[i] / weight.sigma);
    }
  });
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    executors_[scale]->set_params(
        std::span<const float>(normalised_).subspan(scale * spec().n_params(), spec().n_params()));
  }
}

PictureBatch Discriminator::at_scale(const PictureBatch& batch, int scale) {
  if (scale == 0) {
    return batch;
  }
  const HalfScale half(batch.size);
  const int64_t n_planes = batch.n_pictures * spec().n_in();
  half_.resize(n_planes * half.output().n_pixels());
  pool_.parallel_for(n_planes, [&](int64_t plane, int) {
    half.forward(batch.pictures.data() + plane * batch.size.n_pixels(),
                 half_.data() + plane * half.output().n_pixels());
  });
  return {batch.n_pictures, half.output(), half_};
}

/// L_D and its gradient after a power iteration, which weights_ keeps.
double Discriminator::advanced_gradients(const PictureBatch& real, const PictureBatch& fake,
                                         std::span<const float> state, std::span<float> param_grads) {
  check_state(state.size());
  check_batch("real", real);
  check_batch("fake", fake);
  if (real.size != fake.size) {
    fail(fmt::format("fake: expected {} x {} pixels like the real pictures, got {} x {}; resize one of them",
                     real.size.width, real.size.height, fake.size.width, fake.size.height));
  }
  normalise(state, true);
  joined_.assign(real.pictures.begin(), real.pictures.end());
  joined_.insert(joined_.end(), fake.pictures.begin(), fake.pictures.end());
  const PictureBatch both{real.n_pictures + fake.n_pictures, real.size, joined_};
  double loss = 0;
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    const PictureBatch batch = at_scale(both, scale);
    const HingeObjective objective(real.n_pictures, fake.n_pictures, spec().output_size(batch.size).n_pixels());
    loss += executors_[scale]->gradients(batch, objective,
                                         param_grads.subspan(scale * spec().n_params(), spec().n_params()), {});
  }
  pool_.parallel_for(static_cast<int64_t>(weights_.size()), [&](int64_t index, int) {
    const Weight& weight = weights_[index];
    spectral_norm_backward<float>(weight.sigma, weight.u, weight.v,
                                  std::span<const float>(normalised_).subspan(weight.offset, weight.size),
                                  param_grads.subspan(weight.offset, weight.size));
  });
  return loss;
}

double Discriminator::gradients(const PictureBatch& real, const PictureBatch& fake, std::span<const float> state,
                                std::span<float> param_grads) {
  if (static_cast<int64_t>(param_grads.size()) != n_params()) {
    fail(fmt::format("param_grads: expected {} numbers (both scales), got {}; correct it", n_params(),
                     param_grads.size()));
  }
  const double loss = advanced_gradients(real, fake, state, param_grads);
  normalise(state, false);
  return loss;
}

double Discriminator::train_step(const PictureBatch& real, const PictureBatch& fake, const AdamUpdate& update,
                                 std::span<float> state) {
  validate(update);
  grads_.resize(n_params());
  const double loss = advanced_gradients(real, fake, state, grads_);
  if (std::isfinite(loss)) {
    const StateLayout layout(spec());
    const AdamScalars scalars(update);
    float* m = state.data() + layout.adam_m;
    float* v = state.data() + layout.adam_v;
    pool_.parallel_for((layout.n_params + kAdamChunk - 1) / kAdamChunk, [&](int64_t chunk, int) {
      const int64_t end = std::min(layout.n_params, (chunk + 1) * kAdamChunk);
      for (int64_t i = chunk * kAdamChunk; i < end; ++i) {
        adam_update(scalars, grads_[i], state[i], m[i], v[i]);
      }
    });
    for (const Weight& weight : weights_) {
      std::copy(weight.u.begin(), weight.u.end(), state.begin() + weight.u_offset);
    }
  }
  normalise(state, false);
  return loss;
}

double Discriminator::generator_loss(const PictureBatch& fake, std::span<float> picture_grads) {
  check_batch("fake", fake);
  if (!picture_grads.empty() && picture_grads.size() != fake.pictures.size()) {
    fail(fmt::format("picture_grads: expected {} numbers like the pictures, got {}; correct it", fake.pictures.size(),
                     picture_grads.size()));
  }
  double loss = 0;
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    const PictureBatch batch = at_scale(fake, scale);
    const GeneratorObjective objective(batch.n_pictures, spec().output_size(batch.size).n_pixels());
    if (scale == 0 || picture_grads.empty()) {
      loss += executors_[scale]->gradients(batch, objective, {}, picture_grads);
      continue;
    }
    grads_.resize(batch.pictures.size());
    loss += executors_[scale]->gradients(batch, objective, {}, grads_);
    const HalfScale half(fake.size);
    pool_.parallel_for(fake.n_pictures * spec().n_in(), [&](int64_t plane, int) {
      half.add_adjoint(grads_.data() + plane * batch.size.n_pixels(),
                       picture_grads.data() + plane * fake.size.n_pixels());
    });
  }
  return loss;
}

std::array<double, kDiscriminatorScales> Discriminator::scores(const PictureBatch& pictures) {
  check_batch("pictures", pictures);
  std::array<double, kDiscriminatorScales> means{};
  for (int scale = 0; scale < kDiscriminatorScales; ++scale) {
    const PictureBatch batch = at_scale(pictures, scale);
    std::vector<float> maps(batch.n_pictures * spec().output_size(batch.size).n_pixels());
    executors_[scale]->forward(batch, maps);
    for (const float score : maps) {
      means[scale] += static_cast<double>(score) / static_cast<double>(maps.size());
    }
  }
  return means;
}

}  // namespace loe
