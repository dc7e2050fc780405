// Shapes of spans, checked where they come in.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <span>

#include "loe/base/error.h"

namespace loe {

/// Error(InvalidArgument) "[part] thing: expected N values, got M; ..." unless size == expected.
inline void require_size(const char* part, const char* thing, std::size_t size, int64_t expected) {
  if (static_cast<int64_t>(size) != expected) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[{}] {}: expected {} values, got {}; make the arrays agree", part, thing, expected, size));
  }
}

/// Error(InvalidArgument) unless offsets run from 0 to n_samples without going back.
inline void require_offsets(const char* part, std::span<const int64_t> offsets, int64_t n_samples) {
  bool good = !offsets.empty() && offsets.front() == 0 && offsets.back() == n_samples;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    good = good && offsets[i] >= offsets[i - 1];
  }
  if (!good) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[{}] offsets: expected [R + 1] numbers from 0 to {} that never decrease, got {} of them{}; "
                    "see uniform_offsets",
                    part, n_samples, offsets.size(),
                    offsets.empty() ? "" : fmt::format(" from {} to {}", offsets.front(), offsets.back())));
  }
}

}  // namespace loe
