// What a GPU can do at best, and what NVIDIA's library makes of products by expert: the yardsticks of
// `loe bench step --device cuda`. Prints one JSON object per measurement; medians of kRepeats.
//
//   copy           device memory, bytes read and written
//   matrix PREC    cuBLAS on one product of 8192^3
//   experts PREC   cuBLAS grouped products, one group per expert, of a layer of `pluto` (16 experts, 256 to 256,
//   262,144
//                  samples) and of `video` (64 experts, 160,000 samples): rows already sorted, no bias, no activation
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

constexpr int kRepeats = 20;

void check(cudaError_t code) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "gpu_rates: %s\n", cudaGetErrorString(code));
  std::exit(1);
}
void check(cublasStatus_t status) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  std::fprintf(stderr, "gpu_rates: cuBLAS: %s\n", cublasGetStatusString(status));
  std::exit(1);
}

/// Median seconds of `work`, which launches to the default stream.
double seconds_of(const std::function<void()>& work) {
  cudaEvent_t begin;
  cudaEvent_t end;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  std::vector<float> milliseconds(kRepeats);
  for (int i = 0; i < 3; ++i) work();
  for (float& ms : milliseconds) {
    check(cudaEventRecord(begin));
    work();
    check(cudaEventRecord(end));
    check(cudaEventSynchronize(end));
    check(cudaEventElapsedTime(&ms, begin, end));
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return 1e-3 * milliseconds[kRepeats / 2];
}

struct Format {
  const char* name;
  cudaDataType_t type;
  cublasComputeType_t compute;
  std::size_t n_bytes;
};
constexpr Format kFormats[] = {{"f32", CUDA_R_32F, CUBLAS_COMPUTE_32F, 4},
                               {"tf32", CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, 4},
                               {"bf16", CUDA_R_16BF, CUBLAS_COMPUTE_32F, 2}};

/// Numbers that look like activations: a matrix unit fed with zeros draws less power and runs faster.
std::vector<unsigned char> some_numbers(std::size_t n, const Format& format) {
  std::vector<unsigned char> bytes(n * format.n_bytes);
  unsigned state = 1;
  for (std::size_t i = 0; i < n; ++i) {
    state = state * 1664525U + 1013904223U;
    const float value = static_cast<float>(state >> 8) * 0x1p-23F - 1;
    unsigned bits;
    static_assert(sizeof(bits) == sizeof(value));
    std::copy_n(reinterpret_cast<const unsigned char*>(&value), 4, reinterpret_cast<unsigned char*>(&bits));
    const unsigned kept = format.n_bytes == 2 ? bits >> 16 : bits;
    std::copy_n(reinterpret_cast<const unsigned char*>(&kept), format.n_bytes, bytes.data() + i * format.n_bytes);
  }
  return bytes;
}

struct DeviceMatrix {
  void* data = nullptr;
  DeviceMatrix(std::size_t n, const Format& format) {
    const std::vector<unsigned char> numbers = some_numbers(n, format);
    check(cudaMalloc(&data, numbers.size()));
    check(cudaMemcpy(data, numbers.data(), numbers.size(), cudaMemcpyHostToDevice));
  }
  ~DeviceMatrix() { cudaFree(data); }
};

void print_rate(const char* what, const char* precision, double flops, double seconds) {
  std::printf("{\"what\": \"%s\", \"precision\": \"%s\", \"seconds\": %.6g, \"gflops\": %.6g}\n", what, precision,
              seconds, flops / seconds * 1e-9);
}

void measure_copy() {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  void* from = nullptr;
  void* to = nullptr;
  check(cudaMalloc(&from, kBytes));
  check(cudaMalloc(&to, kBytes));
  check(cudaMemset(from, 1, kBytes));
  const double seconds = seconds_of([&] { check(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice)); });
  std::printf("{\"what\": \"copy\", \"seconds\": %.6g, \"gigabytes_per_second\": %.6g}\n", seconds,
              2e-9 * static_cast<double>(kBytes) / seconds);
  check(cudaFree(from));
  check(cudaFree(to));
}

