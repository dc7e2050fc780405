// Yardsticks and rivals on an NVIDIA GPU.
#pragma once

#include <memory>
#include <string>

#include "loe/backend/backend.h"
#include "peer/peer.h"

namespace loe::peer {

/// What the GPU can do at best at this moment, to be sampled between the steps that are compared with it. One caller at
/// a time.
class GpuMeter {
 public:
  virtual ~GpuMeter() = default;
  /// cuBLAS on products of 8192 x 8192 matrices in F32, Tf32 or Bf16 for about 20 ms: GFLOP/s, a multiply-add counted
  /// as 2. Error(InvalidArgument) for Mixed.
  virtual double matrix_gflops(Precision precision) = 0;
  /// Copies of 1 GiB within device memory for about 10 ms: bytes read and written, in GB/s.
  virtual double copy_gigabytes_per_second() = 0;
  virtual const std::string& device_name() const = 0;
};

/// Error(Unsupported) without a GPU or cuBLAS; Error(OutOfMemory) if the GPU has not 2 GiB left.
std::unique_ptr<GpuMeter> make_gpu_meter();

/// A step by cuBLAS's grouped products (grouped_peer.h). nullptr for networks and precisions as make_onednn_peer, which
/// has no Tf32. Error(Unsupported) without a GPU or cuBLAS, here and in the calls if cuBLAS declines.
std::unique_ptr<PeerStep> make_cublas_peer(const NetworkSpec& spec, Precision precision);

}  // namespace loe::peer
