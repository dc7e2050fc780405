// Zero-initialised arrays aligned to a cache line, large ones on huge pages.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "loe/base/error.h"

namespace loe {

/// Owns `size` zeroed elements of a trivial type, aligned to 64 bytes (one cache line, one 512-bit vector), from 4 MiB
/// on to a huge page: gathering rows at random from 4 KiB pages cost wide networks 3 to 5% in page walks (measured).
/// Throws Error(OutOfMemory) with the number of bytes.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivial_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t size) { resize(size); }
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~AlignedBuffer() { std::free(data_); }

  /// Content is lost and zeroed if the size changes.
  void resize(int64_t size) {
    if (size == size_) return;
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
    if (size == 0) return;
    const auto limit = std::numeric_limits<int64_t>::max() / static_cast<int64_t>(sizeof(T)) - 64;
    const std::size_t wanted = size < limit ? static_cast<std::size_t>(size) * sizeof(T) : 0;
    const std::size_t alignment = wanted >= kHugeFrom ? kHugePage : 64;
    const std::size_t bytes = (wanted + alignment - 1) / alignment * alignment;
    data_ = bytes == 0 ? nullptr : static_cast<T*>(std::aligned_alloc(alignment, bytes));
    if (data_ == nullptr) {
      throw Error(ErrorKind::OutOfMemory,
                  "[memory] cannot allocate " + std::to_string(bytes) + " bytes; use a smaller network or batch");
    }
    // Advice only: where the kernel has no huge pages, nothing changes but speed.
    if (alignment == kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
    std::memset(data_, 0, bytes);
    size_ = size;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  int64_t n_bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  static constexpr std::size_t kHugeFrom = std::size_t{4} << 20;

  void swap(AlignedBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace loe
