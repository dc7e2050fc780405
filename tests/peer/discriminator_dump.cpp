// Writes what a discriminator's step is given and what it gives, for discriminator_torch.py to do again in PyTorch.
//   discriminator_dump OUT.safetensors HEIGHT WIDTH
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "loe/io/safetensors.h"
#include "loe/nn/discriminator.h"

namespace {

using namespace loe;

/// Smooth pictures of a brightness, with noise: scores on both sides of the hinge's kinks.
std::vector<float> pictures_of(int64_t n, MapSize size, float brightness, uint64_t seed) {
  std::vector<float> pictures(n * 3 * size.n_pixels());
  for (size_t k = 0; k < pictures.size(); ++k) {
    const float noise = 2 * to_unit_float(random_words(seed, RandomStream::Samples, k)[0]) - 1;
    pictures[k] = 0.6F * noise + 0.4F * brightness;
  }
  return pictures;
}

void dump(const std::string& path, MapSize size) {
  constexpr int64_t kReal = 5;
  constexpr int64_t kFake = 4;
  const DiscriminatorConfig config{.widths = {16, 32, 48}};
  const std::vector<float> real = pictures_of(kReal, size, 1, 1);
  const std::vector<float> fake = pictures_of(kFake, size, -1, 2);
  const PictureBatch real_batch{kReal, size, real};
  const PictureBatch fake_batch{kFake, size, fake};

  Discriminator discriminator(config, "cpu", 2);
  std::vector<float> before = initial_discriminator_state(config, 3);
  discriminator.set_state(before);
  // Some steps, so that moments and vectors are those of a training.
  AdamUpdate update{.learning_rate = 1e-3, .beta1 = 0.5};
  for (update.t = 1; update.t <= 3; ++update.t) {
    discriminator.train_step(real_batch, fake_batch, update, before);
  }
  std::vector<float> grads(discriminator.n_params());
  discriminator.gradients(real_batch, fake_batch, before, grads);
  std::vector<float> after = before;
  const auto loss_d = static_cast<float>(discriminator.train_step(real_batch, fake_batch, update, after));
  std::vector<float> fake_grads(fake.size());
  const auto loss_g = static_cast<float>(discriminator.generator_loss(fake_batch, fake_grads));

  std::vector<TensorView> tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, std::span<const float> data) {
    tensors.push_back({name, std::move(shape), data});
  };
  for (const TensorInfo& tensor : discriminator_tensors(config)) {
    add("before." + tensor.name, tensor.shape, std::span<const float>(before).subspan(tensor.offset, tensor.size()));
    add("after." + tensor.name, tensor.shape, std::span<const float>(after).subspan(tensor.offset, tensor.size()));
    if (tensor.offset < discriminator.n_params()) {
      add("grads." + tensor.name, tensor.shape, std::span<const float>(grads).subspan(tensor.offset, tensor.size()));
    }
  }
  add("real", {kReal, 3, size.height, size.width}, real);
  add("fake", {kFake, 3, size.height, size.width}, fake);
  add("fake_grads", {kFake, 3, size.height, size.width}, fake_grads);
  add("loss_d", {1}, {&loss_d, 1});
  add("loss_g", {1}, {&loss_g, 1});
  write_safetensors(path, tensors, {{"t", std::to_string(update.t)}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: discriminator_dump OUT.safetensors HEIGHT WIDTH\n");
    return 2;
  }
  try {
    dump(argv[1], {std::atoi(argv[2]), std::atoi(argv[3])});
  } catch (const loe::Error& error) {
    std::fprintf(stderr, "discriminator_dump: %s\n", error.what());
    return 1;
  }
  return 0;
}
