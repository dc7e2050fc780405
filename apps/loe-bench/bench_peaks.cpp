#include "bench_peaks.h"

#include <nlohmann/json.hpp>

#include "bench_workload.h"
#include "loe/backend/peak.h"
#include "loe/base/error.h"
#include "loe/fitting/machine.h"

#ifdef LOE_HAS_GPU_PEER
#include "peer/gpu_peer.h"
#endif

namespace loe::app {
namespace {

class CpuPeaks final : public PeakSource {
 public:
  explicit CpuPeaks(int n_threads) : meter_(n_threads) {}
  double gflops(Precision type) override { return meter_.sample(kind_of(type)); }
  std::string kernel(Precision type) const override { return meter_.kernel(kind_of(type)); }

 private:
  static PeakKind kind_of(Precision type) { return type == Precision::Bf16 ? PeakKind::Bf16 : PeakKind::F32; }
  PeakMeter meter_;
};

#ifdef LOE_HAS_GPU_PEER

class GpuPeaks final : public PeakSource {
 public:
  GpuPeaks() : meter_(peer::make_gpu_meter()) {}
  double gflops(Precision type) override { return meter_->matrix_gflops(type); }
  std::string kernel(Precision type) const override {
    return std::string("cuBLAS ") + to_string(type) + " products of 8192 x 8192 on " + meter_->device_name();
  }
  double copy_gigabytes_per_second() override { return meter_->copy_gigabytes_per_second(); }

 private:
  std::unique_ptr<peer::GpuMeter> meter_;
};

std::unique_ptr<PeakSource> gpu_peaks() {
  return std::make_unique<GpuPeaks>();
}

#else

std::unique_ptr<PeakSource> gpu_peaks() {
  throw Error(ErrorKind::Unsupported, "built without cuBLAS (LOE_BUILD_PEERS)");
}

#endif

/// Products of bf16 that make one of f32, where those are the faster way (AMX).
constexpr double kSplitProducts = 3;

/// Operand types of the products of a step.
std::vector<Precision> types_of(Precision precision) {
  return precision == Precision::Mixed ? std::vector{Precision::F32, Precision::Bf16} : std::vector{precision};
}

}  // namespace

Peaks::Peaks(const std::string& device, int n_threads) {
  const Backend& backend = backend_of_flag(device);
  if (&backend == &cpu_backend()) {
    source_ = std::make_unique<CpuPeaks>(n_threads);
  } else if (backend.name() == "cuda") {
    try {
      source_ = gpu_peaks();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::Unsupported && error.kind() != ErrorKind::OutOfMemory) throw;
      why_none_ = error.what();
    }
  } else {
    why_none_ = "device " + backend.name() + " has none";
  }
}

void Peaks::sample(Precision precision) {
  if (source_ == nullptr) return;
  for (const Precision type : types_of(precision)) gflops_[type].add(source_->gflops(type));
  const double copies = source_->copy_gigabytes_per_second();
  if (copies > 0) copies_.add(copies);
}

double Peaks::rate(const NetworkSpec& spec, Precision precision, double (Series::*statistic)() const) const {
  if (precision != Precision::Mixed) return (gflops_.at(precision).*statistic)();
  const double total = flops_per_step(spec, 1);
  const double forward = 2 * static_cast<double>(spec.macs_per_sample());
  const double f32 = (gflops_.at(Precision::F32).*statistic)();
  const double bf16 = (gflops_.at(Precision::Bf16).*statistic)();
  return total / (forward / std::max(f32, bf16 / kSplitProducts) + (total - forward) / bf16);
}

std::string Peaks::kernels(Precision precision) const {
  if (precision != Precision::Mixed) return source_->kernel(precision);
  return "forward " + source_->kernel(Precision::F32) + ", backward " + source_->kernel(Precision::Bf16);
}

void Peaks::describe(const NetworkSpec& spec, Precision precision, nlohmann::ordered_json& record) const {
  if (source_ == nullptr) {
    record["peak_kernel"] = "none: " + why_none_;
    return;
  }
  record["peak_gflops"] = rate(spec, precision, &Series::median);
  record["peak_gflops_max"] = rate(spec, precision, &Series::max);
  record["peak_kernel"] = kernels(precision);
  if (!copies_.values.empty()) record["copy_gigabytes_per_second"] = copies_.median();
}

}  // namespace loe::app
