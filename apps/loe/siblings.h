// Programs that are found as sub-commands of this one.
#pragma once

#include "commands.h"

namespace loe::app {

/// Their names and summaries, for --help.
void add_sibling_commands(CLI::App& app, Invocation& invocation);

/// Becomes `loe-paper` or `loe-bench` if the first word is "paper" or "bench"; else does nothing. Error(NotFound) if
/// that program does not lie beside this one.
void run_sibling(int argc, char** argv);

}  // namespace loe::app
