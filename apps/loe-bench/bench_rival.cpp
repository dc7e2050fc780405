#include "bench_rival.h"

#include <cmath>
#include <vector>

#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#ifdef LOE_HAS_ONEDNN_PEER
#include "peer/peer.h"
#endif
#ifdef LOE_HAS_GPU_PEER
#include "peer/gpu_peer.h"
#endif

namespace loe::app {

namespace {

Rival none(const std::string& reason) {
  return {"none: " + reason, {}, {}, {}, {}};
}

#if defined(LOE_HAS_ONEDNN_PEER) || defined(LOE_HAS_GPU_PEER)

Rival rival_of(const std::shared_ptr<peer::PeerStep>& peer, Precision precision) {
  if (peer == nullptr) {
    return none(precision == Precision::Mixed ? "no mixed rival" : "network not supported by the rival");
  }
  Rival rival;
  rival.name = peer->name();
  rival.full_name = [peer] { return peer->name(); };
  rival.prepare = [peer](const SampleSource& source) { peer->prepare(source); };
  rival.mse_gradients = [peer](std::span<const float> params, std::span<float> param_grads) {
    return peer->mse_gradients(params, param_grads);
  };
  rival.train_step = [peer](const AdamUpdate& update, ParamState& state) { return peer->train_step(update, state); };
  return rival;
}

#endif

#ifdef LOE_HAS_ONEDNN_PEER
Rival cpu_rival(const NetworkSpec& spec, Precision precision, int n_threads) {
  if (precision == Precision::Bf16 && !peer::onednn_has_bf16()) return none("oneDNN has no bf16 products here");
  return rival_of(peer::make_onednn_peer(spec, precision, n_threads), precision);
}
#else
Rival cpu_rival(const NetworkSpec&, Precision, int) {
  return none("built without oneDNN");
}
#endif

#ifdef LOE_HAS_GPU_PEER
Rival gpu_rival(const NetworkSpec& spec, Precision precision) {
  try {
    return rival_of(peer::make_cublas_peer(spec, precision), precision);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Unsupported) throw;
    return none(error.what());
  }
}
#else
Rival gpu_rival(const NetworkSpec&, Precision) {
  return none("built without cuBLAS (LOE_BUILD_PEERS)");
}
#endif

}  // namespace

Rival make_rival(const std::string& device, const NetworkSpec& spec, Precision precision, int n_threads) {
  const Backend& backend = backend_of_flag(device);
  if (&backend == &cpu_backend()) return cpu_rival(spec, precision, n_threads);
  if (backend.name() == "cuda") return gpu_rival(spec, precision);
  return none("no rival on device " + backend.name());
}

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
