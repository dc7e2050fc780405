// What the processor and the kernel offer beyond what Highway asks for.
#pragma once

#include <string>

namespace loe::cpu {

/// True on processors of Intel. False where there is no cpuid.
bool is_intel_cpu();

/// True if AVX-512 (F, BW, VL, DQ) and vdpbf16ps can be used.
bool cpu_has_avx512bf16();

/// Whether this process may use AMX's tile registers with bf16 products.
struct AmxState {
  bool is_usable = false;
  std::string reason;  ///< why not, if the processor has AMX; otherwise empty
};

/// Asks the processor and, as Linux wants it, the kernel for permission (arch_prctl), for all threads of the process.
AmxState request_amx();

}  // namespace loe::cpu
