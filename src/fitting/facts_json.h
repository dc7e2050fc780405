// Facts as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/base/facts.h"

namespace loe {

/// Names with dots become objects in objects.
inline nlohmann::ordered_json to_json(const Facts& facts) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Fact& fact : facts) {
    nlohmann::ordered_json* place = &json;
    std::size_t start = 0;
    for (std::size_t dot = fact.name.find('.'); dot != std::string::npos; dot = fact.name.find('.', start)) {
      place = &(*place)[fact.name.substr(start, dot - start)];
      start = dot + 1;
    }
    std::visit([&](const auto& value) { (*place)[fact.name.substr(start)] = value; }, fact.value);
  }
  return json;
}

/// [{"operation", "kernel", "reason"}, ...]
inline nlohmann::ordered_json kernels_to_json(const std::vector<KernelInfo>& kernels) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const KernelInfo& kernel : kernels) {
    list.push_back({{"operation", kernel.operation}, {"kernel", kernel.kernel}, {"reason", kernel.reason}});
  }
  return list;
}

/// Text for a file or one line (indent -1); bytes that are no UTF-8 are replaced.
inline std::string json_text(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace loe
