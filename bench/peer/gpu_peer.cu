#include "peer/gpu_peer.h"

#include "peer/cublas_library.h"
#include "peer/grouped_peer.h"

namespace loe::peer {
namespace {

using cuda::check_cuda;

struct Format {
  cudaDataType_t type;
  cublasComputeType_t compute;
};

Format format_of(Precision precision) {
  switch (precision) {
    case Precision::F32:
      return {CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Precision::Tf32:
      return {CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32};
    case Precision::Bf16:
      return {CUDA_R_16BF, CUBLAS_COMPUTE_32F};
    case Precision::Mixed:
      break;
  }
  throw Error(ErrorKind::InvalidArgument, "[peer] precision: expected f32, tf32 or bf16, got mixed");
}

/// cublasGemmGroupedBatchedEx, a group per expert. Results have the operands' type: cuBLAS has no other for bf16.
class CublasProducts {
 public:
  struct Call {
    std::vector<cublasOperation_t> op_a, op_b;
    std::vector<int> m, n, k, lda, ldb, ldc, ones;
    std::vector<float> alpha, beta;
    cuda::DeviceArray<const void*> a, b;
    cuda::DeviceArray<void*> c;
  };

  CublasProducts(const cuda::Stream& stream, Precision precision)
      : stream_(stream), handle_(stream.handle), format_(format_of(precision)) {}

  Call make(const std::vector<Product>& products) {
    Call call;
    std::vector<const void*> a, b;
    std::vector<void*> c;
    for (const Product& product : products) {
      call.op_a.push_back(product.transposes_a ? CUBLAS_OP_T : CUBLAS_OP_N);
      call.op_b.push_back(product.transposes_b ? CUBLAS_OP_T : CUBLAS_OP_N);
      call.m.push_back(product.m);
      call.n.push_back(product.n);
      call.k.push_back(product.k);
      call.lda.push_back(product.lda);
      call.ldb.push_back(product.ldb);
      call.ldc.push_back(product.ldc);
      a.push_back(product.a);
      b.push_back(product.b);
      c.push_back(product.c);
    }
    call.ones.assign(products.size(), 1);
    call.alpha.assign(products.size(), 1.0F);
    call.beta.assign(products.size(), 0.0F);
    const auto n = static_cast<int64_t>(products.size());
    call.a.resize(n);
    call.b.resize(n);
    call.c.resize(n);
    call.a.upload(stream_, a.data(), n);
    call.b.upload(stream_, b.data(), n);
    call.c.upload(stream_, c.data(), n);
    cuda::finish(stream_);
    return call;
  }

  void run(Call& call) {
    check_cublas(cublas_library().grouped_gemm(
                     handle_.get(), call.op_a.data(), call.op_b.data(), call.m.data(), call.n.data(), call.k.data(),
                     call.alpha.data(), call.a.data(), format_.type, call.lda.data(), call.b.data(), format_.type,
                     call.ldb.data(), call.beta.data(), call.c.data(), format_.type, call.ldc.data(),
                     static_cast<int>(call.ones.size()), call.ones.data(), format_.compute),
                 "grouped products");
  }

 private:
  const cuda::Stream& stream_;
  CublasHandle handle_;
  Format format_;
};

/// Numbers that look like activations: a matrix unit fed with zeros draws less power and runs faster.
LOE_KERNEL void fill_with_noise(int64_t n, uint16_t* halves) {
  const int64_t i = int64_t{cuda::block_index()} * 256 + cuda::thread_index();
  // In (0.5, 2), with either sign, as bf16 and as the upper and lower half of an f32.
  const auto hash = static_cast<uint32_t>(i) * 2654435761U ^ static_cast<uint32_t>(i >> 7) * 2246822519U;
  if (i < n) halves[i] = static_cast<uint16_t>(0x3F00U | (hash >> 16 & 0x80FFU));
}

class CublasMeter final : public GpuMeter {
 public:
  CublasMeter() : handle_(stream_.get().handle) {
    cudaDeviceProp properties;
    check_cuda(cudaGetDeviceProperties(&properties, 0), "device");
    name_ = properties.name;
    check_cuda(cudaEventCreate(&begin_), "event");
    check_cuda(cudaEventCreate(&end_), "event");
    cuda::check_memory(2 * kCopyBytes);
    from_.resize(kCopyBytes);
    to_.resize(kCopyBytes);
    const int64_t n_halves = kCopyBytes / 2;
    cuda::launch(stream_.get(), n_halves / 256, 256, fill_with_noise, n_halves,
                 reinterpret_cast<uint16_t*>(from_.data()));
    cuda::finish(stream_.get());
  }
  ~CublasMeter() override {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }

  double matrix_gflops(Precision precision) override {
    constexpr int n = 8192;
    constexpr int64_t kMatrixBytes = int64_t{4} * n * n;  // three of them in f32
    static_assert(2 * kMatrixBytes <= kCopyBytes);
    const Format format = format_of(precision);
    const float one = 1;
    const float zero = 0;
    const double seconds = seconds_of(
        precision == Precision::F32    ? 1
        : precision == Precision::Tf32 ? 6
                                       : 12,
        [&] {
          check_cublas(cublas_library().gemm(handle_.get(), CUBLAS_OP_T, CUBLAS_OP_N, n, n, n, &one, from_.data(),
                                             format.type, n, from_.data() + kMatrixBytes, format.type, n, &zero,
                                             to_.data(), format.type, n, format.compute, CUBLAS_GEMM_DEFAULT),
                       "product");
        });
    return 2.0 * n * n * n / seconds * 1e-9;
  }

  double copy_gigabytes_per_second() override {
    const double seconds = seconds_of(10, [&] {
      check_cuda(cudaMemcpyAsync(to_.data(), from_.data(), kCopyBytes, cudaMemcpyDeviceToDevice, stream_.get().handle),
                 "copy");
    });
    return 2e-9 * static_cast<double>(kCopyBytes) / seconds;
  }

  const std::string& device_name() const override { return name_; }

 private:
  static constexpr int64_t kCopyBytes = int64_t{1} << 30;

  /// Of one of n launches; another one before them finds the library's kernel.
  template <typename Launch>
  double seconds_of(int n, const Launch& launch) {
    launch();
    const cudaStream_t stream = stream_.get().handle;
    check_cuda(cudaEventRecord(begin_, stream), "event");
    for (int i = 0; i < n; ++i) launch();
    check_cuda(cudaEventRecord(end_, stream), "event");
    check_cuda(cudaEventSynchronize(end_), "event");
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, begin_, end_), "event");
    return 1e-3 * static_cast<double>(milliseconds) / n;
  }

  cuda::OwnStream stream_;
  CublasHandle handle_;
  std::string name_;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
  cuda::DeviceArray<unsigned char> from_;
  cuda::DeviceArray<unsigned char> to_;
};

}  // namespace

std::unique_ptr<GpuMeter> make_gpu_meter() {
  if (!why_no_cuda().empty()) throw Error(ErrorKind::Unsupported, why_no_cuda());
  return std::make_unique<CublasMeter>();
}

std::unique_ptr<PeerStep> make_cublas_peer(const NetworkSpec& spec, Precision precision) {
  if (!is_supported(spec, precision)) return nullptr;
  if (!why_no_cuda().empty()) throw Error(ErrorKind::Unsupported, why_no_cuda());
  const std::string name = std::string("cuBLAS ") + to_string(precision) + " grouped products";
  if (precision == Precision::Bf16) {
    return std::make_unique<GroupedPeer<cuda::Bf16, CublasProducts>>(spec, precision, name);
  }
  return std::make_unique<GroupedPeer<float, CublasProducts>>(spec, precision, name);
}

}  // namespace loe::peer
