#include "loe/base/version.h"

#include "loe_build_info.h"  // written by cmake/build_info.cmake

namespace loe {

const char* version() {
  return LOE_BUILD_VERSION;
}

const char* build_commit() {
  return LOE_BUILD_COMMIT;
}

const char* build_compiler() {
  return LOE_BUILD_COMPILER;
}

}  // namespace loe
