#include "backend/reference/adam.h"

#include "loe/backend/adam.h"

namespace loe::reference {

void adam_step(const AdamUpdate& update, std::span<const double> grads, ParamSlice state) {
  const BasicAdamScalars<double> scalars(update);
  for (size_t i = 0; i < grads.size(); ++i) {
    adam_update(scalars, grads[i], state.params[i], state.adam_m[i], state.adam_v[i]);
  }
}

}  // namespace loe::reference
