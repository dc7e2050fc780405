// What must be known of a fitted radiance field to look at it without the photos it was fitted to.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "loe/signal/camera.h"

namespace loe {

/// sigma from the network's raw output.
enum class DensityActivation {
  Relu,      ///< max(0, raw + shift): published NeRF
  Softplus,  ///< log(1 + exp(raw + shift)): mip-NeRF, with shift = -1
};
/// "relu", "softplus".
const char* to_string(DensityActivation activation);
DensityActivation density_activation_from_string(const std::string& text);

/// Colours from the network's raw outputs, and the scale on which rendered ones are compared.
enum class ColorActivation {
  Sigmoid,  ///< c = 1 / (1 + exp(-raw)), in [0, 1]; compared as they are
  Sinh,     ///< c = sinh(raw): any radiance, also above 1 or below 0; compared by asinh, linear near 0 and logarithmic
            ///< for bright ones
};
/// "sigmoid", "sinh".
const char* to_string(ColorActivation activation);
ColorActivation color_activation_from_string(const std::string& text);

/// How the fine samples of a ray are drawn.
enum class ImportanceDraw {
  Independent,  ///< u_k independent and uniform; without jitter k / (n - 1), from 0 to 1: published NeRF
  Stratified,   ///< u_k uniform in [k / n, (k + 1) / n); without jitter the middle: mip-NeRF. Less noise
};
/// "independent", "stratified".
const char* to_string(ImportanceDraw draw);
ImportanceDraw importance_draw_from_string(const std::string& text);

/// How long the last sample's interval is.
enum class LastInterval {
  ToFar,     ///< far - t_last: density ends at the box
  Infinite,  ///< 1e10: any density at the last sample makes the ray opaque, as published NeRF has it
};
/// "to_far", "infinite".
const char* to_string(LastInterval last);
/// As the other ..._from_string: Error(InvalidArgument) listing the choices.
LastInterval last_interval_from_string(const std::string& text);

/// How a ray becomes a colour: n_coarse samples of the coarse network, one per equal bin of the ray; n_fine more where
/// those found something; the fine network on all of them (paper.md, Table 3).
struct RaySettings {
  int n_coarse = 96;  ///< 1..4096
  int n_fine = 192;   ///< 0..4096
  ImportanceDraw importance = ImportanceDraw::Independent;
  DensityActivation density = DensityActivation::Relu;
  double density_shift = 0;  ///< added to the raw output first
  ColorActivation color = ColorActivation::Sigmoid;
  LastInterval last = LastInterval::ToFar;
  std::array<double, 3> background = {0, 0, 0};  ///< in [0, 1], what a ray sees that meets nothing
  /// Error(InvalidArgument) naming the field.
  void validate() const;
  bool operator==(const RaySettings&) const = default;
};

/// Calls visit(name, value) for each setting, by the names that files and reports give them; choices as their names.
template <typename Visit>
void visit_settings(const RaySettings& rays, const Visit& visit) {
  visit("n_coarse", rays.n_coarse);
  visit("n_fine", rays.n_fine);
  visit("importance", to_string(rays.importance));
  visit("density", to_string(rays.density));
  visit("density_shift", rays.density_shift);
  // Left out where it is what it was before there was a choice: files of then and now are the same.
  if (rays.color != ColorActivation::Sigmoid) visit("color", to_string(rays.color));
  visit("last_interval", to_string(rays.last));
  visit("background", rays.background);
}

/// A radiance field in [-0.5, 0.5]^3 and the world around it: normalised = (world - centre) * scale.
struct FieldInfo {
  RaySettings rays;
  std::array<double, 3> centre{};
  double scale = 1;
  std::array<double, 3> box_min = {-0.5, -0.5, -0.5};  ///< rays are sampled in this box only
  std::array<double, 3> box_max = {0.5, 0.5, 0.5};
  Intrinsics intrinsics;  ///< of the first view
  double near = 0;        ///< limits along the first view's axis, both 0: none
  double far = 0;
  std::vector<Pose> poses;  ///< at most kMaxFieldPoses of the cameras it was fitted to, evenly chosen: what paths are
                            ///< laid through
};

inline constexpr int kMaxFieldPoses = 64;

}  // namespace loe
