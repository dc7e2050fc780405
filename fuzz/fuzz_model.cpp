// Models, checkpoints and network descriptions: no input may crash, and whatever is accepted must be valid, finite and
// mean the same after being written and read again.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/model_parse.h"
#include "loe/base/error.h"
#include "loe/io/model_file.h"
#include "loe/io/safetensors.h"

namespace {

void check_network(const loe::NetworkSpec& network) {
  if (loe::network_from_json(loe::network_to_json(network), "written") != network) {
    std::abort();
  }
}

void check_model(const loe::ModelSpec& model, const std::vector<float>& params) {
  for (const loe::ModelSpec::Part& part : model.parts) {
    check_network(part.network);
  }
  if (static_cast<int64_t>(params.size()) != model.n_params()) {
    std::abort();
  }
  for (const float value : params) {
    if (!std::isfinite(value)) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  try {
    check_network(loe::network_from_json(std::string(reinterpret_cast<const char*>(data), size), "fuzz"));
  } catch (const loe::Error&) {
  }
  try {
    const loe::TensorFile file = loe::parse_safetensors({data, size}, "fuzz");
    try {
      const loe::Model model = loe::model_from_tensors(file, "fuzz");
      check_model(model.spec, model.params);
    } catch (const loe::Error&) {
    }
    const loe::ModelSpec model = loe::checkpoint_networks(file, "fuzz");
    check_model(model, loe::checkpoint_from_tensors(file, model, "fuzz").params.adam_v);
  } catch (const loe::Error&) {
  }
  return 0;
}
