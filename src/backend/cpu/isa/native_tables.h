// Tables written with intrinsics, for instruction sets that Highway 1.0.3 has no target for.
#pragma once

#include <string>
#include <vector>

#include "backend/cpu/isa/kernels.h"

namespace loe::cpu {

/// What one of the files of intrinsics offers on this machine.
struct NativeTable {
  std::vector<KernelTable> table;  ///< one, or none: not for this CPU, build or process
  bool is_faster = true;           ///< than `base`: its place is before it, otherwise behind
  std::string reason;              ///< why `base` is used and not this, as far as there is something to say
};

/// base: Highway's best table, from which everything is taken that is not replaced.
NativeTable make_amx_table(const KernelTable& base);
NativeTable make_avx512bf16_table(const KernelTable& base);

/// Registers of this thread as make_amx_table's kernels use them. Only where there is such a table.
void configure_tiles();
void release_tiles();

/// What kernel_tables() returns, made anew: asks processor and kernel again.
std::vector<KernelTable> make_kernel_tables();

/// The kernels of make_amx_table on a model of the tile registers in plain C++: the same bits on any machine, for
/// tests. Not among kernel_tables(); Backend::compile knows it as kAmxTwinIsa.
const KernelTable& amx_twin_table();
inline constexpr const char* kAmxTwinIsa = "amx-twin";

}  // namespace loe::cpu
