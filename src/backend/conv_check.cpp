#include "backend/conv_check.h"

#include <fmt/format.h>

#include "backend/check.h"
#include "loe/base/error.h"

namespace loe {

std::vector<MapSize> check_pictures(const ConvNetSpec& spec, const PictureBatch& batch) {
  std::vector<MapSize> sizes = spec.map_sizes(batch.size);
  // By division: n_pictures may be anything, a product might wrap.
  const int64_t n_values = spec.n_in() * batch.size.n_pixels();
  const auto n_found = static_cast<int64_t>(batch.pictures.size());
  if (batch.n_pictures < 0 || n_found % n_values != 0 || n_found / n_values != batch.n_pictures) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[conv_net] pictures: expected {} numbers for each of {} pictures ([n, {}, {}, {}]), got {} "
                    "in all; pass a batch that agrees with its size",
                    n_values, batch.n_pictures, spec.n_in(), batch.size.height, batch.size.width, n_found));
  }
  return sizes;
}

std::vector<MapSize> check_conv_forward(const ConvNetSpec& spec, const PictureBatch& batch, std::span<float> outputs) {
  std::vector<MapSize> sizes = check_pictures(spec, batch);
  check_size("outputs", batch.n_pictures * spec.n_out() * sizes.back().n_pixels(), "[n, n_out, height, width]",
             outputs.size());
  return sizes;
}

std::vector<MapSize> check_conv_gradients(const ConvNetSpec& spec, const PictureBatch& batch,
                                          std::span<float> param_grads, std::span<float> picture_grads) {
  std::vector<MapSize> sizes = check_pictures(spec, batch);
  if (!param_grads.empty()) {
    check_size("param_grads", spec.n_params(), "[n_params]", param_grads.size());
  }
  if (!picture_grads.empty()) {
    check_size("picture_grads", static_cast<int64_t>(batch.pictures.size()), "[n, n_in, height, width]",
               picture_grads.size());
  }
  return sizes;
}

}  // namespace loe
