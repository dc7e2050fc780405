// Products by tile registers: a model in C++ against sums in double, AMX itself against the model bit for bit, and what
// happens where the kernel refuses the registers.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "backend/amx_draws.h"
#include "backend/cpu/bf16.h"
#include "backend/cpu/isa/cpu_features.h"
#include "backend/cpu/isa/native_tables.h"
#include "backend/network_builders.h"
#include "base/aligned_buffer.h"

#if defined(__linux__) && defined(__x86_64__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#endif

namespace loe {
namespace {

using namespace test::amx;
using cpu::Epilogue;
using cpu::GemmArgs;
using cpu::GradRowsArgs;
using cpu::round_up;

struct ProductCase {
  int n_rows = 1;
  int depth = 2;
  int n = 16;
  int n_segments = 1;
  Epilogue epilogue = Epilogue::Store;
  bool to32 = false;
  bool to16 = true;
  bool is_mask32 = false;
  bool is_compact = false;  ///< results one behind the other
  Numbers numbers = Numbers::Normal;
};

/// A product with all its operands, which any table computes.
class DrawnProduct {
 public:
  explicit DrawnProduct(const ProductCase& c)
      : c_(c),
        row_size_(c.n_segments * c.depth + 5),
        a_(draw(int64_t{kRows} * row_size_, c.numbers, 1)),
        bias_(test::random_floats(c.n, -1, 1, 3)),
        mask16_(draw(int64_t{kRows} * kStride, c.numbers, 4)) {
    for (int s = 0; s < c.n_segments; ++s) b_.push_back(draw(int64_t{c.depth} * c.n, c.numbers, 10 + s));
    for (const bf16 value : mask16_) mask32_.push_back(widen_bf16(value));
    for (int i = 0; i < c.n_rows; ++i) rows_.push_back(static_cast<uint16_t>((i * 7 + 3) % kRows));
  }

  struct Result {
    std::vector<float> c32 = std::vector<float>(kRows * kStride, -77);
    std::vector<bf16> c16 = std::vector<bf16>(kRows * kStride, 0x1234);
  };

  Result run(const KernelTable& table) const {
    const cpu::PanelLayout& layout = table.panels_bf16;
    const int depth = round_up(c_.depth, layout.depth_multiple);
    std::vector<AlignedBuffer<bf16>> packed;
    std::vector<const void*> packs;
    for (const std::vector<bf16>& b : b_) {
      packed.emplace_back(int64_t{depth} * c_.n);
      for (int k = 0; k < c_.depth; ++k) {
        for (int j = 0; j < c_.n; ++j) {
          packed.back()[int64_t{j / 16} * 16 * depth + k / 2 * 32 + j % 16 * 2 + k % 2] = b[k * c_.n + j];
        }
      }
    }
    for (const auto& buffer : packed) packs.push_back(buffer.data());
    AlignedBuffer<std::byte> scratch(table.scratch_bytes(int64_t{c_.n_segments} * c_.depth));
    Result result;
    GemmArgs args;
    args.a = a_.data();
    args.a_stride = row_size_;
    args.rows = rows_.data();
    args.n_rows = c_.n_rows;
    args.c_compact = c_.is_compact;
    args.n_segments = c_.n_segments;
    args.depth = c_.depth;
    args.b = packs.data();
    args.n = c_.n;
    args.bias = cpu::has_bias(c_.epilogue) ? bias_.data() : nullptr;
    args.epilogue = c_.epilogue;
    args.slope = kSlope;
    args.c32 = c_.to32 ? result.c32.data() : nullptr;
    args.c16 = c_.to16 ? result.c16.data() : nullptr;
    args.c_stride = kStride;
    args.mask32 = c_.is_mask32 ? mask32_.data() : nullptr;
    args.mask16 = c_.is_mask32 ? nullptr : mask16_.data();
    args.mask_stride = kStride;
    args.scratch = scratch.data();
    args.is_far = c_.n_rows % 2 == 0;
    args.next_b = args.is_far ? packs[0] : nullptr;
    const cpu::KernelScope scope(table);
    table.gemm_bf16(args);
    return result;
  }

