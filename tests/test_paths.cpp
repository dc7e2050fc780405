#include "test_paths.h"

namespace loe {

const char* const kSharedData = LOE_SHARED_DATA;
const char* const kConfigs = LOE_CONFIGS;
const char* const kProgram = LOE_PROGRAM;

}  // namespace loe
