// Settings of a fit, shared by all tasks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/setting_table.h"
#include "loe/base/settings.h"
#include "loe/nn/model.h"
#include "loe/nn/network.h"
#include "loe/signal/pixel_sampling.h"
#include "loe/signal/signal_edit.h"
#include "loe/task/gan_settings.h"
#include "loe/task/scene_settings.h"
#include "loe/train/trainer.h"

namespace loe {

/// What is fitted.
enum class SignalKind {
  Image,  ///< coordinates (x, y)
  Video,  ///< (x, y, t)
  Scene,  ///< a radiance field from posed views: (x, y, z)
  Gan,    ///< a generator of pictures like those of a folder: (x, y) and a latent
};
/// "image", "video", "scene", "gan".
const char* to_string(SignalKind kind);
/// The reverse; Error(InvalidArgument) listing the choices.
SignalKind signal_kind_from_string(const std::string& text);
/// Numbers in a sample's coordinates.
inline int n_dims_of(SignalKind kind) {
  return kind == SignalKind::Image || kind == SignalKind::Gan ? 2 : 3;
}

/// All settings of a fit. Keys of the config file in docs/config.md.
struct FitConfig {
  SignalKind kind = SignalKind::Image;
  std::string preset = "auto";
  uint64_t seed = 0;
  SignalEdit edit;
  NetworkConfig network;  ///< of a scene: RadianceFieldConfig::trunk; of a generator: GeneratorConfig::trunk
  SceneSettings scene;    ///< Scene only
  GanSettings gan;        ///< Gan only
  PixelSampling sampling = PixelSampling::RandomPixels;
  int64_t batch_size = 65536;  ///< pixels; of a scene rays, of a generator pictures
  Precision precision = Precision::F32;
  TrainOptions train;
};

/// Reads typed settings over the built-in defaults (docs/config.md). Lists per axis have n_dims entries. Unknown keys,
/// wrong types and contradictions are Error(InvalidArgument). n_channels comes from the signal.
FitConfig fit_config_from_settings(const Settings& settings, SignalKind kind, int n_channels);
/// Every setting of a fit of this kind, with the default that holds if neither a preset nor the user sets it, in the
/// order of docs/config.md.
std::vector<SettingInfo> setting_infos(SignalKind kind);
/// The networks of a fit: one, of a scene "coarse" and "fine", of a generator with a moving average "generator" and
/// "average". Error(InvalidArgument).
ModelSpec build_model(const FitConfig& config);
/// The keys data.channels, data.crop, data.size, data.frames and data.on_damage alone: the signal must be read and
/// edited before the rest can be resolved.
SignalEdit signal_edit_from_settings(const Settings& settings);
/// The resolved config; fit_config_from_settings(fit_config_to_settings(c), kind, n) == c.
Settings fit_config_to_settings(const FitConfig& config);

/// 16 hex digits over all settings that determine the parameters after a step, and over the signal: its shape in words
/// and its bytes, piece by piece. Stopping rules other than max_steps, cadences, the preset's name and settings at
/// their defaults do not count: a run can still be resumed after a version adds a key.
std::string fit_config_hash(const FitConfig& config, const std::string& shape,
                            std::span<const std::span<const std::byte>> content);

}  // namespace loe
