// The one exception type of the library and its kinds.
#pragma once

#include <stdexcept>
#include <string>

namespace loe {

enum class ErrorKind {
  InvalidArgument,  ///< a value outside its documented range, or shapes that disagree
  NotFound,         ///< a file, preset or key that does not exist
  Format,           ///< a file whose content is not what its reader expects
  Io,               ///< the operating system refused: full disk, permissions, short write
  Unsupported,      ///< valid, but not on this build, machine or backend
  OutOfMemory,      ///< an allocation that would exceed the stated limit
  Numerical,        ///< NaN or infinity during training
  Cancelled,        ///< stopped on request, after saving
  Internal,         ///< a bug of ours: an invariant of the library does not hold
};

/// Thrown for every mistake of the user or the outside world. The message is one line that says what was
/// expected, what was found and what to do: `[image] width: expected 1..65535, got 100000; crop or resize it first`.
/// A bug of ours is an assertion (LOE_ASSERT) and never reachable from a file or a flag: it throws ErrorKind::Internal,
/// so that a program that embeds the library survives it.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// The identifier of `kind` as written in the source: "InvalidArgument", "NotFound", ...
const char* to_string(ErrorKind kind);

namespace detail {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

}  // namespace loe

/// Throws Error(Internal) with the expression and its place when an invariant of the library itself does not hold.
#define LOE_ASSERT(expression) \
  ((expression) ? void(0) : ::loe::detail::assertion_failed(#expression, __FILE__, __LINE__))
