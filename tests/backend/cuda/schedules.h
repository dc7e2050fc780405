// The orders in which tests let the threads of a block take their turns.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "backend/cuda/device/kernel.h"

namespace loe::test {

/// body() under each; what it finds must not depend on them.
template <typename Body>
void for_each_schedule(const Body& body) {
  using cuda::host::Order;
  const cuda::host::Schedule all[] = {{Order::Forward, 0}, {Order::Reverse, 0}, {Order::Shuffled, 1}};
  for (const cuda::host::Schedule& schedule : all) {
    SCOPED_TRACE("schedule " + std::to_string(static_cast<int>(schedule.order)));
    cuda::host::schedule = schedule;
    body();
  }
  cuda::host::schedule = {};
}

}  // namespace loe::test
