#include <fmt/core.h>

#include <cmath>

#include "bench.h"
#include "bench_workload.h"
#include "loe/base/error.h"
#include "loe/io/safetensors.h"

namespace loe::app {

int bench_dump(const BenchOptions& options) {
  if (options.workloads.size() != 1) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[bench] workload: expected one for a dump, got {}; choose one", options.workloads.size()));
  }
  const Workload workload = find_workload(options.workloads.front());
  const int64_t batch = options.batch > 0 ? options.batch : workload.batch;
  const NetworkSpec spec = build_network(workload.network);
  const LatticeSource source(workload, batch);
  const auto executor = compile_for(options, spec, Precision::F32);
  const std::vector<float> params = initial_params(spec, 7);
  executor->set_params(params);

  std::vector<float> grads(params.size());
  const double loss = executor->mse_gradients(source, grads);
  std::vector<float> coords(batch * spec.n_dims);
  std::vector<float> targets(batch * spec.n_out());
  source.fill(0, batch, coords.data(), targets.data());
  double squares = 0;
  for (float grad : grads) {
    squares += static_cast<double>(grad) * static_cast<double>(grad);
  }
  write_safetensors(options.out,
                    {{"params", {static_cast<int64_t>(params.size())}, params},
                     {"grads", {static_cast<int64_t>(grads.size())}, grads},
                     {"coords", {batch, spec.n_dims}, coords},
                     {"targets", {batch, spec.n_out()}, targets}},
                    {{"format", "loe-bench-dump"},
                     {"workload", workload.name},
                     {"loss", fmt::format("{:.17g}", loss)},
                     {"grad_norm", fmt::format("{:.17g}", std::sqrt(squares))}});
  fmt::print("{}: {} samples, loss {:.9g}, gradient norm {:.9g}\n", options.out, batch, loss, std::sqrt(squares));
  return 0;
}

}  // namespace loe::app
