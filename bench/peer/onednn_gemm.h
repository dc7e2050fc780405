// The three matrix products of a linear layer, as oneDNN primitives compiled once for each shape.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace loe::peer {

/// Operand type of the products; sums are always f32.
enum class Operand { F32, Bf16 };

/// Not thread-safe. Each call returns when its result is there.
class GemmSet {
 public:
  explicit GemmSet(Operand operand);

  /// y [m, n_out] = phi(x [m, n_in] w[n_out, n_in]^T + bias [n_out]); phi = LeakyReLU(slope), slope 1 = identity.
  /// y is f32 if f32_out, else of the operand type.
  void forward(int64_t m, int64_t n_in, int64_t n_out, float slope, bool f32_out, const void* x, const void* w,
               const float* bias, void* y);
  /// dx [m, n_in] = dz [m, n_out] w [n_out, n_in], of the operand type.
  void input_grad(int64_t m, int64_t n_in, int64_t n_out, const void* dz, const void* w, void* dx);
  /// dw [n_out, n_in] (f32) += dz [m, n_out]^T x [m, n_in].
  void weight_grad(int64_t m, int64_t n_in, int64_t n_out, const void* dz, const void* x, float* dw);
  /// What oneDNN calls the kernels it has chosen so far, as ONEDNN_VERBOSE prints them.
  const std::set<std::string>& kernels() const { return kernels_; }

 private:
  struct Gemm {
    dnnl::matmul matmul;
    dnnl::memory a, b, bias, c;
  };
  enum class Product { Forward, ForwardF32, InputGrad, WeightGrad };
  using Key = std::tuple<Product, int64_t, int64_t, int64_t, float>;

  Gemm& find_or_create(const Key& key);
  Gemm create(const Key& key);
  void run(Gemm& gemm, const void* a, const void* b, const void* bias, void* c);

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::memory::data_type type_;
  std::map<Key, Gemm> gemms_;
  std::set<std::string> kernels_;
};

}  // namespace loe::peer