  /// Against sums in double. A sum of K products in chains of 16, added up 32 by 32, is off by at most
  /// (K / 32 + 18) 2^-24 of the sum of their absolute values; an epilogue rounds twice more, a bf16 once.
  void check(const Result& result) const {
    std::set<int64_t> written;
    for (int i = 0; i < c_.n_rows; ++i) {
      const int64_t place = c_.is_compact ? i : rows_[i];
      for (int j = 0; j < c_.n; ++j) {
        double sum = cpu::has_bias(c_.epilogue) ? bias_[j] : 0;
        double size = std::abs(sum);
        for (int s = 0; s < c_.n_segments; ++s) {
          for (int k = 0; k < c_.depth; ++k) {
            const double product =
                double{widen_bf16(a_[rows_[i] * row_size_ + s * c_.depth + k])} * widen_bf16(b_[s][k * c_.n + j]);
            sum += product;
            size += std::abs(product);
          }
        }
        const int64_t at = place * kStride + j;
        const double error = (c_.n_segments * c_.depth / 32 + 18) * 0x1p-24 * size;
        // The sign of a sum next to 0 is open; both branches are within the error then.
        const double expected = finish(sum, widen_bf16(mask16_[at]));
        const double tolerance =
            error * std::max(1.0, std::abs(double{widen_bf16(mask16_[at])})) + std::abs(expected) * 0x1p-22;
        if (c_.to32) {
          ASSERT_NEAR(result.c32[at], expected, tolerance) << "row " << i << " column " << j;
        }
        if (c_.to16) {
          ASSERT_NEAR(widen_bf16(result.c16[at]), expected, tolerance + std::abs(expected) * 0x1p-8);
        }
        written.insert(at);
      }
    }
    for (int64_t at = 0; at < int64_t{kRows} * kStride; ++at) {
      if (written.count(at) != 0) continue;
      ASSERT_EQ(result.c32[at], -77) << "written beside its rows";
      ASSERT_EQ(result.c16[at], 0x1234) << "written beside its rows";
    }
  }

 private:
  static constexpr int kRows = 80;
  static constexpr int kStride = 96;
  static constexpr float kSlope = 0.25F;

  double finish(double sum, double mask) const {
    switch (c_.epilogue) {
      case Epilogue::Store:
        return sum;
      case Epilogue::BiasLeaky:
        return std::max(sum, kSlope * sum);
      case Epilogue::AddLeaky:
        return std::max(sum + mask, kSlope * (sum + mask));
      case Epilogue::MaskLeaky:
        return mask > 0 ? sum : kSlope * sum;
      case Epilogue::Multiply:
        return sum * mask;
    }
    return 0;
  }

