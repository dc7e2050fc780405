#include "backend/reference/embedding.h"

namespace loe::reference {

void embedding_forward(const EmbeddingGrid& grid, int n_channels, std::span<const EmbeddingPlace> places,
                       std::span<const double> table, double* out, size_t out_stride) {
  for (size_t sample = 0; sample < places.size(); ++sample) {
    const EmbeddingPlace& place = places[sample];
    for (int c = 0; c < n_channels; ++c) {
      double sum = 0;
      for (int corner = 0; corner < grid.n_corners(); ++corner) {
        sum += place.coefficient[corner] * table[place.entry[corner] * n_channels + c];
      }
      out[sample * out_stride + c] = sum;
    }
  }
}

void embedding_backward(const EmbeddingGrid& grid, int n_channels, std::span<const EmbeddingPlace> places,
                        const double* feature_grads, size_t grad_stride, std::span<double> table_grads) {
  for (size_t sample = 0; sample < places.size(); ++sample) {
    const EmbeddingPlace& place = places[sample];
    for (int corner = 0; corner < grid.n_corners(); ++corner) {
      for (int c = 0; c < n_channels; ++c) {
        table_grads[place.entry[corner] * n_channels + c] +=
            place.coefficient[corner] * feature_grads[sample * grad_stride + c];
      }
    }
  }
}

}  // namespace loe::reference
