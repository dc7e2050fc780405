// Products of many small matrices in one call, as a library for GPUs takes them.
#pragma once

#include <vector>

namespace loe::peer {

/// C = op(A) op(B), column by column as in BLAS: op(A) [m, k], op(B) [k, n], C [m, n]. All in device memory.
struct Product {
  bool transposes_a = false;
  bool transposes_b = false;
  int m = 0;
  int n = 0;
  int k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  int lda = 0;
  int ldb = 0;
  int ldc = 0;
};

}  // namespace loe::peer
