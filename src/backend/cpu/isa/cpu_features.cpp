#include "backend/cpu/isa/cpu_features.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace loe::cpu {
namespace {

struct Registers {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
};

// All zero if the processor does not know the leaf.
Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

// Which registers the kernel saves when it switches threads (XCR0); 0 if it saves none beyond the oldest.
uint64_t saved_state() {
  constexpr unsigned kOsXsave = 1U << 27;
  if ((cpuid(1, 0).c & kOsXsave) == 0) return 0;
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

}  // namespace

bool is_intel_cpu() {
  const Registers r = cpuid(0, 0);
  char vendor[12];
  std::memcpy(vendor, &r.b, 4);
  std::memcpy(vendor + 4, &r.d, 4);
  std::memcpy(vendor + 8, &r.c, 4);
  return std::memcmp(vendor, "GenuineIntel", sizeof vendor) == 0;
}

bool cpu_has_avx512bf16() {
  constexpr unsigned kAvx512Bf16 = 1U << 5;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
    return false;
  }
  return (cpuid(7, 1).a & kAvx512Bf16) != 0;
}

AmxState request_amx() {
  constexpr unsigned kAmxBf16 = 1U << 22;
  constexpr unsigned kAmxTile = 1U << 24;
  constexpr unsigned kWanted = kAmxBf16 | kAmxTile;
  if ((cpuid(7, 0).d & kWanted) != kWanted || !cpu_has_avx512bf16()) return {};
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr uint64_t kTileState = (uint64_t{1} << 17) | (uint64_t{1} << 18);
  if ((saved_state() & kTileState) != kTileState) {
    return {false, "AMX not used: the kernel does not save its registers (Linux 5.16 or later does)"};
  }
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  if (::syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0) {
    return {false, std::string("AMX not used: the kernel refused its registers (arch_prctl: ") + std::strerror(errno) +
                       ")"};  // NOLINT(concurrency-mt-unsafe)
  }
  return {true, ""};
#else
  return {false, "AMX not used: permission for its registers is asked for on Linux only"};
#endif
}

}  // namespace loe::cpu

#else

namespace loe::cpu {
bool is_intel_cpu() {
  return false;
}
bool cpu_has_avx512bf16() {
  return false;
}
AmxState request_amx() {
  return {};
}
}  // namespace loe::cpu

#endif
