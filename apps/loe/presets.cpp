// `loe presets`: the configs that ship with the program.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "loe/base/error.h"
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

struct TaskPresets {
  std::vector<PresetInfo> presets;
  std::function<Settings(const std::string& name)> preset;
};

/// As a config to start from.
int print_preset(const std::string& name) {
  const TaskPresets tasks[] = {{image_presets(), [](const std::string& text) { return image_preset(text); }},
                               {video_presets(), [](const std::string& text) { return video_preset(text); }},
                               {scene_presets(), scene_preset},
                               {gan_presets(), gan_preset}};
  std::vector<std::string> names;
  for (const TaskPresets& task : tasks) {
    for (const PresetInfo& preset : task.presets) {
      if (preset.name == name) {
        fmt::print("{}", config_to_toml(task.preset(name)));
        return 0;
      }
      if (std::find(names.begin(), names.end(), preset.name) == names.end()) names.push_back(preset.name);
    }
  }
  const std::string match = closest_match(name, names);
  throw Error(ErrorKind::NotFound,
              fmt::format("[preset] name: expected one of {}, got \"{}\"; {}", fmt::join(names, ", "), name,
                          match.empty() ? "choose one of them" : fmt::format("did you mean {}?", match)));
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
