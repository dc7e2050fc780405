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

/// A number in memory that the device can write to by itself: a copy to ordinary memory would wait for it.
template <typename T>
class HostNumber {
 public:
  HostNumber() { check_cuda(cudaMallocHost(&value_, sizeof(T)), "host memory"); }
  ~HostNumber() { cudaFreeHost(value_); }
  HostNumber(const HostNumber&) = delete;
  HostNumber& operator=(const HostNumber&) = delete;
  T* data() { return value_; }

 private:
  T* value_ = nullptr;
};

#else

class Event {
 public:
  void record(const Stream&) {}
  void hold(const Stream&) {}
  void wait() {}
};

template <typename T>
class HostNumber {
 public:
  T* data() { return &value_; }

 private:
  T value_{};
};

#endif

/// The first element of an array, read by the host as soon as it is there.
template <typename T>
class EarlyRead {
 public:
  void start(const Stream& stream, const DeviceArray<T>& array) {
    array.download(stream, number_.data(), 1);
    is_there_.record(stream);
  }
  T finish() {
    is_there_.wait();
    return *number_.data();
  }

 private:
  HostNumber<T> number_;
  Event is_there_;
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
