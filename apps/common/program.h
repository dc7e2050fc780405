// A program of sub-commands: reads the command line, runs one of them, and turns every failure into one line on stderr
// and an exit code.
#pragma once

#include <vector>

#include "commands.h"

namespace loe::app {

using AddCommand = void (*)(CLI::App& app, Invocation& invocation);

struct Program {
  std::vector<AddCommand> commands;
};

/// The whole of main(): 0 ok, 1 failed, 2 usage, 130 interrupted after saving.
int run_program(const Program& program, int argc, char** argv);

}  // namespace loe::app
