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
  const EmbeddingUpdate& table = update.embedding;
  require(std::isfinite(table.rate) && table.rate >= 0, "embedding.rate", "a finite number, 0 or more", table.rate);
  require(table.beta2 < 1, "embedding.beta2", "less than 1", table.beta2);
  require(std::isfinite(table.epsilon) && table.epsilon != 0, "embedding.epsilon",
          "a positive number, or a negative one for the epsilon of the other parameters", table.epsilon);
  require(table.every >= 1, "embedding.every", "1 or more", table.every);
}

AdamUpdate AdamUpdate::of_embedding() const {
  AdamUpdate update = *this;
  update.learning_rate = embedding.rate * learning_rate;
  update.beta2 = embedding.beta2 < 0 ? beta2 : embedding.beta2;
  update.epsilon = embedding.epsilon < 0 ? epsilon : embedding.epsilon;
  update.t = t / embedding.every;
  return update;
}

}  // namespace loe
