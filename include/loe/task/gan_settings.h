// What a generator's fit has beside the settings of every fit.
#pragma once

#include <cstdint>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/base/settings.h"

namespace loe {

/// Settings of a coordinate GAN; keys in docs/config.md.
struct GanSettings {
  int resolution = 64;    ///< R: pictures are cropped to their middle square and reduced to R x R; 16..4096
  bool flip = false;      ///< mirrors each picture of a batch with probability 1/2
  int min_pictures = 16;  ///< fewer usable pictures are an error
  int n_latents = 256;
  ActivationKind output_activation = ActivationKind::Tanh;
  /// Of the hidden layers of each of the two discriminators, 1..7 of them.
  std::vector<int> discriminator_channels = {64, 128, 256, 512};
  double discriminator_rate = 1;  ///< the discriminators' learning rate as a multiple of the generator's
  /// Decay of a moving average of the generator's parameters, which then makes the pictures that are shown; 0: none, as
  /// the paper.
  double average_decay = 0;
  int n_evaluated = 1000;  ///< pictures that an evaluation generates, 16 or more
  bool operator==(const GanSettings&) const = default;
};

/// Reads the keys of a generator's fit; other keys are left alone. Error(InvalidArgument).
GanSettings gan_settings_from(const Settings& settings);

}  // namespace loe
