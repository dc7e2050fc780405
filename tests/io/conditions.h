// Conditions that a test lives under for a moment: a full disk, fewer rights. In this process, not in a forked one,
// because OpenEXR's threads do not survive a fork.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>

#include "loe/base/error.h"

namespace loe {

/// Kind and message of the Error that `action` throws; "" if none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::string(to_string(error.kind())) + " " + error.what();
  }
  return "";
}

/// While no file can grow beyond max_bytes (RLIMIT_FSIZE): as on a full disk the write fails, with EFBIG.
inline std::string message_on_full_disk(rlim_t max_bytes, const std::function<void()>& action) {
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{max_bytes, old_limit.rlim_max};
  EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string message = message_of(action);
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  return message;
}

/// Root may write everywhere, so it becomes nobody for a moment.
inline std::string message_without_rights(const std::function<void()>& action) {
  constexpr uid_t kNobody = 65534;
  const uid_t user = ::geteuid();
  if (user == 0) {
    EXPECT_EQ(::seteuid(kNobody), 0);
  }
  const std::string message = message_of(action);
  if (user == 0) {
    EXPECT_EQ(::seteuid(0), 0);
  }
  return message;
}

}  // namespace loe
