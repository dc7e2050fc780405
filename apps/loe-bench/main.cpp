// The program `loe-bench`, found as `loe bench`.
#include "program.h"

int main(int argc, char** argv) {
  std::vector<char*> words = {argv[0], const_cast<char*>("bench")};
  words.insert(words.end(), argv + 1, argv + argc + 1);  // and the null behind them
  return loe::app::run_program({{loe::app::add_bench_command}}, argc + 1, words.data());
}
