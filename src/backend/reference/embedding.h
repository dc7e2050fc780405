// One level of the learned coordinate embedding, written as in embedding.h.
#pragma once

#include <span>
#include <vector>

#include "loe/backend/embedding.h"

namespace loe::reference {

/// Features of each sample: out[sample * out_stride + c] = sum over corners of coefficient * table[entry][c].
///   places [B];  table [n_nodes, n_channels], of all levels;  out: the first sample's features, rows out_stride apart
void embedding_forward(const EmbeddingGrid& grid, int n_channels, std::span<const EmbeddingPlace> places,
                       std::span<const double> table, double* out, size_t out_stride);

/// Given dL/dfeatures in rows grad_stride apart: dL/dtable[entry] += sum over samples of coefficient * dL/dfeatures.
void embedding_backward(const EmbeddingGrid& grid, int n_channels, std::span<const EmbeddingPlace> places,
                        const double* feature_grads, size_t grad_stride, std::span<double> table_grads);

}  // namespace loe::reference
