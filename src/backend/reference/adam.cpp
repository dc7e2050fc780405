#include "backend/reference/adam.h"

#include "loe/backend/adam.h"

namespace loe::reference {

void adam_step(const AdamUpdate& update, std::span<const double> grads, ParamSlice state, bool skips_zeros) {
  const BasicAdamScalars<double> scalars(update);
  for (size_t i = 0; i < grads.size(); ++i) {
    if (skips_zeros && grads[i] == 0) {
      continue;
    }
    adam_update(scalars, grads[i], state.params[i], state.adam_m[i], state.adam_v[i]);
  }
}

}  // namespace loe::reference
