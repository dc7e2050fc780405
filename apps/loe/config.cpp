// `loe config`: every setting of a fit, with type, default, range and meaning.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "loe/base/error.h"
#include "loe/fitting/fit_job.h"
#include "loe/task/fit_config.h"

namespace loe::app {
namespace {

struct ConfigFlags {
  std::string key;
  std::string task = "image";
  bool list = false;
  bool json = false;
  bool markdown = false;
};

using Infos = std::vector<SettingInfo>;

const SettingInfo* find(const Infos& infos, const std::string& key) {
  const auto info = std::find_if(infos.begin(), infos.end(), [&](const SettingInfo& i) { return i.key == key; });
  return info == infos.end() ? nullptr : &*info;
}

/// Every setting of a config file of this task: the fit's and where it runs.
Infos all_settings(SignalKind kind) {
  Infos infos = setting_infos(kind);
  RunSettings run;
  for (const SettingInfo& info : run_setting_table(run).infos()) infos.push_back(info);
  return infos;
}

void print_list(const Infos& infos) {
  for (const SettingInfo& info : infos) {
    fmt::print("{:<30} {} = {}{}\n    {}\n", info.key, info.type, info.default_value,
               info.values.empty() ? "" : fmt::format("   ({})", info.values), info.meaning);
  }
}

int print_json(const Infos& infos) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const SettingInfo& info : infos) {
    list.push_back({{"key", info.key},
                    {"type", info.type},
                    {"default", info.default_value},
                    {"values", info.values},
                    {"decides", to_string(info.decides)},
                    {"meaning", info.meaning}});
  }
  std::puts(list.dump().c_str());
  return 0;
}

/// A value as code, but for words such as "9 times 64" and what is code already.
std::string code(const std::string& text) {
  const bool is_plain = text.find(" times ") != std::string::npos || text.starts_with('`');
  return is_plain ? text : fmt::format("`{}`", text);
}

/// `prefix` is left out of the keys; `other` gives a second default, in brackets where it differs.
void print_rows(const Infos& infos, const std::string& prefix, const Infos* other) {
  fmt::print("| key | type | default | values | meaning |\n| --- | --- | --- | --- | --- |\n");
  for (const SettingInfo& info : infos) {
    const SettingInfo* second = other == nullptr ? nullptr : find(*other, info.key);
    const bool differs = second != nullptr && second->default_value != info.default_value;
    fmt::print("| `{}` | {} | {}{} | {} | {} |\n", info.key.substr(prefix.size()), info.type, code(info.default_value),
               differs ? fmt::format(" ({})", code(second->default_value)) : "", info.values, info.meaning);
  }
  fmt::print("\n");
}

Infos with_prefix(const Infos& infos, const std::string& prefix) {
  Infos chosen;
  std::copy_if(infos.begin(), infos.end(), std::back_inserter(chosen),
               [&](const SettingInfo& info) { return info.key.starts_with(prefix); });
  return chosen;
}

/// What one kind of signal has beside the settings of every fit.
Infos own_settings(SignalKind kind, const Infos& common) {
  Infos own = setting_infos(kind);
  std::erase_if(own, [&](const SettingInfo& info) { return find(common, info.key) != nullptr; });
  return own;
}

/// The tables of docs/config.md.
int print_markdown() {
  const Infos common = setting_infos(SignalKind::Image);
  const Infos video = setting_infos(SignalKind::Video);
  print_rows(with_prefix(common, "preset"), "", nullptr);
  for (const std::string prefix : {"model.", "data.", "train."}) {
    print_rows(with_prefix(common, prefix), prefix, &video);
  }
  print_rows(own_settings(SignalKind::Scene, common), "", nullptr);
  print_rows(own_settings(SignalKind::Gan, common), "", nullptr);
  RunSettings run;
  print_rows(run_setting_table(run).infos(), "run.", nullptr);
  return 0;
}

int config(const ConfigFlags& flags) {
  if (flags.markdown) return print_markdown();
  Infos infos = all_settings(signal_kind_from_string(flags.task));
  if (!flags.key.empty()) {
    const SettingInfo* info = find(infos, flags.key);
    if (info == nullptr) {
      std::vector<std::string> keys;
      for (const SettingInfo& known : infos) keys.push_back(known.key);
      const std::string match = closest_key(flags.key, keys);
      throw Error(ErrorKind::InvalidArgument,
                  fmt::format("[config] expected a setting of the task {}, got '{}'; {}", flags.task, flags.key,
                              match.empty() ? "`loe config --list` names them" : "did you mean " + match + "?"));
    }
    infos = {*info};
  } else if (!flags.list && !flags.json) {
    throw Error(ErrorKind::InvalidArgument, "[config] expected a KEY or --list, got neither");
  }
  if (flags.json) return print_json(infos);
  print_list(infos);
  return 0;
}

}  // namespace

void add_config_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("config", "every setting of a fit: type, default, range, meaning");
  auto flags = std::make_shared<ConfigFlags>();
  command->add_option("KEY", flags->key, "this setting only");
  command->add_flag("--list", flags->list, "all settings of a task");
  command->add_option("--task", flags->task, "image, video, scene, gan")->type_name("NAME")->capture_default_str();
  command->add_flag("--json", flags->json, "one line of JSON");
  command->add_flag("--markdown", flags->markdown, "the tables of docs/config.md");
  command->callback([flags, &invocation] { invocation.run = [flags] { return config(*flags); }; });
}

}  // namespace loe::app
