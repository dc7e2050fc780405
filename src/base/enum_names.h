// Names of enumerators as text, both ways, with one form of error.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "loe/base/error.h"

namespace loe::detail {

template <class Enum, size_t n>
using EnumNames = std::array<std::pair<Enum, const char*>, n>;

template <class Enum, size_t n>
const char* enum_name(const EnumNames<Enum, n>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) {
      return name;
    }
  }
  LOE_ASSERT(!"an enumerator has no name");
  return "";
}

/// Error(InvalidArgument): `[part] what: expected one of a, b, c, got "x"`.
template <class Enum, size_t n>
Enum enum_value(const EnumNames<Enum, n>& names, std::string_view text, const std::string& what) {
  std::string choices;
  for (const auto& [candidate, name] : names) {
    if (text == name) {
      return candidate;
    }
    choices += (choices.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorKind::InvalidArgument, what + ": expected one of " + choices + ", got \"" + std::string(text) + '"');
}

}  // namespace loe::detail
