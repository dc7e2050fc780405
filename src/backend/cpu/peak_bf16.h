// The bf16 half of the peak measurement: instructions that Highway 1.0.3 does not know.
#pragma once

namespace loe::cpu {

/// True if this build has the loop and this CPU can run it.
bool has_bf16_dot_loop();

/// n_rounds times kBf16FlopsPerRound operations of vdpbf16ps; call only if has_bf16_dot_loop(). The result only keeps
/// the compiler from dropping the loop.
float bf16_dot_loop(long n_rounds);

/// 12 independent chains of 16 lanes, a pair of products and sums each.
inline constexpr double kBf16FlopsPerRound = 12.0 * 16 * 4;

/// n_rounds times kAmxFlopsPerRound operations of tdpbf16ps; call only if kernel_tables() has "amx".
float amx_dot_loop(long n_rounds);

/// Four tiles of 16 x 16 sums, 32 products each.
inline constexpr double kAmxFlopsPerRound = 4.0 * 16 * 16 * 32 * 2;

}  // namespace loe::cpu
