#include "loe/signal/field_info.h"

#include <fmt/format.h>

#include <cmath>

#include "base/enum_names.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr detail::EnumNames<DensityActivation, 2> kDensityNames = {
    {{DensityActivation::Relu, "relu"}, {DensityActivation::Softplus, "softplus"}}};
constexpr detail::EnumNames<ColorActivation, 2> kColorNames = {
    {{ColorActivation::Sigmoid, "sigmoid"}, {ColorActivation::Sinh, "sinh"}}};
constexpr detail::EnumNames<ImportanceDraw, 2> kDrawNames = {
    {{ImportanceDraw::Independent, "independent"}, {ImportanceDraw::Stratified, "stratified"}}};
constexpr detail::EnumNames<LastInterval, 2> kLastNames = {
    {{LastInterval::ToFar, "to_far"}, {LastInterval::Infinite, "infinite"}}};

constexpr int kMaxRaySamples = 4096;

}  // namespace

const char* to_string(DensityActivation activation) {
  return detail::enum_name(kDensityNames, activation);
}
const char* to_string(ColorActivation activation) {
  return detail::enum_name(kColorNames, activation);
}
const char* to_string(ImportanceDraw draw) {
  return detail::enum_name(kDrawNames, draw);
}
const char* to_string(LastInterval last) {
  return detail::enum_name(kLastNames, last);
}
DensityActivation density_activation_from_string(const std::string& text) {
  return detail::enum_value(kDensityNames, text, "[rays] density");
}
ColorActivation color_activation_from_string(const std::string& text) {
  return detail::enum_value(kColorNames, text, "[rays] color");
}
ImportanceDraw importance_draw_from_string(const std::string& text) {
  return detail::enum_value(kDrawNames, text, "[rays] importance");
}
LastInterval last_interval_from_string(const std::string& text) {
  return detail::enum_value(kLastNames, text, "[rays] last_interval");
}

void RaySettings::validate() const {
  const auto fail = [](const char* field, const std::string& expected, double found) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[rays] {}: expected {}, got {}", field, expected, found));
  };
  if (n_coarse < 1 || n_coarse > kMaxRaySamples) fail("n_coarse", fmt::format("1..{}", kMaxRaySamples), n_coarse);
  if (n_fine < 0 || n_fine > kMaxRaySamples) fail("n_fine", fmt::format("0..{}", kMaxRaySamples), n_fine);
  if (!std::isfinite(density_shift)) fail("density_shift", "a finite number", density_shift);
  for (const double channel : background) {
    if (!(channel >= 0 && channel <= 1)) fail("background", "numbers in 0..1", channel);
  }
}

}  // namespace loe