  ProductCase c_;
  int row_size_;
  std::vector<bf16> a_;
  std::vector<std::vector<bf16>> b_;
  std::vector<float> bias_;
  std::vector<bf16> mask16_;
  std::vector<float> mask32_;
  std::vector<uint16_t> rows_;
};

/// All row tails 1 to 33 and beyond a chunk, all depth tails, all ends.
std::vector<ProductCase> product_cases(Numbers numbers) {
  std::vector<ProductCase> cases;
  const auto add = [&](ProductCase c) {
    c.numbers = numbers;
    cases.push_back(c);
  };
  for (int n_rows = 1; n_rows <= 33; ++n_rows) {
    add({.n_rows = n_rows, .depth = 2 * n_rows, .n = 48, .epilogue = Epilogue::BiasLeaky});
    add({.n_rows = n_rows, .depth = 98, .n = 48, .epilogue = Epilogue::MaskLeaky});
  }
  for (const int n : {16, 32, 48, 64, 80}) {
    for (const int depth : {2, 32, 54, 64, 66, 130}) {
      add({.n_rows = 70, .depth = depth, .n = n, .epilogue = Epilogue::MaskLeaky});
      add({.n_rows = 17, .depth = depth, .n = n, .epilogue = Epilogue::BiasLeaky, .is_compact = true});
    }
  }
  for (const Epilogue epilogue :
       {Epilogue::Store, Epilogue::BiasLeaky, Epilogue::AddLeaky, Epilogue::MaskLeaky, Epilogue::Multiply}) {
    for (const bool is_mask32 : {false, true}) {
      for (const bool to32 : {false, true}) {
        add({19, 54, 48, 1, epilogue, to32, !to32, is_mask32});
        add({35, 34, 48, 3, epilogue, true, to32, is_mask32});
      }
    }
  }
  return cases;
}

void describe(const ProductCase& c, testing::Message& to) {
  to << c.n_rows << " rows, depth " << c.depth << " x " << c.n_segments << ", " << c.n << " columns, epilogue "
     << static_cast<int>(c.epilogue) << ", numbers " << static_cast<int>(c.numbers);
}

TEST(AmxProduct, TwinIsWithinTheErrorOfItsSums) {
  for (const ProductCase& c : product_cases(Numbers::Normal)) {
    testing::Message what;
    describe(c, what);
    SCOPED_TRACE(what);
    const DrawnProduct product(c);
    product.check(product.run(cpu::amx_twin_table()));
    if (HasFatalFailure()) return;
  }
}

TEST(AmxProduct, NativeHasTheBitsOfItsTwin) {
  const KernelTable* native = native_table();
  if (native == nullptr) GTEST_SKIP() << "no AMX here";
  for (const Numbers numbers : {Numbers::Normal, Numbers::Tiny, Numbers::Wild}) {
    for (const ProductCase& c : product_cases(numbers)) {
      testing::Message what;
      describe(c, what);
      SCOPED_TRACE(what);
      const DrawnProduct product(c);
      const DrawnProduct::Result fast = product.run(*native);
      const DrawnProduct::Result slow = product.run(cpu::amx_twin_table());
      expect_same(fast.c16, slow.c16);
      expect_same(fast.c32, slow.c32);
      if (HasFatalFailure()) return;
    }
  }
}

// What stands behind the depth of a row, and in rows that are not asked for, may be anything.
TEST(AmxProduct, ReadsNothingBesideItsOperands) {
  const std::vector<bf16> row(40, 0x7fc0);  // NaN
  std::vector<bf16> a = draw(20 * 40, Numbers::Normal, 1);
  for (int i = 0; i < 20; ++i) std::fill(a.begin() + i * 40 + 6, a.begin() + (i + 1) * 40, row[0]);
  AlignedBuffer<bf16> b(32 * 16);
  for (int64_t i = 0; i < 6 * 16; ++i) b[i] = 0x3f80;
  std::vector<bf16> c(20 * 16);
  const void* packs[] = {b.data()};
  for (const KernelTable* table : {native_table(), &cpu::amx_twin_table()}) {
    if (table == nullptr) continue;
    AlignedBuffer<std::byte> scratch(table->scratch_bytes(6));
    GemmArgs args;
    args.a = a.data();
    args.a_stride = 40;
    args.n_rows = 20;
    args.depth = 6;
    args.b = packs;
    args.n = 16;
    args.c16 = c.data();
    args.c_stride = 16;
    args.scratch = scratch.data();
    const cpu::KernelScope scope(*table);
    table->gemm_bf16(args);
    for (const bf16 value : c) ASSERT_TRUE(std::isfinite(widen_bf16(value)));
  }
}

constexpr int kGroupedRows = 218;

/// The products of groups of rows with weights of their own, in one call or in a call for each.
std::vector<bf16> multiply_groups(const KernelTable& table, int depth, int n, bool is_far, bool in_one_call,
                                  const std::vector<uint16_t>& rows) {
  const std::vector<int> ends = {5, 69, 70, 102, 118, kGroupedRows};
  const int n_rows = ends.back();
  const int padded = round_up(depth, table.panels_bf16.depth_multiple);
  const std::vector<bf16> a = draw(int64_t{n_rows} * depth, Numbers::Normal, 1);
  std::vector<AlignedBuffer<bf16>> weights;
  std::vector<cpu::RowGroup> groups;
  for (const int end : ends) {
    const std::vector<bf16> values = draw(int64_t{padded} * n, Numbers::Normal, end);
    weights.emplace_back(int64_t{padded} * n);
    std::copy(values.begin(), values.end(), weights.back().data());
    groups.push_back({end, weights.back().data()});
  }
  const std::vector<float> bias = test::random_floats(n, -1, 1, 3);
  std::vector<bf16> c(int64_t{n_rows} * n, 0x1234);
  AlignedBuffer<std::byte> scratch(table.scratch_bytes(depth));
  GemmArgs args;
  args.a = a.data();
  args.a_stride = depth;
  args.rows = rows.data();
  args.n_rows = n_rows;
  args.depth = depth;
  args.n = n;
  args.bias = bias.data();
  args.epilogue = Epilogue::BiasLeaky;
  args.slope = 0.25F;
  args.c16 = c.data();
  args.c_stride = n;
  args.scratch = scratch.data();
  args.is_far = is_far;
  const cpu::KernelScope scope(table);
  if (in_one_call) {
    args.groups = groups.data();
    args.n_groups = static_cast<int>(groups.size());
    table.gemm_bf16(args);
    return c;
  }
  int begin = 0;
  for (const cpu::RowGroup& group : groups) {
    args.rows = rows.data() + begin;
    args.n_rows = group.end - begin;
    args.b = &group.b;
    table.gemm_bf16(args);
    begin = group.end;
  }
  return c;
}

TEST(AmxProduct, GroupsAreCallsOneAfterTheOther) {
  for (const KernelTable* table : {native_table(), &cpu::amx_twin_table()}) {
    if (table == nullptr) continue;
    std::vector<uint16_t> rows(kGroupedRows);
    std::iota(rows.begin(), rows.end(), uint16_t{0});
    for (const int depth : {20, 54, 64, 96, 98}) {
      for (const int n : {16, 48, 64}) {
        for (const bool is_far : {false, true}) {
          SCOPED_TRACE(testing::Message() << table->isa << ", depth " << depth << ", " << n << " columns");
          expect_same(multiply_groups(*table, depth, n, is_far, true, rows),
                      multiply_groups(*table, depth, n, is_far, false, rows));
        }
      }
    }
  }
}

// Rows at one distance are loaded from where they are, others are copied before.
TEST(AmxProduct, TheOrderOfRowsChangesNoBit) {
  std::vector<uint16_t> in_order(kGroupedRows);
  std::iota(in_order.begin(), in_order.end(), uint16_t{0});
  std::vector<uint16_t> mixed = in_order;  // within the last group, so that the weights are the same
  std::swap(mixed[120], mixed[171]);
  std::swap(mixed[130], mixed[140]);
  std::vector<uint16_t> reversed = in_order;
  std::reverse(reversed.begin() + 118, reversed.end());
  std::vector<uint16_t> strided = in_order;
  for (int i = 0; i < 100; ++i) strided[118 + i] = static_cast<uint16_t>(118 + i % 25 * 4 + i / 25);
  for (const KernelTable* table : {native_table(), &cpu::amx_twin_table()}) {
    if (table == nullptr) continue;
    for (const int depth : {64, 96}) {
      const std::vector<bf16> expected = multiply_groups(*table, depth, 48, false, true, in_order);
      for (const auto& rows : {mixed, reversed, strided}) {
        expect_same(multiply_groups(*table, depth, 48, true, true, rows), expected);
      }
    }
  }
}

TEST(KernelTables, IntelWidensBf16WithoutAmx) {
  const std::vector<KernelTable>& tables = cpu::kernel_tables();
  const auto place_of = [&](const std::string& isa) {
    const auto at = std::find_if(tables.begin(), tables.end(), [&](const KernelTable& t) { return t.isa == isa; });
    return at - tables.begin();
  };
  if (!cpu::cpu_has_avx512bf16()) GTEST_SKIP() << "no vdpbf16ps here";
  EXPECT_EQ(place_of("avx512bf16") > place_of("avx512"), cpu::is_intel_cpu());
  for (const KernelTable& table : tables) EXPECT_FALSE(table.reason.empty()) << table.isa;
}

#if defined(__linux__) && defined(__x86_64__)

/// Makes arch_prctl(ARCH_REQ_XCOMP_PERM) fail from now on, as an old kernel or a sandbox does. For a child process.
bool refuse_permission() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1023, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(KernelTables, WithoutPermissionTheySayWhyNotAmx) {
  if (native_table() == nullptr) GTEST_SKIP() << "no AMX here";
  enum { Fine, NoFilter, StillUsed, NoReason };
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!refuse_permission()) ::_exit(NoFilter);
    const std::vector<KernelTable> tables = cpu::make_kernel_tables();
    for (const KernelTable& table : tables) {
      if (table.isa == "amx") ::_exit(StillUsed);
    }
    ::_exit(tables.front().reason.find("AMX not used: the kernel refused") != std::string::npos ? Fine : NoReason);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == NoFilter) GTEST_SKIP() << "system call filters are not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), Fine);
}

#endif

}  // namespace
}  // namespace loe
