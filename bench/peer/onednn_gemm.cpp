#include "onednn_gemm.h"

namespace loe::peer {
namespace {

using Desc = dnnl::memory::desc;
using Type = dnnl::memory::data_type;

Desc row_major(int64_t rows, int64_t columns, Type type) {
  return {{rows, columns}, type, dnnl::memory::dims{columns, 1}};
}

/// The transpose of a row-major [columns, rows] array, in place.
Desc transposed(int64_t rows, int64_t columns, Type type) {
  return {{rows, columns}, type, dnnl::memory::dims{1, rows}};
}

}  // namespace

GemmSet::GemmSet(Operand operand)
    : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_), type_(operand == Operand::Bf16 ? Type::bf16 : Type::f32) {}

GemmSet::Gemm GemmSet::create(const Key& key) {
  const auto [product, m, n_in, n_out, slope] = key;
  Desc a, b, c, bias;
  dnnl::post_ops after;
  switch (product) {
    case Product::Forward:
    case Product::ForwardF32:
      a = row_major(m, n_in, type_);
      b = transposed(n_in, n_out, type_);
      c = row_major(m, n_out, product == Product::ForwardF32 ? Type::f32 : type_);
      bias = row_major(1, n_out, Type::f32);
      if (slope != 1.0F) {
        after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, slope, 0);
      }
      break;
    case Product::InputGrad:
      a = row_major(m, n_out, type_);
      b = row_major(n_out, n_in, type_);
      c = row_major(m, n_in, type_);
      break;
    case Product::WeightGrad:
      a = transposed(n_out, m, type_);
      b = row_major(m, n_in, type_);
      c = row_major(n_out, n_in, Type::f32);
      after.append_sum();
      break;
  }
  dnnl::primitive_attr attr;
  attr.set_post_ops(after);
  const bool with_bias = !bias.is_zero();
  const auto desc = with_bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  Gemm gemm;
  const dnnl::matmul::primitive_desc chosen(desc, attr, engine_);
  kernels_.insert(chosen.impl_info_str());
  gemm.matmul = dnnl::matmul(chosen);
  gemm.a = dnnl::memory(a, engine_, nullptr);
  gemm.b = dnnl::memory(b, engine_, nullptr);
  gemm.c = dnnl::memory(c, engine_, nullptr);
  if (with_bias) {
    gemm.bias = dnnl::memory(bias, engine_, nullptr);
  }
  return gemm;
}

GemmSet::Gemm& GemmSet::find_or_create(const Key& key) {
  auto found = gemms_.find(key);
  if (found == gemms_.end()) {
    found = gemms_.emplace(key, create(key)).first;
  }
  return found->second;
}

void GemmSet::run(Gemm& gemm, const void* a, const void* b, const void* bias, void* c) {
  gemm.a.set_data_handle(const_cast<void*>(a));
  gemm.b.set_data_handle(const_cast<void*>(b));
  gemm.c.set_data_handle(c);
  std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, gemm.a}, {DNNL_ARG_WEIGHTS, gemm.b}, {DNNL_ARG_DST, gemm.c}};
  if (bias != nullptr) {
    gemm.bias.set_data_handle(const_cast<void*>(bias));
    arguments.emplace(DNNL_ARG_BIAS, gemm.bias);
  }
  gemm.matmul.execute(stream_, arguments);
  stream_.wait();
}

void GemmSet::forward(int64_t m, int64_t n_in, int64_t n_out, float slope, bool f32_out, const void* x, const void* w,
                      const float* bias, void* y) {
  const Product product = f32_out ? Product::ForwardF32 : Product::Forward;
  run(find_or_create({product, m, n_in, n_out, slope}), x, w, bias, y);
}

void GemmSet::input_grad(int64_t m, int64_t n_in, int64_t n_out, const void* dz, const void* w, void* dx) {
  run(find_or_create({Product::InputGrad, m, n_in, n_out, 1.0F}), dz, w, nullptr, dx);
}

void GemmSet::weight_grad(int64_t m, int64_t n_in, int64_t n_out, const void* dz, const void* x, float* dw) {
  run(find_or_create({Product::WeightGrad, m, n_in, n_out, 1.0F}), dz, x, nullptr, dw);
}

}  // namespace loe::peer
