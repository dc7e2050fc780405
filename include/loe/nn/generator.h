// The generator of a coordinate GAN: one position-dependent network for a distribution of pictures.
#pragma once

#include "loe/backend/network_spec.h"
#include "loe/nn/network.h"

namespace loe {

/// [gamma(p) | embedding | z] -> first layer -> phi -> residual blocks -> head -> psi.
///
/// A block is x -> phi(L2 phi(L1(p) x) + S x): L1 position-dependent, L2 plain, S the identity or, where the width
/// changes, a plain projection without bias. The latent z, n_latents numbers that are the same for all samples of a
/// picture, is the network's only feature of the caller. The paper's Table 4 says "8 layers with residual connections",
/// its Fig. 10 is lost; widths 512, then 7 blocks of 256, z of 256 and 6 x 6 experts in every L1 give its 1.26 M MACs
/// (1,263,360) and 19.6 M parameters (19,617,539).
struct GeneratorConfig {
  /// widths, tiles and grids: of the first layer, then of each block's L1. n_channels 3, output_range where the head's
  /// values 0 and 1 of the signal lie.
  NetworkConfig trunk;
  int n_latents = 256;                                      ///< 1..kMaxWidth
  ActivationKind output_activation = ActivationKind::Tanh;  ///< psi
};

/// Layers "levels.0", "blocks.<i>.shortcut" (where widths differ), "blocks.<i>.0", "blocks.<i>.1", "head".
/// Error(InvalidArgument) naming the field.
NetworkSpec build_generator(const GeneratorConfig& config);

}  // namespace loe
