#include "loe/base/facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "loe/base/error.h"

namespace loe {

void Facts::set(Fact fact) {
  const auto old = std::find_if(facts_.begin(), facts_.end(), [&](const Fact& f) { return f.name == fact.name; });
  if (old != facts_.end()) {
    old->value = std::move(fact.value);
  } else {
    facts_.push_back(std::move(fact));
  }
}

void Facts::set(const Facts& facts) {
  for (const Fact& fact : facts) {
    set(fact);
  }
}

const FactValue* Facts::find(const std::string& name) const {
  const auto fact = std::find_if(facts_.begin(), facts_.end(), [&](const Fact& f) { return f.name == name; });
  return fact == facts_.end() ? nullptr : &fact->value;
}

double Facts::number(const std::string& name) const {
  const FactValue* value = find(name);
  if (value != nullptr) {
    if (const auto* real = std::get_if<double>(value)) {
      return *real;
    }
    if (const auto* whole = std::get_if<int64_t>(value)) {
      return static_cast<double>(*whole);
    }
  }
  throw Error(ErrorKind::NotFound, fmt::format("[facts] {}: expected a number, found {}; see which facts there are",
                                               name, value == nullptr ? "none" : "another type"));
}

Facts Facts::of(const std::string& name) const {
  Facts inner;
  for (const Fact& fact : facts_) {
    if (fact.name.starts_with(name + ".")) {
      inner.facts_.push_back({fact.name.substr(name.size() + 1), fact.value});
    }
  }
  return inner;
}

}  // namespace loe
