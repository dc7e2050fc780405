// The commands of `loe bench` and their options.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "loe/backend/backend.h"

namespace loe::app {

struct BenchOptions {
  std::vector<std::string> workloads = {"toy", "pluto"};
  std::vector<std::string> precisions = {"f32", "bf16", "mixed"};
  int64_t batch = 0;  ///< 0: the workload's own
  int threads = 0;    ///< 0: all usable cores
  int repeats = 9;
  std::string isa;  ///< "": LOE_ISA, else the best of the machine
  std::string device = "cpu";
  bool json = false;
  // step only
  bool rivals = true;
  bool plain = true;
  bool bilinear = false;
  std::string order = "morton";
  // decode only
  int size = 0;  ///< side of the decoded window; 0: 512 (toy, video), 2048 (pluto)
  // dump only
  std::string out;
};

/// The network compiled as the options ask.
std::unique_ptr<Executor> compile_for(const BenchOptions& options, const NetworkSpec& spec, Precision precision,
                                      int max_group = 1);

/// Each returns the exit code.
int bench_peak(const BenchOptions& options);
int bench_step(const BenchOptions& options);
int bench_decode(const BenchOptions& options);
int bench_dump(const BenchOptions& options);

/// The workload "nerf" of bench_step: a step of Table 3's "Ours" on 1,024 rays of 96 + 192 samples, so 393,216
/// evaluations of the two networks. "trunk": the levels' own steps on as many samples, encoded beforehand;
/// "other_share": what of a step is not that (sampling, encoding, heads, compositing).
inline constexpr const char* kSceneWorkload = "nerf";
nlohmann::ordered_json bench_scene_step(const std::string& precision, const BenchOptions& options);

/// The workload "gan" of bench_step: a step of Table 4's "Ours" on 16 pictures of 64 x 64, split into the generator's
/// passes (of which the share of the peak is), the discriminators' update and the gradient by the pictures; both
/// optimisers are parts of the updates.
inline constexpr const char* kGanWorkload = "gan";
nlohmann::ordered_json bench_gan_step(const std::string& precision, const BenchOptions& options);

}  // namespace loe::app
