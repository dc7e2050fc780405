// Fits a picture, says how well, and writes the picture that the network stands for.
#include <cstdlib>
#include <iostream>

#include "loe/loe.h"

int main(int argc, char** argv) try {
  if (argc != 4) throw loe::Error(loe::ErrorKind::InvalidArgument, "usage: fit_picture INPUT OUTPUT SECONDS");
  loe::Settings settings;
  settings.set("train.max_seconds", std::atof(argv[3]), "SECONDS");
  const loe::FitResult fitted = loe::fit(argv[1], settings);
  loe::write_image(argv[2], loe::decode_picture(fitted.model));
  std::cout << fitted.evaluation.fidelity->psnr_db << " dB\n";
} catch (const loe::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
