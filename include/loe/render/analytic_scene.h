// A scene made of formulas: posed views of any number and size without a data set, and truth to compare with.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "loe/base/thread_pool.h"
#include "loe/render/rays.h"
#include "loe/signal/image.h"
#include "loe/signal/scene.h"

namespace loe {

/// Density and colour in [-0.5, 0.5]^3, y up: a chequered ball, a striped torus, two boxes (one with fine bricks), four
/// thin rods, a marbled plate below and a translucent cloud. Textures have periods from 0.3 down to 0.02.
///
///   sigma(p) = sum over shapes k of sigma_k(p),   sigma_k(p) = d_k S(1/2 - f_k(p) / w_k),
///
/// f_k: signed distance to the shape (negative inside), d_k: its density, w_k: width of its soft surface, S:
/// smoothstep. So sigma is exactly 0 at distances of w_k / 2 and more from every shape. Colours are albedo times
/// ambient and diffuse light of one lamp, plus a highlight that depends on the direction of view.
///
/// All functions may be called from any thread; same arguments, same bits.
class AnalyticScene {
 public:
  /// Density per unit of length. 0 outside of the ball of radius 0.5 around the origin.
  double density(const std::array<double, 3>& p) const;

  struct Sample {
    float sigma = 0;
    std::array<float, 3> color{};  ///< in [0, 1]; 0 where sigma is 0
  };
  /// Density and colour seen along `direction` (of length 1, away from the camera). The colours of shapes that share
  /// space are averaged by their densities.
  Sample sample(const std::array<double, 3>& p, const std::array<double, 3>& direction) const;

  /// The density is 0 in the ball of this radius around p; 0 where it may not be.
  double clearance(const std::array<double, 3>& p) const;

  /// Boxes in free space between and above the shapes, in which the density is exactly 0 and which cameras look
  /// through: what a fit shows there is an artefact ("floater").
  static std::span<const Box> empty_boxes();
};

/// Quadrature of eq. 6 along each pixel's ray.
struct RenderedView {
  Image color;                 ///< F32 RGB over the background
  std::vector<float> opacity;  ///< [height, width]
  std::vector<float> depth;    ///< [height, width], see RayOutputs
};

/// Truth for a view of the scene: eq. 6 with the middles of n_samples equal intervals of each ray's way through the
/// box, by volume_render. Samples whose density is known to be 0 are skipped, and those behind a transmittance of 1e-5;
/// else it is the plain sum. 1,024 samples are 1.5 thousandths apart, an eighth of the pitch of a 128 x 128 view.
///   background  [3]
/// Cost: about 0.1 s for 128 x 128 pixels on one core. Same bits for any pool.
/// Throws Error(InvalidArgument) if n_samples is not in 1..65536 or the background not 3 numbers.
RenderedView render_view(const AnalyticScene& scene, const View& view, int n_samples, std::span<const float> background,
                         ThreadPool* pool = nullptr);

/// n_train cameras of `size` x `size` pixels on a zone of the sphere of radius 1.6 around the origin, from 15 degrees
/// below the horizon to 70 above, all looking at the centre, and n_test others in between. Camera k of n stands on
/// Fibonacci's lattice: equal steps in height, azimuth k times the golden angle; test cameras at fractional k. Format
/// "analytic", names "train_000", "test_000"; there are no image files (image_path is empty), white background.
/// Throws Error(InvalidArgument) unless n_train, n_test are in 1..10000 and size in 1..4096.
Scene analytic_views(int n_train, int n_test, int size);

}  // namespace loe
