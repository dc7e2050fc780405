// Memory of the device, the stream that its kernels run in, and sequences of launches that are replayed.
//
// On the CPU, device memory is ordinary memory that is NaN until something is written to it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/device/kernel.h"
#include "loe/base/error.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

#ifdef __CUDACC__

/// Error(Unsupported): the driver's words; a failure here is one of the machine, not of the caller.
inline void check_cuda(cudaError_t code, const char* what) {
  if (code != cudaSuccess) {
    throw Error(ErrorKind::Unsupported, std::string("[cuda] ") + what + ": " + cudaGetErrorString(code));
  }
}

/// Bytes that the device has left: other programs may use it too.
inline int64_t free_bytes() {
  std::size_t n_free = 0;
  std::size_t n_total = 0;
  check_cuda(cudaMemGetInfo(&n_free, &n_total), "memory");
  return static_cast<int64_t>(n_free);
}

/// Blocks that run at the same time if a multiprocessor has room for one.
inline int n_multiprocessors() {
  int device = 0;
  int n = 0;
  check_cuda(cudaGetDevice(&device), "device");
  check_cuda(cudaDeviceGetAttribute(&n, cudaDevAttrMultiProcessorCount, device), "multiprocessors");
  return n;
}

namespace detail {
inline void* allocate(std::size_t n_bytes) {
  void* data = nullptr;
  check_cuda(cudaMalloc(&data, n_bytes), "memory");
  return data;
}
inline void release(void* data) {
  cudaFree(data);
}
inline void fill_bytes(const Stream& stream, void* data, int value, std::size_t n_bytes) {
  check_cuda(cudaMemsetAsync(data, value, n_bytes, stream.handle), "memset");
}
/// Between pageable memory and the device: returns when the host's side may be used again.
inline void copy_bytes(const Stream& stream, void* to, const void* from, std::size_t n_bytes) {
  check_cuda(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDefault, stream.handle), "copy");
}
}  // namespace detail

/// Waits for all that was launched, and reports what went wrong in it.
inline void finish(const Stream& stream) {
  check_cuda(cudaGetLastError(), "launch");
  check_cuda(cudaStreamSynchronize(stream.handle), "kernels");
}

/// A stream of its own.
class OwnStream {
 public:
  OwnStream() { check_cuda(cudaStreamCreateWithFlags(&stream_.handle, cudaStreamNonBlocking), "stream"); }
  ~OwnStream() { cudaStreamDestroy(stream_.handle); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;
  const Stream& get() const { return stream_; }

 private:
  Stream stream_;
};

/// Launches that are recorded once and then replayed as one: a step of Table 5 is some 80 kernels of a few
/// microseconds.
class Replay {
 public:
  Replay() = default;
  ~Replay() { forget(); }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  /// After memory was moved: what was recorded has the old addresses.
  void forget() {
    if (graph_ != nullptr) cudaGraphExecDestroy(std::exchange(graph_, nullptr));
  }
  /// launches() must launch the same kernels with the same arguments every time until forget().
  void run(const Stream& stream, const std::function<void()>& launches) {
    if (graph_ == nullptr) {
      cudaGraph_t graph = nullptr;
      check_cuda(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeThreadLocal), "capture");
      launches();
      check_cuda(cudaStreamEndCapture(stream.handle, &graph), "capture");
      const cudaError_t code = cudaGraphInstantiate(&graph_, graph, 0);
      cudaGraphDestroy(graph);
      check_cuda(code, "graph");
    }
    check_cuda(cudaGraphLaunch(graph_, stream.handle), "graph");
  }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

#else

/// For tests; as much as one likes.
inline int64_t& host_memory_limit() {
  static thread_local int64_t n_bytes = std::numeric_limits<int64_t>::max();
  return n_bytes;
}
inline int64_t free_bytes() {
  return host_memory_limit();
}
/// Few, so that a block has more to do than a test has samples.
inline int n_multiprocessors() {
  return 3;
}

namespace detail {
/// At multiples of 256 bytes, as a device has it.
inline void* allocate(std::size_t n_bytes) {
  void* const data = ::operator new (n_bytes, std::align_val_t{256});
  host::poison(data, n_bytes);
  return data;
}
inline void release(void* data) {
  ::operator delete (data, std::align_val_t{256});
}
inline void fill_bytes(const Stream&, void* data, int value, std::size_t n_bytes) {
  std::memset(data, value, n_bytes);
}
inline void copy_bytes(const Stream&, void* to, const void* from, std::size_t n_bytes) {
  std::memcpy(to, from, n_bytes);
}
}  // namespace detail

inline void finish(const Stream&) {}

class OwnStream {
 public:
  const Stream& get() const { return stream_; }

 private:
  Stream stream_;
};

class Replay {
 public:
  void forget() {}
  void run(const Stream&, const std::function<void()>& launches) { launches(); }
};

#endif

/// Error(OutOfMemory) unless n_bytes are free. To be asked before anything is allocated.
inline void check_memory(int64_t n_bytes) {
  const int64_t n_free = free_bytes();
  if (n_bytes <= n_free) return;
  throw Error(ErrorKind::OutOfMemory, "[cuda] memory: expected about " + std::to_string(n_bytes >> 20) +
                                          " MiB for this network and batch, the device has " +
                                          std::to_string(n_free >> 20) +
                                          " MiB free; use a smaller data.batch_size or network, or --device cpu");
}

/// n numbers on the device.
template <typename T>
class DeviceArray {
 public:
  DeviceArray() = default;
  explicit DeviceArray(int64_t n) { resize(n); }
  ~DeviceArray() { detail::release(data_); }
  DeviceArray(DeviceArray&& other) noexcept { swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    swap(other);
    return *this;
  }

  int64_t size() const { return size_; }
  int64_t n_bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }
  T* data() { return data_; }
  const T* data() const { return data_; }
  Buffer<T> buffer() { return {data_, size_}; }
  Buffer<const T> const_buffer() const { return {data_, size_}; }

  /// Forgets what is there.
  void resize(int64_t n) {
    if (n == size_) return;
    detail::release(std::exchange(data_, nullptr));
    size_ = 0;
    if (n > 0) data_ = static_cast<T*>(detail::allocate(static_cast<std::size_t>(n) * sizeof(T)));
    size_ = n;
  }
  void clear(const Stream& stream) {
    if (size_ > 0) detail::fill_bytes(stream, data_, 0, static_cast<std::size_t>(n_bytes()));
  }
  /// Both at most size().
  void upload(const Stream& stream, const T* from, int64_t n) {
    LOE_ASSERT(n <= size_);
    if (n > 0) detail::copy_bytes(stream, data_, from, static_cast<std::size_t>(n) * sizeof(T));
  }
  /// The numbers are there after finish(stream).
  void download(const Stream& stream, T* to, int64_t n) const {
    LOE_ASSERT(n <= size_);
    if (n > 0) detail::copy_bytes(stream, to, data_, static_cast<std::size_t>(n) * sizeof(T));
  }

 private:
  void swap(DeviceArray& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
