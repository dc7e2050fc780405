// The program `loe`.
#include <cstdio>

#include "loe/base/error.h"
#include "program.h"
#include "siblings.h"

int main(int argc, char** argv) {
  using namespace loe::app;
  try {
    run_sibling(argc, argv);
  } catch (const loe::Error& error) {
    std::fprintf(stderr, "loe: %s\n", error.what());
    return 1;
  }
  return run_program({{add_fit_command, add_render_command, add_eval_command, add_mesh_command, add_info_command,
                       add_presets_command, add_config_command, add_sibling_commands}},
                     argc, argv);
}
