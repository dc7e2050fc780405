// Order between streams, and numbers that the host reads while a stream goes on.
//
// On the CPU a launch is done when it returns, so there is nothing to wait for.
#pragma once

#include "backend/cuda/device/memory.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

#ifdef __CUDACC__

/// A point in a stream that another stream or the host waits for. Between streams it may be recorded for replay.
class Event {
 public:
  Event() { check_cuda(cudaEventCreateWithFlags(&handle_, cudaEventDisableTiming), "event"); }
  ~Event() { cudaEventDestroy(handle_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Stream& stream) { check_cuda(cudaEventRecord(handle_, stream.handle), "event"); }
  void hold(const Stream& stream) { check_cuda(cudaStreamWaitEvent(stream.handle, handle_, 0), "event"); }
  /// The host waits. Also reports what went wrong in kernels before.
  void wait() {
    check_cuda(cudaGetLastError(), "launch");
    check_cuda(cudaEventSynchronize(handle_), "kernels");
  }

 private:
  cudaEvent_t handle_ = nullptr;
};

/// Numbers in memory that the device can write to by itself: a copy to ordinary memory would wait for them.
template <typename T>
class HostNumbers {
 public:
  HostNumbers() = default;
  ~HostNumbers() { cudaFreeHost(data_); }
  HostNumbers(const HostNumbers&) = delete;
  HostNumbers& operator=(const HostNumbers&) = delete;
  T* data() { return data_; }
  int64_t size() const { return size_; }
  /// Forgets what is there.
  void resize(int64_t n) {
    cudaFreeHost(std::exchange(data_, nullptr));
    size_ = 0;
    check_cuda(cudaMallocHost(&data_, static_cast<std::size_t>(n) * sizeof(T)), "host memory");
    size_ = n;
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

#else

class Event {
 public:
  void record(const Stream&) {}
  void hold(const Stream&) {}
  void wait() {}
};

template <typename T>
class HostNumbers {
 public:
  T* data() { return numbers_.data(); }
  int64_t size() const { return static_cast<int64_t>(numbers_.size()); }
  void resize(int64_t n) { numbers_.assign(static_cast<std::size_t>(n), T{}); }

 private:
  std::vector<T> numbers_;
};

#endif

/// The first elements of an array, read by the host as soon as they are there.
template <typename T>
class EarlyCopy {
 public:
  void start(const Stream& stream, const DeviceArray<T>& array, int64_t n) {
    if (n > numbers_.size()) {
      is_there_.wait();  // an earlier copy that nobody has waited for
      numbers_.resize(n);
    }
    array.download(stream, numbers_.data(), n);
    is_there_.record(stream);
  }
  /// Until the next start().
  const T* finish() {
    is_there_.wait();
    return numbers_.data();
  }

 private:
  HostNumbers<T> numbers_;
  Event is_there_;
};

/// The first element alone.
template <typename T>
class EarlyRead {
 public:
  void start(const Stream& stream, const DeviceArray<T>& array) { copy_.start(stream, array, 1); }
  T finish() { return *copy_.finish(); }

 private:
  EarlyCopy<T> copy_;
};

/// to[0] = value: a launch takes its arguments along, a copy from the host's memory would have to wait for its turn.
template <typename T>
LOE_KERNEL void put_value(T value, Buffer<T> to) {
  if (thread_index() == 0) to[0] = value;
}
template <typename T>
void put(const Stream& stream, const T& value, DeviceArray<T>& to) {
  launch(stream, 1, kLanes, put_value<T>, value, to.buffer());
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
