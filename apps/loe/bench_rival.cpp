#include "bench_rival.h"

#include <cmath>
#include <vector>

#ifdef LOE_HAS_ONEDNN_PEER
#include "peer/peer.h"
#endif

namespace loe::app {

#ifdef LOE_HAS_ONEDNN_PEER

Rival make_rival(const NetworkSpec& spec, Precision precision, int n_threads) {
  std::shared_ptr<peer::PeerStep> peer = peer::make_onednn_peer(spec, precision, n_threads);
  Rival rival;
  if (peer == nullptr) {
    rival.name = precision == Precision::Mixed ? "none: no mixed rival" : "none: network not supported by the rival";
    return rival;
  }
  rival.name = peer->name();
  rival.prepare = [peer](const SampleSource& source) { peer->prepare(source); };
  rival.mse_gradients = [peer](std::span<const float> params, std::span<float> param_grads) {
    return peer->mse_gradients(params, param_grads);
  };
  rival.train_step = [peer](const AdamUpdate& update, ParamState& state) { return peer->train_step(update, state); };
  return rival;
}

#else

Rival make_rival(const NetworkSpec& /*spec*/, Precision /*precision*/, int /*n_threads*/) {
  Rival rival;
  rival.name = "none: built without oneDNN";
  return rival;
}

#endif

Agreement compare(Executor& executor, Rival& rival, Precision precision, std::span<const float> params,
                  const SampleSource& source) {
  std::vector<float> ours(params.size());
  std::vector<float> theirs(params.size());
  executor.set_params(params);
  const double our_loss = executor.mse_gradients(source, ours);
  const double their_loss = rival.mse_gradients(params, theirs);
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const double a = static_cast<double>(ours[i]);
    const double b = static_cast<double>(theirs[i]);
    difference += (a - b) * (a - b);
    norm += b * b;
  }
  Agreement agreement;
  agreement.loss_error = std::abs(our_loss - their_loss) / std::abs(their_loss);
  agreement.gradient_error = std::sqrt(difference / norm);
  const bool f32 = precision == Precision::F32;
  agreement.agrees = agreement.loss_error <= (f32 ? 1e-5 : 2e-2) && agreement.gradient_error <= (f32 ? 1e-3 : 0.15);
  return agreement;
}

}  // namespace loe::app
