// What tests need from outside their own source. The paths are compiled once, in test_paths.cpp, so that no other
// object file depends on where the checkout lies: a compiler cache then serves every checkout.
#pragma once

namespace loe {

extern const char* const kSharedData;  ///< real pictures, clips and scenes; need not exist
extern const char* const kConfigs;     ///< the folder configs/
extern const char* const kProgram;     ///< the program `loe`

}  // namespace loe
