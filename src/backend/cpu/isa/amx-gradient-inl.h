// Weight gradients of bf16 rows by tile registers: see amx-inl.h, which comes before.

namespace loe::cpu {
namespace {

// Weight gradients: sums [outputs][inputs] += Z^T X. The samples are the depth of the products, so Z is transposed
// (tiles [16 outputs][32 samples]) and X interleaved by pairs of rows (tiles [16 pairs][16 inputs][2]).
constexpr int kGradChunk = 4;  // k tiles packed at once: 128 rows, so that both operands of a 64 x 64 layer stay in L1

/// Ones as the last column of tiles, where the inputs fill whole tiles: [16 pairs][16][2], the first column.
struct OnesTile {
  alignas(64) bf16 values[kTileSize] = {};
  constexpr OnesTile() {
    for (int pair = 0; pair < kTileRows; ++pair) {
      values[pair * kTileDepth] = 0x3f80;
      values[pair * kTileDepth + 1] = 0x3f80;
    }
  }
};
constexpr OnesTile kOnes;

struct GradProduct {
  const GradRowsArgs& g;
  const int n_x;         // tiles of inputs, ones included
  const int n_x_packed;  // those of rows
  bf16* const x;         // [tile of inputs][k tile][16 pairs][16][2]
  bf16* const z;         // [tile of outputs][k tile][16 outputs][32]
  Tiles tiles;

  explicit GradProduct(const GradRowsArgs& args)
      : g(args),
        n_x(args.n_in / kTileRows + 1),
        n_x_packed(args.n_in % kTileRows == 0 ? n_x - 1 : n_x),
        x(args.scratch),
        z(x + int64_t{round_up(n_x_packed, 2)} * kGradChunk * kTileSize) {}

  LOE_AMX_INLINE void pack(int first, int k_tiles) {
    constexpr int kNext = kGradChunk * kTileSize;  // from a tile to that of the next 16 columns
    for (int k = 0; k < k_tiles; ++k) {
      const bf16* const* const x_rows = g.x + first + k * kTileDepth;
      for (int pair = 0; pair < kTileRows; ++pair) {
        const bf16* const even = x_rows[2 * pair];
        const bf16* const odd = x_rows[2 * pair + 1];
        bf16* to = x + k * kTileSize + pair * kTileDepth;
        int t = 0;
        for (; t + 2 <= n_x_packed; t += 2, to += 2 * kNext) {
          interleave_32(even + t * kTileRows, odd + t * kTileRows, to, to + kNext);
        }
        if (t < n_x_packed) interleave_16(even + t * kTileRows, odd + t * kTileRows, to);
      }
      const bf16* const* const z_rows = g.z + first + k * kTileDepth;
      for (int j = 0; j < g.n; j += 8) {
        transpose_32x8(z_rows, j, z + j / kTileRows * kNext + k * kTileSize + j % kTileRows * kTileDepth);
      }
    }
  }

  /// NR x NT tiles of sums at output tile r and input tile c.
  template <int NR, int NT>
  LOE_AMX_INLINE void block(int r, int c, int k_tiles) {
    constexpr int kNext = kGradChunk * kTileSize;
    const int64_t stride = int64_t{n_x} * kTileRows;
    float* const d0 = g.d + (g.column + r * kTileRows) * stride + c * kTileRows;
    float* const d1 = d0 + kTileRows * stride;
    const int64_t d_bytes = stride * 4;
    tiles.template load<0>(d0, d_bytes);
    if constexpr (NT == 2) tiles.template load<1>(d0 + kTileRows, d_bytes);
    if constexpr (NR == 2) tiles.template load<2>(d1, d_bytes);
    if constexpr (NR == 2 && NT == 2) tiles.template load<3>(d1 + kTileRows, d_bytes);
    const bf16* a = z + r * kNext;
    const bf16* b0 = c < n_x_packed ? x + c * kNext : kOnes.values;
    const bf16* b1 = c + 1 < n_x_packed ? x + (c + 1) * kNext : kOnes.values;
    const int step0 = c < n_x_packed ? kTileSize : 0;
    const int step1 = c + 1 < n_x_packed ? kTileSize : 0;
    for (int k = 0; k < k_tiles; ++k, a += kTileSize, b0 += step0, b1 += step1) {
      tiles.template load<6>(b0, kLineBytes);
      tiles.template load<4>(a, kLineBytes);
      tiles.template dot<0, 4, 6>();
      if constexpr (NT == 2) {
        tiles.template load<7>(b1, kLineBytes);
        tiles.template dot<1, 4, 7>();
      }
      if constexpr (NR == 2) {
        tiles.template load<5>(a + kNext, kLineBytes);
        tiles.template dot<2, 5, 6>();
      }
      if constexpr (NR == 2 && NT == 2) tiles.template dot<3, 5, 7>();
    }
    tiles.template store<0>(d0, d_bytes);
    if constexpr (NT == 2) tiles.template store<1>(d0 + kTileRows, d_bytes);
    if constexpr (NR == 2) tiles.template store<2>(d1, d_bytes);
    if constexpr (NR == 2 && NT == 2) tiles.template store<3>(d1 + kTileRows, d_bytes);
  }

  template <int NR>
  LOE_AMX_INLINE void block_row(int r, int k_tiles) {
    int c = 0;
    for (; c + 2 <= n_x; c += 2) block<NR, 2>(r, c, k_tiles);
    if (c < n_x) block<NR, 1>(r, c, k_tiles);
  }

  void run() {
    for (int first = 0; first < g.n_rows; first += kGradChunk * kTileDepth) {
      const int k_tiles = std::min(kGradChunk, (g.n_rows - first) / kTileDepth);
      pack(first, k_tiles);
      int r = 0;
      for (; (r + 2) * kTileRows <= g.n; r += 2) block_row<2>(r, k_tiles);
      if (r * kTileRows < g.n) block_row<1>(r, k_tiles);
    }
  }
};

void grad_bf16(const GradRowsArgs& g) {
  GradProduct(g).run();
}

/// Puts the kernels above into a table.
void use_tiles(KernelTable& table) {
  table.panels_bf16 = {kTileRows, kTileDepth};
  table.gemm_bf16 = gemm_bf16;
  table.grad_bf16 = grad_bf16;
  table.grad_row_multiple = kTileDepth;
  table.grad_order_bf16 = GradOrder::ByOutput;
  table.scratch_bytes = scratch_bytes;
  table.has_long_groups = true;
}

}  // namespace
}  // namespace loe::cpu
