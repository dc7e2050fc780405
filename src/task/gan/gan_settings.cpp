#include "task/gan/gan_settings.h"

#include <fmt/format.h>

#include <cmath>

#include "loe/base/error.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

constexpr int kMinResolution = 16;
constexpr int kMaxResolution = 4096;
constexpr int kMaxPictures = 1 << 24;
constexpr std::size_t kMaxHiddenLayers = 7;

std::vector<int> get_channels(const Settings& settings, const std::string& key, const std::vector<int>& fallback) {
  if (!settings.contains(key)) return fallback;
  std::vector<int> channels;
  const std::vector<double> list = settings.get_list(key, {});
  for (const double value : list) {
    if (!(value >= 1 && value <= kMaxWidth) || value != std::floor(value)) {
      throw Error(ErrorKind::InvalidArgument, fmt::format("[config] {} ({}): expected whole numbers in 1..{}, got {}",
                                                          key, settings.entries().at(key).origin, kMaxWidth, value));
    }
    channels.push_back(static_cast<int>(value));
  }
  if (channels.empty() || channels.size() > kMaxHiddenLayers) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[config] {} ({}): expected 1..{} numbers, got {}", key, settings.entries().at(key).origin,
                            kMaxHiddenLayers, channels.size()));
  }
  return channels;
}

}  // namespace

const std::vector<std::string>& gan_keys() {
  static const std::vector<std::string> keys = {
      "model.n_latents",     "model.output_activation", "model.discriminator", "train.discriminator_rate",
      "train.average_decay", "train.n_evaluated",       "data.resolution",     "data.flip",
      "data.min_pictures"};
  return keys;
}

GanSettings gan_settings_from(const Settings& settings) {
  GanSettings gan;
  gan.resolution = get_small_int(settings, "data.resolution", gan.resolution, kMinResolution, kMaxResolution);
  gan.flip = settings.get_bool("data.flip", gan.flip);
  gan.min_pictures = get_small_int(settings, "data.min_pictures", gan.min_pictures, 1, kMaxPictures);
  gan.n_latents = get_small_int(settings, "model.n_latents", gan.n_latents, 1, kMaxWidth);
  gan.output_activation = activation_kind_from_string(
      settings.get_choice("model.output_activation", to_string(gan.output_activation), {"tanh", "identity"}));
  gan.discriminator_channels = get_channels(settings, "model.discriminator", gan.discriminator_channels);
  gan.discriminator_rate = settings.get_double("train.discriminator_rate", gan.discriminator_rate, 0, 1e6);
  gan.average_decay = settings.get_double("train.average_decay", gan.average_decay, 0, std::nextafter(1.0, 0.0));
  gan.n_evaluated = get_small_int(settings, "train.n_evaluated", gan.n_evaluated, 16, kMaxPictures);
  return gan;
}

void write_gan_settings(const GanSettings& gan, const std::string& origin, Settings& settings) {
  const auto set = [&](const char* key, SettingValue value) { settings.set(key, std::move(value), origin); };
  set("data.resolution", int64_t{gan.resolution});
  set("data.flip", gan.flip);
  set("data.min_pictures", int64_t{gan.min_pictures});
  set("model.n_latents", int64_t{gan.n_latents});
  set("model.output_activation", std::string(to_string(gan.output_activation)));
  set("model.discriminator", std::vector<double>(gan.discriminator_channels.begin(), gan.discriminator_channels.end()));
  set("train.discriminator_rate", gan.discriminator_rate);
  set("train.average_decay", gan.average_decay);
  set("train.n_evaluated", int64_t{gan.n_evaluated});
}

}  // namespace loe
