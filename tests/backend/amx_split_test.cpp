// Products of f32 rows as two numbers of bf16 each, by tile registers: the twin against sums in double, AMX against it.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "backend/amx_draws.h"
#include "backend/cpu/isa/native_tables.h"
#include "base/aligned_buffer.h"

namespace loe {
namespace {

using namespace test::amx;
using cpu::Epilogue;
using cpu::GemmArgs;
using cpu::round_up;

struct SplitCase {
  int n_rows = 1;
  int depth = 1;
  int n = 16;
  int n_segments = 1;
  Epilogue epilogue = Epilogue::BiasLeaky;
  bool keeps16 = true;
};

/// A product of f32 rows as two numbers of bf16 each.
class DrawnSplit {
 public:
  explicit DrawnSplit(const SplitCase& c)
      : c_(c),
        a_(test::random_floats(int64_t{c.n_rows} * stride(), -1, 1, 1)),
        bias_(test::random_floats(c.n, -1, 1, 3)) {
    for (int s = 0; s < c.n_segments; ++s) b_.push_back(test::random_floats(int64_t{c.depth} * c.n, -1, 1, 10 + s));
    for (int i = 0; i < c.n_rows; ++i) rows_.push_back(static_cast<uint16_t>(c.n_rows - 1 - i));
  }

  struct Result {
    std::vector<float> c32;
    std::vector<bf16> c16;
  };

  Result run(const KernelTable& table) const {
    const cpu::PanelLayout& layout = table.panels_bf16;
    const int depth = round_up(c_.depth, layout.depth_multiple);
    std::vector<AlignedBuffer<bf16>> packed;
    std::vector<const void*> packs;
    for (const std::vector<float>& b : b_) {
      packed.emplace_back(int64_t{2} * depth * c_.n);
      cpu::PackArgs args{b.data(), c_.n, 1, c_.depth, c_.n, depth, c_.n, layout.columns};
      for (const bool is_rest : {false, true}) {
        args.is_rest = is_rest;
        args.out = packed.back().data() + (is_rest ? int64_t{depth} * c_.n : 0);
        table.pack_bf16(args);
      }
    }
    for (const auto& buffer : packed) packs.push_back(buffer.data());
    AlignedBuffer<std::byte> scratch(table.split_scratch_bytes(int64_t{c_.n_segments} * c_.depth));
    Result result{std::vector<float>(int64_t{c_.n_rows} * c_.n), std::vector<bf16>(int64_t{c_.n_rows} * c_.n)};
    GemmArgs args;
    args.a = a_.data();
    args.a_stride = stride();
    args.rows = rows_.data();
    args.n_rows = c_.n_rows;
    args.n_segments = c_.n_segments;
    args.depth = c_.depth;
    args.b = packs.data();
    args.n = c_.n;
    args.bias = cpu::has_bias(c_.epilogue) ? bias_.data() : nullptr;
    args.epilogue = c_.epilogue;
    args.slope = kSlope;
    args.c32 = result.c32.data();
    args.c16 = c_.keeps16 ? result.c16.data() : nullptr;
    args.c_stride = c_.n;
    args.scratch = scratch.data();
    args.is_far = c_.n_rows % 2 == 0;
    args.next_b = args.is_far ? packs[0] : nullptr;
    const cpu::KernelScope scope(table);
    table.gemm_split(args);
    return result;
  }

  /// Each number is off by 2^-16 of itself, and so is a product for low x low; the sums as those of 3 K products.
  void check(const Result& result) const {
    for (int i = 0; i < c_.n_rows; ++i) {
      for (int j = 0; j < c_.n; ++j) {
        double sum = cpu::has_bias(c_.epilogue) ? bias_[j] : 0;
        double size = std::abs(sum);
        for (int s = 0; s < c_.n_segments; ++s) {
          for (int k = 0; k < c_.depth; ++k) {
            const double product = double{a_[i * stride() + s * c_.depth + k]} * b_[s][k * c_.n + j];
            sum += product;
            size += std::abs(product);
          }
        }
        const double expected = cpu::has_bias(c_.epilogue) ? std::max(sum, kSlope * sum) : sum;
        const double chain = (3 * c_.n_segments * c_.depth / 32 + 20) * 0x1p-24;
        const double tolerance = (3 * 0x1p-16 + chain) * size;
        const int64_t at = int64_t{i} * c_.n + j;
        ASSERT_NEAR(result.c32[at], expected, tolerance) << "row " << i << " column " << j;
        if (c_.keeps16) {
          ASSERT_NEAR(widen_bf16(result.c16[at]), expected, tolerance + std::abs(expected) * 0x1p-8);
        }
      }
    }
  }

 private:
  static constexpr float kSlope = 0.25F;
  int stride() const { return c_.n_segments * c_.depth + 3; }

  SplitCase c_;
  std::vector<float> a_;
  std::vector<std::vector<float>> b_;
  std::vector<float> bias_;
  std::vector<uint16_t> rows_;
};

std::vector<SplitCase> split_cases() {
  std::vector<SplitCase> cases;
  for (int n_rows = 1; n_rows <= 33; ++n_rows) cases.push_back({n_rows, 2 * n_rows + 1, 48});
  for (const int n : {16, 32, 48, 64}) {
    for (const int depth : {1, 31, 32, 33, 64, 130}) {
      cases.push_back({70, depth, n, 1, Epilogue::BiasLeaky, false});
      cases.push_back({18, depth, n, 1, Epilogue::Store});
    }
  }
  cases.push_back({35, 33, 48, 4, Epilogue::BiasLeaky});
  return cases;
}

TEST(AmxSplit, TwinIsWithinTheErrorOfItsSums) {
  for (const SplitCase& c : split_cases()) {
    SCOPED_TRACE(testing::Message() << c.n_rows << " rows, depth " << c.depth << ", " << c.n << " columns");
    const DrawnSplit product(c);
    product.check(product.run(cpu::amx_twin_table()));
    if (HasFatalFailure()) return;
  }
}

TEST(AmxSplit, NativeHasTheBitsOfItsTwin) {
  const KernelTable* native = native_table();
  if (native == nullptr) GTEST_SKIP() << "no AMX here";
  for (const SplitCase& c : split_cases()) {
    SCOPED_TRACE(testing::Message() << c.n_rows << " rows, depth " << c.depth << ", " << c.n << " columns");
    const DrawnSplit product(c);
    const DrawnSplit::Result fast = product.run(*native);
    const DrawnSplit::Result slow = product.run(cpu::amx_twin_table());
    expect_same(fast.c32, slow.c32);
    expect_same(fast.c16, slow.c16);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace loe
