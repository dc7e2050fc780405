#include "program.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "loe/base/error.h"
#include "loe/base/settings.h"
#include "loe/base/version.h"

namespace loe::app {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

/// Messages are promised to be one line: whatever a file's content smuggled in is flattened.
std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

void print_error(const std::string& text) {
  const std::string line = "loe: " + one_line(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int exit_code(const Error& error) {
  if (error.kind() == ErrorKind::InvalidArgument) return kExitUsage;
  if (error.kind() == ErrorKind::Cancelled) return kExitInterrupted;
  return kExitFailed;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// What the parser complains about, with the nearest name if a word looks misspelt.
void print_usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  const std::vector<std::string> names = command_names(app);
  const bool is_command = std::find(names.begin(), names.end(), first) != names.end();
  if (first.empty() || (!is_command && first[0] != '-')) {
    const std::string near = closest_match(first, names);
    print_error(fmt::format("expected a command ({}), got {}{}; see `loe --help`", fmt::join(names, ", "),
                            first.empty() ? "none" : "'" + first + "'",
                            near.empty() ? "" : fmt::format("; did you mean {}?", near)));
    return;
  }
  std::string hint;
  if (is_command) {
    const std::vector<std::string> flags = flag_names(*app.get_subcommand(first));
    for (int i = 2; i < argc && hint.empty(); ++i) {
      const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
      if (word.starts_with("--") && std::find(flags.begin(), flags.end(), word) == flags.end()) {
        const std::string near = closest_match(word, flags);
        if (!near.empty()) hint = fmt::format("; did you mean {}?", near);
      }
    }
  }
  print_error(fmt::format("{}{}; see `loe {}--help`", one_line(error.what()), hint, is_command ? first + " " : ""));
}

int parse_and_run(const Program& program, int argc, char** argv) {
  CLI::App app{"Levels-of-Experts neural representations: a picture, video or scene in, a small network out, and back.",
               "loe"};
  Invocation invocation;
  app.set_version_flag("--version", fmt::format("loe {} (commit {}, {})", version(), build_commit(), build_compiler()));
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  for (const AddCommand add : program.commands) add(app, invocation);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted after saving.\n`loe COMMAND --help` lists a "
      "command's flags.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    print_usage_error(app, error, argc, argv);
    return kExitUsage;
  }
  const int code = invocation.run();
  // A result that did not reach its reader (full disk, closed pipe) is no success.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    print_error("[stdout] expected to write the result, but the output is closed or its disk is full");
    return code == 0 ? kExitFailed : code;
  }
  return code;
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  // A file that outgrows its limit must be an error message, not a death by signal.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return parse_and_run(program, argc, argv);
  } catch (const Error& error) {
    print_error(error.what());
    return exit_code(error);
  } catch (const std::bad_alloc&) {
    print_error(
        "[memory] expected enough memory for this job, but an allocation failed; use a smaller --batch-size, a smaller "
        "network (--params) or a smaller picture");
    return kExitFailed;
  } catch (const std::exception& error) {
    print_error(std::string("unexpected failure: ") + error.what() + "; please report it");
    return kExitFailed;
  }
}

}  // namespace loe::app
