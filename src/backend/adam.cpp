#include "loe/backend/adam.h"

#include <cmath>

#include <fmt/format.h>

#include "loe/base/error.h"

namespace loe {
namespace {

void require(bool holds, const char* field, const char* expected, double found) {
  if (!holds) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[adam] {}: expected {}, got {}", field, expected, found));
  }
}

}  // namespace

void validate(const AdamUpdate& update) {
  require(std::isfinite(update.learning_rate), "learning_rate", "a finite number", update.learning_rate);
  require(update.beta1 >= 0 && update.beta1 < 1, "beta1", "0 <= beta1 < 1", update.beta1);
  require(update.beta2 >= 0 && update.beta2 < 1, "beta2", "0 <= beta2 < 1", update.beta2);
  require(std::isfinite(update.epsilon) && update.epsilon > 0, "epsilon", "a positive number", update.epsilon);
  require(update.t >= 1, "t", "1 or more", static_cast<double>(update.t));
}

}  // namespace loe
