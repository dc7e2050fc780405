// Highway compiles the part between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/peak.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr double kF32ChainsPerRound = 12;

double f32_flops_per_round() {
  return kF32ChainsPerRound * 2 * static_cast<double>(hn::Lanes(hn::ScalableTag<float>()));
}

// 12 independent chains hide the latency of two multiply-adds a cycle (4 cycles each: 8 would do) and, with the two
// constants, fit the 16 registers of AVX2. x <- x m + c stays finite: it converges to c / (1 - m).
float f32_fma_loop(long n_rounds) {
  const hn::ScalableTag<float> d;
  const auto m = hn::Set(d, 0.5F);
  const auto c = hn::Set(d, 0.25F);
  // Different starts: the compiler would merge equal chains into one.
  auto s0 = hn::Set(d, 1.0F);
  auto s1 = hn::Set(d, 2.0F);
  auto s2 = hn::Set(d, 3.0F);
  auto s3 = hn::Set(d, 4.0F);
  auto s4 = hn::Set(d, 5.0F);
  auto s5 = hn::Set(d, 6.0F);
  auto s6 = hn::Set(d, 7.0F);
  auto s7 = hn::Set(d, 8.0F);
  auto s8 = hn::Set(d, 9.0F);
  auto s9 = hn::Set(d, 10.0F);
  auto s10 = hn::Set(d, 11.0F);
  auto s11 = hn::Set(d, 12.0F);
  for (long i = 0; i < n_rounds; ++i) {
    s0 = hn::MulAdd(s0, m, c);
    s1 = hn::MulAdd(s1, m, c);
    s2 = hn::MulAdd(s2, m, c);
    s3 = hn::MulAdd(s3, m, c);
    s4 = hn::MulAdd(s4, m, c);
    s5 = hn::MulAdd(s5, m, c);
    s6 = hn::MulAdd(s6, m, c);
    s7 = hn::MulAdd(s7, m, c);
    s8 = hn::MulAdd(s8, m, c);
    s9 = hn::MulAdd(s9, m, c);
    s10 = hn::MulAdd(s10, m, c);
    s11 = hn::MulAdd(s11, m, c);
  }
  const auto low = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(s4, s5));
  const auto high = hn::Add(hn::Add(hn::Add(s6, s7), hn::Add(s8, s9)), hn::Add(s10, s11));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

const char* f32_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>

#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/peak_bf16.h"
#include "loe/backend/peak.h"

namespace loe {
namespace cpu {
namespace {

HWY_EXPORT(f32_fma_loop);
HWY_EXPORT(f32_flops_per_round);
HWY_EXPORT(f32_name);

std::atomic<float> g_sink;  ///< keeps the loops' results alive

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace
}  // namespace cpu

PeakMeter::PeakMeter(int n_threads) : pool_(n_threads) {
  f32_.name = std::string(HWY_DYNAMIC_DISPATCH(cpu::f32_name)()) + " fma";
  f32_.run = HWY_DYNAMIC_DISPATCH(cpu::f32_fma_loop);
  f32_.flops_per_round = HWY_DYNAMIC_DISPATCH(cpu::f32_flops_per_round)();
  time_loop(f32_);
#if HWY_ARCH_X86 && (HWY_TARGETS & HWY_AVX2)
  // Some CPUs halve the clock or split 512-bit operations, so the widest vectors need not be the fastest.
  if ((hwy::SupportedTargets() & HWY_AVX2) != 0) {
    Loop avx2{"AVX2 fma", cpu::N_AVX2::f32_fma_loop, cpu::N_AVX2::f32_flops_per_round(), 0};
    time_loop(avx2);
    if (avx2.flops_per_round / avx2.seconds_per_round > 1.02 * f32_.flops_per_round / f32_.seconds_per_round) {
      f32_ = avx2;
    }
  }
#endif
  bf16_ = f32_;
  if (cpu::kernel_tables().front().isa == "amx") {
    bf16_ = {"AMX tdpbf16ps", cpu::amx_dot_loop, cpu::kAmxFlopsPerRound, 0};
    time_loop(bf16_);
    has_bf16_dot_ = true;
  } else if (cpu::has_bf16_dot_loop()) {
    // On Intel slower than f32.
    Loop dot{"AVX512-BF16 vdpbf16ps", cpu::bf16_dot_loop, cpu::kBf16FlopsPerRound, 0};
    time_loop(dot);
    has_bf16_dot_ = dot.flops_per_round / dot.seconds_per_round > f32_.flops_per_round / f32_.seconds_per_round;
    if (has_bf16_dot_) bf16_ = dot;
  }
}

const std::string& PeakMeter::kernel(PeakKind kind) const {
  return loop_of(kind).name;
}

// Best of five: a loop that is interrupted once must not look slow.
void PeakMeter::time_loop(Loop& loop) {
  constexpr long kRounds = 200000;
  loop.seconds_per_round = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double start = cpu::seconds_now();
    cpu::g_sink.store(loop.run(kRounds), std::memory_order_relaxed);
    loop.seconds_per_round = std::min(loop.seconds_per_round, (cpu::seconds_now() - start) / kRounds);
  }
}

// Pieces of about half a millisecond, handed out dynamically like the pieces of a training step: a thread that is
// interrupted by another program costs the sample no more than it costs the step.
double PeakMeter::rate(const Loop& loop, double seconds) {
  constexpr double kPieceSeconds = 0.5e-3;
  const long rounds = std::max(1L, std::lround(kPieceSeconds / loop.seconds_per_round));
  const int64_t n_pieces = std::max<int64_t>(2, std::llround(std::max(seconds, 1e-3) / kPieceSeconds)) * n_threads();
  const double start = cpu::seconds_now();
  pool_.parallel_for(n_pieces, [&](int64_t, int) { cpu::g_sink.store(loop.run(rounds), std::memory_order_relaxed); });
  const double elapsed = cpu::seconds_now() - start;
  return loop.flops_per_round * static_cast<double>(rounds) * static_cast<double>(n_pieces) / elapsed * 1e-9;
}

double PeakMeter::sample(PeakKind kind, double seconds) {
  return rate(loop_of(kind), seconds);
}

}  // namespace loe

#endif  // HWY_ONCE
