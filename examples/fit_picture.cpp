// Fits a picture, says how well, and writes the picture that the network stands for.
#include <cstdlib>
#include <iostream>

#include "loe/loe.h"

int main(int argc, char** argv) try {
  if (argc != 4) throw loe::Error(loe::ErrorKind::InvalidArgument, "usage: fit_picture INPUT OUTPUT SECONDS");
  const loe::Image image = loe::read_image(argv[1]);
  const loe::Settings settings = loe::auto_settings(image.width(), image.height(), image.n_channels(),
                                                    std::atof(argv[3]), 0, loe::Precision::F32, 0);
  const loe::FitConfig config = loe::image_config_from_settings(settings, image.n_channels());

  const loe::ModelSpec spec = loe::build_network(config.network);
  loe::ModelExecutor model = loe::compile(loe::find_backend("auto"), spec, {config.precision});
  loe::RunState state = loe::initial_run_state(spec, config.seed, config.network.init);
  loe::ImageProblem problem(image, config);
  loe::train(problem, model, config.train, state, {}, nullptr);

  loe::ImageWriter writer(argv[2], image.width(), image.height(), image.n_channels(), image.type(), image.tags);
  const auto quality = loe::evaluate_image(
      model.main(), image, [&](int, int n_rows, const float* rows, const float*) { writer.write_rows(n_rows, rows); });
  writer.close();
  std::cout << quality.psnr_db << " dB\n";
} catch (const loe::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
