// Which build this is.
#pragma once

namespace loe {

/// Version of the library, "0.1.0".
const char* version();

/// Git commit that the library was built from, 12 hexadecimal digits, followed by "-dirty" if tracked files differed
/// from it; "unknown" if it was not built from a git checkout.
const char* build_commit();

/// Compiler and build type, "GNU 12.2.0, Release".
const char* build_compiler();

}  // namespace loe
