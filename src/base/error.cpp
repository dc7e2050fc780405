#include "loe/base/error.h"

#include <cstdio>
#include <cstdlib>

namespace loe {

const char* to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidArgument:
      return "InvalidArgument";
    case ErrorKind::NotFound:
      return "NotFound";
    case ErrorKind::Format:
      return "Format";
    case ErrorKind::Io:
      return "Io";
    case ErrorKind::Unsupported:
      return "Unsupported";
    case ErrorKind::OutOfMemory:
      return "OutOfMemory";
    case ErrorKind::Numerical:
      return "Numerical";
    case ErrorKind::Cancelled:
      return "Cancelled";
  }
  return "?";
}

namespace detail {
void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "loe: internal error: %s does not hold (%s:%d); please report it\n", expression, file, line);
  std::abort();
}
}  // namespace detail

}  // namespace loe
