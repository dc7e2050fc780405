// Shared by the config and the presets of the tasks.
#pragma once

#include <string>
#include <vector>

#include "loe/base/setting_table.h"
#include "loe/task/fit_config.h"

namespace loe {

/// fit_config_to_settings with every entry's origin set to `origin` ("preset toy").
Settings config_to_settings(const FitConfig& config, const std::string& origin);

/// model.input and the keys of embedding and grid as a user writes them; a NetworkConfig holds what they come to.
struct InputDraft {
  std::string kind;  ///< model.input: an InputKind, "grid" or "encoding_and_grid"
  bool has_embedding = false;
  EmbeddingSpec embedding;
  int n_grid_levels = 8;
};
InputDraft input_draft(const NetworkConfig& network);
/// What the first level reads: model.input and the keys of encoding, embedding and grid.
SettingTable input_setting_table(NetworkConfig& network, InputDraft& draft);
/// What was read into `draft` becomes the network's. Error(InvalidArgument) for keys that contradict each other.
void apply_input(const Settings& settings, const InputDraft& draft, NetworkConfig& network);

/// Levels, layout, activation, range: the other keys of [model], those of the input between them.
SettingTable network_setting_table(NetworkConfig& network, InputDraft& draft);
SettingTable train_setting_table(TrainOptions& train);
/// Every setting of the config's kind of signal, bound to `config` and `input`.
SettingTable fit_setting_table(FitConfig& config, InputDraft& input);
/// What holds before any setting is read.
FitConfig default_fit_config(SignalKind kind, int n_channels);

/// "[x, y]" or "[x, y, t]".
inline const char* axes_text(int n_dims) {
  return n_dims == 2 ? "[x, y]" : "[x, y, t]";
}

/// Appends a level with the same number of experts and the same resolution along every axis; 1 beyond n_dims.
void add_level(NetworkConfig& network, int width, int n, double resolution);

/// What a config that names no preset starts from: the network "Ours" of Table 5, 2 or 3.
NetworkConfig default_network(SignalKind kind);

/// What a task throws for a name that is none of its `fixed` presets: Error(NotFound) with the closest one, or
/// Error(InvalidArgument) for "auto", which is made by `automatic`. noun: "picture".
[[noreturn]] void refuse_preset(const std::string& name, const std::vector<std::string>& fixed, const char* noun,
                                const char* automatic);

}  // namespace loe
