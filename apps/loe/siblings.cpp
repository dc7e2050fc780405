// `loe paper` and `loe bench` are programs of their own, which lie beside this one.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "commands.h"
#include "loe/base/error.h"
#include "siblings.h"

namespace loe::app {
namespace {

struct Sibling {
  const char* command;
  const char* program;
  const char* summary;
};
constexpr Sibling kSiblings[] = {
    {"paper", "loe-paper", "repeat a table of the paper, our numbers beside its own"},
    {"bench", "loe-bench", "speed: steps and decoding beside the machine's peak and rivals"}};

}  // namespace

void add_sibling_commands(CLI::App& app, Invocation& invocation) {
  for (const Sibling& sibling : kSiblings) {
    CLI::App* command = app.add_subcommand(sibling.command, sibling.summary);
    command->prefix_command();
    command->callback([&invocation] { invocation.run = [] { return 0; }; });
  }
}

void run_sibling(int argc, char** argv) {
  for (const Sibling& sibling : kSiblings) {
    if (argc < 2 || std::strcmp(argv[1], sibling.command) != 0) continue;
    std::error_code error;
    const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::string path = (own.parent_path() / sibling.program).string();
    argv[1] = argv[0];
    ::execv(path.c_str(), argv + 1);  // does not come back
    throw Error(ErrorKind::NotFound,
                fmt::format("[{}] {}: expected this program beside loe: {}; `make build` builds all three",
                            sibling.command, path, std::strerror(errno)));
  }
}

}  // namespace loe::app
