// The peak of the device that is measured, sampled between the measurements that are compared with it.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench_measure.h"
#include "loe/backend/backend.h"

namespace loe::app {

/// Rates of a device's arithmetic units by operand type: Precision::F32, Tf32 or Bf16.
class PeakSource {
 public:
  virtual ~PeakSource() = default;
  virtual double gflops(Precision type) = 0;
  /// What is measured: "avx512f fma", "cuBLAS products of 8192 x 8192".
  virtual std::string kernel(Precision type) const = 0;
  /// Copies within the device's memory, bytes read and written; 0 if it is not measured.
  virtual double copy_gigabytes_per_second() { return 0; }
};

class Peaks {
 public:
  /// Of the CPU's threads, or for device cuda of the GPU; any other device has no peak, see why_none().
  Peaks(const std::string& device, int n_threads);

  bool is_measured() const { return source_ != nullptr; }
  const std::string& why_none() const { return why_none_; }

  void sample(Precision precision);

  /// The rate at which a step of `spec` would run if every product ran at the peak of its own operand type. Mixed: the
  /// forward third in f32, the rest in bf16.
  double rate(const NetworkSpec& spec, Precision precision, double (Series::*statistic)() const) const;
  std::string kernels(Precision precision) const;

  /// "peak_gflops", "peak_gflops_max", "peak_kernel" and, of GPUs, "copy_gigabytes_per_second"; without a peak
  /// "peak_kernel": "none: ..." alone.
  void describe(const NetworkSpec& spec, Precision precision, nlohmann::ordered_json& record) const;

 private:
  std::unique_ptr<PeakSource> source_;
  std::string why_none_;
  std::map<Precision, Series> gflops_;
  Series copies_;
};

}  // namespace loe::app
