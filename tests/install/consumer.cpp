// Reaches every part of the installed library, so that a missing link dependency fails here.
#include <cstdio>
#include <vector>

#include "loe/loe.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const loe::FitConfig config = loe::image_config_from_settings(loe::parse_config("[train]\nseed = 7", "text"), 1);
  const loe::NetworkSpec network = loe::build_network(config.network);
  const std::vector<float> params = loe::initial_params(network, config.seed);
  const auto executor = loe::find_backend("auto").compile(network, {});
  executor->set_params(params);

  // Convolutions need oneDNN: linked through the package.
  const auto patches = loe::compile_conv("auto", loe::build_discriminator({.widths = {8}}), 1);
  std::vector<float> scores(1);
  patches->set_params(std::vector<float>(patches->spec().n_params(), 0.5F));
  patches->forward({1, {4, 4}, std::vector<float>(48, 1.0F)}, scores);
  if (!(scores[0] > 0)) return 1;

  loe::Image image(16, 8, 1, loe::PixelType::U8);
  loe::decode_image(*executor, 16, 8, {0, 0, 16, 8}, 16, 8, [&](int first_row, int n_rows, const float* values) {
    for (int i = 0; i < n_rows; ++i) image.write_row(0, first_row + i, 16, values + i * 16);
  });
  loe::write_image(argv[1], image);
  const loe::Image back = loe::read_image(argv[1]);
  const bool same = back.width() == 16 && back.height() == 8 && loe::evaluate_image(*executor, back, {}).psnr_db > 20;
  std::printf("loe %s: %lld parameters, picture %s\n", loe::version(), static_cast<long long>(network.n_params()),
              same ? "as written" : "differs");
  return same ? 0 : 1;
}
