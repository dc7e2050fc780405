// The sub-commands of the program: each adds its flags to the parser and leaves what to run.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace loe::app {

/// What `--device` takes, for the help of every sub-command that has it.
constexpr const char* kDeviceNames = "auto, cpu, cuda, reference";

/// What the parsed command line asks for. A sub-command's parser callback only stores `run`; main() calls it after
/// parsing, so that a loe::Error never travels through the parser.
struct Invocation {
  std::function<int()> run;  ///< returns the exit code: 0 ok, 1 failed, 2 usage, 130 interrupted after saving
};

/// Each adds one sub-command with its flags to `app`. `invocation` must outlive the parse.
void add_fit_command(CLI::App& app, Invocation& invocation);
void add_render_command(CLI::App& app, Invocation& invocation);
void add_eval_command(CLI::App& app, Invocation& invocation);
void add_mesh_command(CLI::App& app, Invocation& invocation);
void add_info_command(CLI::App& app, Invocation& invocation);
void add_presets_command(CLI::App& app, Invocation& invocation);
void add_config_command(CLI::App& app, Invocation& invocation);
void add_paper_command(CLI::App& app, Invocation& invocation);
void add_bench_command(CLI::App& app, Invocation& invocation);

}  // namespace loe::app
