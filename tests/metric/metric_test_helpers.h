// Errors as values, for the tests of src/metric.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "loe/base/error.h"

namespace loe {

/// Runs `action`, which must throw an Error of `kind` whose one-line message contains `part`.
inline void expect_refused(ErrorKind kind, const std::string& part, const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "expected an error with '" << part << "', got none";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(to_string(error.kind()), std::string(to_string(kind))) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace loe
