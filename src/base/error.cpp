#include "loe/base/error.h"

#include <string>

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
    case ErrorKind::Internal:
      return "Internal";
  }
  return "?";
}

namespace detail {
void assertion_failed(const char* expression, const char* file, int line) {
  throw Error(ErrorKind::Internal, std::string("internal error: ") + expression + " does not hold (" + file + ':' +
                                       std::to_string(line) + "); please report it");
}
}  // namespace detail

}  // namespace loe
