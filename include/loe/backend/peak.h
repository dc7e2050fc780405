// What this machine's arithmetic units can do at best: the yardstick that every speed is held against.
#pragma once

#include <memory>
#include <string>

#include "loe/base/thread_pool.h"

namespace loe {

enum class PeakKind {
  F32,   ///< fused multiply-adds on f32
  Bf16,  ///< products of bf16 into f32 (AMX's tdpbf16ps, vdpbf16ps); F32 on machines where that is faster
};

/// Measures peak arithmetic rates by loops that do nothing but independent multiply-adds in registers.
///
/// A rate is that of all threads together, wall-clock, a multiply-add counted as 2 floating-point operations. On a
/// machine that other programs share, it is what was left for us at that moment: sample it right before and after
/// whatever is compared with it. Not thread-safe.
class PeakMeter {
 public:
  /// n_threads = 0: all usable cores. Times every candidate loop once and keeps the fastest of each kind (about 30 ms).
  /// Error(InvalidArgument) as ThreadPool.
  explicit PeakMeter(int n_threads = 0);

  int n_threads() const { return pool_.n_threads(); }
  /// GFLOP/s over about `seconds` of wall-clock time, at least 1 ms.
  double sample(PeakKind kind, double seconds = 0.03);
  /// What the loop of `kind` uses: "avx512f fma", "avx512_bf16 vdpbf16ps", ...
  const std::string& kernel(PeakKind kind) const;
  /// False if bf16 products are missing or slower, so that PeakKind::Bf16 stands for f32.
  bool has_bf16_dot() const { return has_bf16_dot_; }

 private:
  struct Loop {
    std::string name;
    float (*run)(long n_rounds) = nullptr;
    double flops_per_round = 0;
    double seconds_per_round = 0;  ///< of one thread
  };

  void time_loop(Loop& loop);
  double rate(const Loop& loop, double seconds);
  const Loop& loop_of(PeakKind kind) const { return kind == PeakKind::Bf16 ? bf16_ : f32_; }

  ThreadPool pool_;
  Loop f32_;
  Loop bf16_;
  bool has_bf16_dot_ = false;
};

}  // namespace loe
