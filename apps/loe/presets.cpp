// `loe presets`: the configs that ship with the program.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "loe/io/config_file.h"
#include "loe/task/gan_presets.h"
#include "loe/task/image_presets.h"
#include "loe/task/scene_presets.h"
#include "loe/task/video_presets.h"

namespace loe::app {
namespace {

int print_presets(bool json) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  const auto add = [&](const char* task, const std::vector<PresetInfo>& presets) {
    for (const PresetInfo& preset : presets) {
      if (json) {
        list.push_back(
            {{"name", preset.name}, {"task", task}, {"summary", preset.summary}, {"expected", preset.expected}});
      } else {
        fmt::print("{:<10} {:<6} {}\n                  {}\n", preset.name, task, preset.summary, preset.expected);
      }
    }
  };
  add("image", image_presets());
  add("video", video_presets());
  add("scene", scene_presets());
  add("gan", gan_presets());
  if (json) std::puts(list.dump().c_str());
  return 0;
}

/// As a config to start from.
int print_preset(const std::string& name) {
  const auto is_one_of = [&](const std::vector<PresetInfo>& presets) {
    return name != "auto" &&
           std::any_of(presets.begin(), presets.end(), [&](const PresetInfo& preset) { return preset.name == name; });
  };
  const Settings preset = is_one_of(image_presets())   ? image_preset(name)
                          : is_one_of(video_presets()) ? video_preset(name)
                          : is_one_of(scene_presets()) ? scene_preset(name)
                          : is_one_of(gan_presets())   ? gan_preset(name)
                                                       : image_preset(name);
  fmt::print("{}", config_to_toml(preset));
  return 0;
}

}  // namespace

void add_presets_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("presets", "the configs that ship with the program");
  auto json = std::make_shared<bool>(false);
  auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "print this preset as a config file");
  command->add_flag("--json", *json, "print one line of JSON");
  command->callback([json, name, &invocation] {
    invocation.run = [json, name] { return name->empty() ? print_presets(*json) : print_preset(*name); };
  });
}

}  // namespace loe::app
