// Compiles the *-inl.h files of this folder once per instruction set (Highway's foreach_target) and lists the
// tables this machine can run.
#include "backend/cpu/isa/kernels.h"

#include <cmath>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/isa/kernels.cpp"
// SSSE3 alone (2006 to 2008) is served by the portable table.
#define HWY_DISABLED_TARGETS (HWY_SSSE3)
#include "backend/cpu/isa/blocking.h"
#include "backend/cpu/isa/native_tables.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After highway.h: compiled once per target like the files below.
#include "hwy/contrib/math/math-inl.h"

#include "backend/cpu/isa/gemm-inl.h"
#include "backend/cpu/isa/grad-inl.h"
#include "backend/cpu/isa/grid-inl.h"
#include "backend/cpu/isa/rows-inl.h"
#include "backend/cpu/isa/sine-inl.h"
#include "backend/cpu/isa/tanh-inl.h"
#include "backend/cpu/isa/vector-inl.h"
// Need those before them.
#include "backend/cpu/isa/head-inl.h"
#include "backend/cpu/isa/narrow-inl.h"
// After vector-inl.h.
#include "backend/cpu/isa/pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

void gemm_f32(const GemmArgs& g) {
  gemm<float>(g);
}
void gemm_bf16(const GemmArgs& g) {
  gemm<bf16>(g);
}
void grad_f32(const GradArgs& g) {
  grad(g);
}
void grad_bf16(const GradRowsArgs& g) {
  grad_rows(g, pack_pairs, grad<GradPairsArgs>);
}

void fill_table(KernelTable* table) {
  table->panels_f32 = {kPanel, 1};
  table->panels_bf16 = {kPanel, 2};
  table->gemm_f32 = gemm_f32;
  table->gemm_bf16 = gemm_bf16;
  table->grad_f32 = grad_f32;
  table->grad_bf16 = grad_bf16;
  table->dot_f32 = dot_f32;
  table->dot_bf16 = dot_bf16;
  table->head_forward_f32 = head_forward_f32;
  table->head_forward_bf16 = head_forward_bf16;
  table->head_input_gradient = head_input_gradient;
  table->head_gradient_f32 = head_gradient_f32;
  table->head_gradient_bf16 = head_gradient_bf16;
  table->axpy_f32 = axpy_f32;
  table->axpy_bf16 = axpy_bf16;
  table->scale_f32 = scale_f32;
  table->scale_bf16 = scale_bf16;
  table->weighted_rows = weighted_rows;
  table->mask_leaky_f32 = mask_leaky_f32;
  table->mask_leaky_bf16 = mask_leaky_bf16;
  table->multiply_f32 = multiply_f32;
  table->multiply_bf16 = multiply_bf16;
  table->sine = sine;
  table->tanh = tanh;
  table->to_bf16 = to_bf16;
  table->adam = adam;
  table->pack_bf16 = pack_bf16;
  table->adam_of_table = adam_of_table;
  table->grid_features = grid_features_any;
  table->grid_gradient = grid_gradient_any;
  table->transpose = transpose;
  fill_narrow(&table->narrow);
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstdio>

namespace loe::cpu {
namespace {
HWY_EXPORT(fill_table);

std::string isa_name(int64_t target) {
  if (target == HWY_AVX3) return "avx512";
  if (target == HWY_AVX2) return "avx2";
  if (target == HWY_SSE4) return "sse4";
  if (target == HWY_NEON) return "neon";
  return "portable";
}

std::vector<KernelTable> highway_tables() {
  std::vector<KernelTable> tables;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    KernelTable table;
    HWY_DYNAMIC_DISPATCH(fill_table)(&table);
    table.isa = isa_name(target);
    table.reason = "instruction set " + table.isa;
    const std::string block = " 6x" + std::to_string(table.panels_f32.columns) + " row-pointer";
    table.gemm_f32_name = table.isa + block + " FMA";
    table.gemm_bf16_name = table.isa + block + ", bf16 widened to f32 FMA";
    tables.push_back(table);
  }
  hwy::SetSupportedTargetsForTest(0);
  return tables;
}

}  // namespace

std::vector<KernelTable> make_kernel_tables() {
  const std::vector<KernelTable> portable = highway_tables();
  std::vector<KernelTable> tables;
  std::vector<KernelTable> after_best;
  KernelTable best = portable.front();
  for (const auto make : {make_amx_table, make_avx512bf16_table}) {
    const NativeTable native = make(portable.front());
    std::vector<KernelTable>& place = native.is_faster ? tables : after_best;
    place.insert(place.end(), native.table.begin(), native.table.end());
    if (!native.reason.empty()) best.reason += "; " + native.reason;
  }
  tables.push_back(best);
  tables.insert(tables.end(), after_best.begin(), after_best.end());
  tables.insert(tables.end(), portable.begin() + 1, portable.end());
  return tables;
}

const std::vector<KernelTable>& kernel_tables() {
  static const std::vector<KernelTable> tables = make_kernel_tables();
  return tables;
}

}  // namespace loe::cpu
#endif  // HWY_ONCE
