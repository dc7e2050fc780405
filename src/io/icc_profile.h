// What a colour profile calls itself.
#pragma once

#include <string>

namespace loe {

/// The profile description (tag "desc") of an ICC profile of version 2 or 4, in UTF-8 and of at most 100 characters,
/// "Display P3"; "" if there is none or the bytes are no profile.
std::string icc_description(const std::string& profile);

}  // namespace loe