void measure_matrix(cublasHandle_t handle, const Format& format) {
  constexpr int n = 8192;
  const DeviceMatrix a(std::size_t{n} * n, format);
  const DeviceMatrix b(std::size_t{n} * n, format);
  const DeviceMatrix c(std::size_t{n} * n, format);
  const float one = 1;
  const float zero = 0;
  const double seconds = seconds_of([&] {
    check(cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, n, n, n, &one, a.data, format.type, n, b.data, format.type, n,
                       &zero, c.data, format.type, n, format.compute, CUBLAS_GEMM_DEFAULT));
  });
  print_rate("matrix", format.name, 2.0 * n * n * n, seconds);
}

/// y_e = W_e x_e for experts of equal shares.
void measure_experts(cublasHandle_t handle, const Format& format, const char* what, int n_experts, int n_samples) {
  constexpr int kWidth = 256;
  const int rows = n_samples / n_experts;
  const DeviceMatrix w(std::size_t{kWidth} * kWidth * static_cast<std::size_t>(n_experts), format);
  const DeviceMatrix x(std::size_t{kWidth} * static_cast<std::size_t>(n_samples), format);
  const DeviceMatrix y(std::size_t{kWidth} * static_cast<std::size_t>(n_samples), format);
  const auto n = static_cast<std::size_t>(n_experts);
  const std::vector<cublasOperation_t> transposed(n, CUBLAS_OP_T);
  const std::vector<cublasOperation_t> plain(n, CUBLAS_OP_N);
  const std::vector<int> widths(n, kWidth);
  const std::vector<int> counts(n, rows);
  const std::vector<int> ones(n, 1);
  const std::vector<float> alpha(n, 1);
  const std::vector<float> beta(n, 0);
  const auto pointers = [&](const DeviceMatrix& matrix, std::size_t step) {
    std::vector<void*> host(n);
    for (std::size_t e = 0; e < n; ++e) host[e] = static_cast<char*>(matrix.data) + e * step * format.n_bytes;
    void* device = nullptr;
    check(cudaMalloc(&device, n * sizeof(void*)));
    check(cudaMemcpy(device, host.data(), n * sizeof(void*), cudaMemcpyHostToDevice));
    return static_cast<void**>(device);
  };
  void** const ws = pointers(w, std::size_t{kWidth} * kWidth);
  void** const xs = pointers(x, std::size_t{kWidth} * static_cast<std::size_t>(rows));
  void** const ys = pointers(y, std::size_t{kWidth} * static_cast<std::size_t>(rows));
  const double seconds = seconds_of([&] {
    check(cublasGemmGroupedBatchedEx(handle, transposed.data(), plain.data(), widths.data(), counts.data(),
                                     widths.data(), alpha.data(), ws, format.type, widths.data(), xs, format.type,
                                     widths.data(), beta.data(), ys, format.type, widths.data(), n_experts, ones.data(),
                                     format.compute));
  });
  print_rate(what, format.name, 2.0 * rows * n_experts * kWidth * kWidth, seconds);
  for (void** p : {ws, xs, ys}) check(cudaFree(p));
}

}  // namespace

int main() {
  int n_devices = 0;
  if (cudaGetDeviceCount(&n_devices) != cudaSuccess || n_devices == 0) {
    std::printf("skipped: no NVIDIA GPU on this machine\n");
    return 77;
  }
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0));
  std::printf("{\"what\": \"device\", \"name\": \"%s\", \"capability\": \"%d.%d\"}\n", properties.name,
              properties.major, properties.minor);
  cublasHandle_t handle = nullptr;
  check(cublasCreate(&handle));
  measure_copy();
  for (const Format& format : kFormats) {
    measure_matrix(handle, format);
    measure_experts(handle, format, "experts of pluto", 16, 262144);
    measure_experts(handle, format, "experts of video", 64, 160000);
  }
  check(cublasDestroy(handle));
}
