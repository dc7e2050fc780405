// The functions of cuBLAS that the yardsticks and rivals on GPUs need, looked for when they are.
#pragma once

#include <cublas_v2.h>

#include <string>

#include "backend/cuda/shared_library.h"
#include "loe/base/error.h"

#ifndef LOE_CUBLAS_FOLDER
#define LOE_CUBLAS_FOLDER ""
#endif

namespace loe::peer {

struct CublasLibrary {
  std::string obstacle;  ///< why it cannot be used, or ""
  decltype(&::cublasCreate_v2) create = nullptr;
  decltype(&::cublasDestroy_v2) destroy = nullptr;
  decltype(&::cublasSetStream_v2) set_stream = nullptr;
  /// cublasGemmEx, whose name the header overloads.
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k, const void* alpha,
                         const void* a, cudaDataType, int lda, const void* b, cudaDataType, int ldb, const void* beta,
                         void* c, cudaDataType, int ldc, cublasComputeType_t, cublasGemmAlgo_t) = nullptr;
  decltype(&::cublasGemmGroupedBatchedEx) grouped_gemm = nullptr;
  decltype(&::cublasGetStatusString) status_string = nullptr;

  CublasLibrary() {
    cuda::SharedLibrary library("libcublas.so." + std::to_string(CUBLAS_VER_MAJOR), LOE_CUBLAS_FOLDER);
    library.find("cublasCreate_v2", create);
    library.find("cublasDestroy_v2", destroy);
    library.find("cublasSetStream_v2", set_stream);
    library.find("cublasGemmEx", gemm);
    library.find("cublasGemmGroupedBatchedEx", grouped_gemm);
    library.find("cublasGetStatusString", status_string);
    if (!library.obstacle().empty()) obstacle = "cuBLAS cannot be used: " + library.obstacle();
  }
};

inline const CublasLibrary& cublas_library() {
  static const CublasLibrary library;
  return library;
}

/// Error(Unsupported) with cuBLAS's words.
inline void check_cublas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw Error(ErrorKind::Unsupported, std::string("cuBLAS, ") + what + ": " + cublas_library().status_string(status));
  }
}

/// A handle on a stream. Error(Unsupported) if there is no cuBLAS.
class CublasHandle {
 public:
  explicit CublasHandle(cudaStream_t stream) {
    if (!cublas_library().obstacle.empty()) throw Error(ErrorKind::Unsupported, cublas_library().obstacle);
    check_cublas(cublas_library().create(&handle_), "handle");
    check_cublas(cublas_library().set_stream(handle_, stream), "stream");
  }
  ~CublasHandle() { cublas_library().destroy(handle_); }
  CublasHandle(const CublasHandle&) = delete;
  CublasHandle& operator=(const CublasHandle&) = delete;
  cublasHandle_t get() const { return handle_; }

 private:
  cublasHandle_t handle_ = nullptr;
};

}  // namespace loe::peer
