// Named results: what an evaluation, a run or a machine says of itself, in order, for JSON files and for people.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace loe {

using FactValue = std::variant<bool, int64_t, double, std::string, std::vector<double>, std::vector<std::string>>;

/// One result. A name with dots lies deeper: "views.psnr_db" is "psnr_db" of the object "views" in JSON.
struct Fact {
  std::string name;
  FactValue value;

  Fact(std::string fact, FactValue v) : name(std::move(fact)), value(std::move(v)) {}
  Fact(std::string fact, const char* v) : name(std::move(fact)), value(std::string(v)) {}
  /// Any integer as int64_t, any floating-point number as double.
  template <class Number>
  requires std::is_arithmetic_v<Number> Fact(std::string fact, Number v)
      : name(std::move(fact)), value(number_value(v)) {}

 private:
  template <class Number>
  static FactValue number_value(Number v) {
    if constexpr (std::is_same_v<Number, bool>) {
      return v;
    } else if constexpr (std::is_integral_v<Number>) {
      return static_cast<int64_t>(v);
    } else {
      return static_cast<double>(v);
    }
  }
};

/// Facts in the order in which they were first set. Lookups are linear: there are few.
class Facts {
 public:
  Facts() = default;
  Facts(std::initializer_list<Fact> facts) : facts_(facts) {}

  /// Replaces the value of a name that is there.
  void set(Fact fact);
  void set(const Facts& facts);
  /// nullptr if there is none.
  const FactValue* find(const std::string& name) const;
  /// A number, whole or not. Error(NotFound) if there is none of this name.
  double number(const std::string& name) const;
  /// Those of the object `name`, by their names in it.
  Facts of(const std::string& name) const;

  bool empty() const { return facts_.empty(); }
  std::vector<Fact>::const_iterator begin() const { return facts_.begin(); }
  std::vector<Fact>::const_iterator end() const { return facts_.end(); }

 private:
  std::vector<Fact> facts_;
};

}  // namespace loe
