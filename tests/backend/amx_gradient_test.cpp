// Weight gradients by tile registers: the twin against sums in double, AMX against it bit for bit.
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
using cpu::GradRowsArgs;
using cpu::round_up;

/// The sums of one expert in some tables' order.
struct DrawnGradient {
  int n_in;
  int n;
  int n_rows;
  std::vector<std::vector<bf16>> x;
  std::vector<std::vector<bf16>> z;

  DrawnGradient(int in, int out, int rows, Numbers numbers) : n_in(in), n(out), n_rows(rows) {
    for (int r = 0; r < round_up(rows, 32); ++r) {
      x.push_back(draw(round_up(in + 1, 16), r < rows ? numbers : Numbers::Normal, 100 + r));
      z.push_back(draw(out, r < rows ? numbers : Numbers::Normal, 500 + r));
      x.back()[in] = 0x3f80;
      if (r >= rows) {
        std::fill(x.back().begin(), x.back().end(), bf16{0});
        std::fill(z.back().begin(), z.back().end(), bf16{0});
      }
    }
  }

  int64_t stride() const { return round_up(n_in + 1, 16); }
  float start(int o, int k) const { return static_cast<float>(o - 2 * k) / 64; }

  /// Sums in GradOrder::ByOutput. Two calls: the columns may come in any parts.
  std::vector<float> run(const KernelTable& table) const {
    AlignedBuffer<float> d(n * stride());
    for (int o = 0; o < n; ++o) {
      for (int k = 0; k <= n_in; ++k) d[o * stride() + cpu::grad_place(k, n_in)] = start(o, k);
    }
    AlignedBuffer<bf16> scratch(cpu::grad_scratch_size(round_up(n_rows, 32), n_in, n));
    std::vector<const bf16*> x_rows;
    for (const auto& row : x) x_rows.push_back(row.data());
    const cpu::KernelScope scope(table);
    for (int column = 0; column < n;) {
      const int width = column == 0 && n > 16 ? n - 16 : n - column;
      std::vector<const bf16*> z_rows;
      for (const auto& row : z) z_rows.push_back(row.data() + column);
      GradRowsArgs args;
      args.x = x_rows.data();
      args.z = z_rows.data();
      args.n_rows = static_cast<int>(x.size());
      args.n_in = n_in;
      args.column = column;
      args.n = width;
      args.n_padded = n;
      args.d = d.data();
      args.scratch = scratch.data();
      // Asking for what comes next changes no result.
      args.is_far = n_rows % 2 == 0;
      args.next_x = x_rows.data();
      args.next_z = z_rows.data();
      args.n_next = args.is_far ? args.n_rows : 0;
      args.next_in = n_in;
      args.next_n = width;
      table.grad_bf16(args);
      column += width;
    }
    return {d.data(), d.data() + d.size()};
  }

  void check(const std::vector<float>& d) const {
    for (int o = 0; o < n; ++o) {
      for (int k = 0; k <= n_in; ++k) {
        double sum = start(o, k);
        double size = std::abs(sum);
        for (int r = 0; r < n_rows; ++r) {
          const double product = double{widen_bf16(x[r][k])} * widen_bf16(z[r][o]);
          sum += product;
          size += std::abs(product);
        }
        ASSERT_NEAR(d[o * stride() + cpu::grad_place(k, n_in)], sum, (n_rows / 32 + 18) * 0x1p-24 * size)
            << "output " << o << " input " << k;
      }
    }
  }
};

TEST(AmxGradient, PlacesAreAPermutation) {
  for (int n_in = 1; n_in <= 300; ++n_in) {
    std::set<int> places;
    for (int k = 0; k <= n_in; ++k) places.insert(cpu::grad_place(k, n_in));
    ASSERT_EQ(places.size(), static_cast<size_t>(n_in) + 1);
    ASSERT_LT(*places.rbegin(), round_up(n_in + 1, 16));
  }
}

TEST(AmxGradient, TwinIsWithinTheErrorOfItsSums) {
  for (const int n : {16, 32, 48}) {
    for (const int n_in : {1, 15, 16, 17, 31, 32, 33, 48, 54, 64, 65}) {
      for (const int n_rows : {1, 32, 33, 150}) {
        SCOPED_TRACE(testing::Message() << n_in << " -> " << n << ", " << n_rows << " rows");
        const DrawnGradient gradient(n_in, n, n_rows, Numbers::Normal);
        gradient.check(gradient.run(cpu::amx_twin_table()));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(AmxGradient, NativeHasTheBitsOfItsTwin) {
  const KernelTable* native = native_table();
  if (native == nullptr) GTEST_SKIP() << "no AMX here";
  for (const Numbers numbers : {Numbers::Normal, Numbers::Tiny, Numbers::Wild}) {
    for (int n_rows = 1; n_rows <= 33; ++n_rows) {
      for (const int n_in : {n_rows, 54, 64}) {
        SCOPED_TRACE(testing::Message() << n_in << " inputs, " << n_rows << " rows, " << static_cast<int>(numbers));
        const DrawnGradient gradient(n_in, 48, n_rows, numbers);
        expect_same(gradient.run(*native), gradient.run(cpu::amx_twin_table()));
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace loe
