// The program `loe-paper`, found as `loe paper`.
#include "program.h"

int main(int argc, char** argv) {
  std::vector<char*> words = {argv[0], const_cast<char*>("paper")};
  words.insert(words.end(), argv + 1, argv + argc + 1);  // and the null behind them
  return loe::app::run_program({{loe::app::add_paper_command}}, argc + 1, words.data());
}
