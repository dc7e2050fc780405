// Weight gradients of bf16 rows by tile registers: see amx-inl.h, which comes before.

namespace loe::cpu {
namespace {

// Weight gradients: sums [outputs][inputs] += Z^T X. The samples are the depth of the products, so Z is transposed
// (tiles [16 outputs][32 samples]) and X interleaved by pairs of rows (tiles [16 pairs][16 inputs][2]).

// Rows packed at once, in k tiles. 128 rows of both operands of a 64 x 64 layer are 32 KB and stay in L1. Those of wide
// layers come from L2 in any case, and the more there are, the less often the sums pass by: their stores to L2 take as
// long as the products of 128 rows.
constexpr int kGradChunk = 4;
constexpr int kLongGradChunk = 16;
constexpr int kNarrowTiles = 8;  // of both operands, columns of 16
constexpr int kMaxAhead = 96;    // rows of the next call that a block asks for

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
  const int chunk;       // k tiles packed at once
  const int next;        // elements from a packed tile to that of the next 16 columns
  bf16* const x;         // [tile of inputs][k tile][16 pairs][16][2]
  bf16* const z;         // [tile of outputs][k tile][16 outputs][32]
  Tiles tiles;
  Ahead ahead;
  int next_row = 0;  // of those of the next call
  int rows_per_block;

  explicit GradProduct(const GradRowsArgs& args)
      : g(args),
        n_x(args.n_in / kTileRows + 1),
        n_x_packed(args.n_in % kTileRows == 0 ? n_x - 1 : n_x),
        chunk(std::min(args.n_rows / kTileDepth,
                       n_x_packed + args.n / kTileRows <= kNarrowTiles ? kGradChunk : kLongGradChunk)),
        next(chunk * kTileSize),
        x(args.scratch),
        z(x + int64_t{round_up(n_x_packed, 2)} * next) {
    const int n_blocks = (n_x + 1) / 2 * ((g.n / kTileRows + 1) / 2) * ((g.n_rows / kTileDepth + chunk - 1) / chunk);
    rows_per_block = std::min((g.n_next + n_blocks - 1) / n_blocks, kMaxAhead);
  }

  LOE_AMX_INLINE void slot() {
    if (g.is_far) ahead.ask();
  }

  /// A block asks for some rows of the next call and the sums of the block beside it.
  LOE_AMX_OUTLINE void look_ahead(const float* next_d, int64_t stride, int n_d_rows, int n_slots) {
    ahead.clear();
    const int end = std::min(next_row + rows_per_block, g.n_next);
    for (; next_row < end; ++next_row) {
      ahead.add(g.next_x[next_row], int64_t{g.next_in} * 2);
      ahead.add(g.next_z[next_row], int64_t{g.next_n} * 2);
    }
    for (int i = 0; i < n_d_rows; ++i) ahead.add(next_d + i * stride, 2 * kLineBytes);
    ahead.spread(n_slots);
  }

  LOE_AMX_INLINE void pack(int first, int k_tiles) {
    for (int k = 0; k < k_tiles; ++k) {
      const bf16* const* const x_rows = g.x + first + k * kTileDepth;
      for (int pair = 0; pair < kTileRows; ++pair) {
        const bf16* const even = x_rows[2 * pair];
        const bf16* const odd = x_rows[2 * pair + 1];
        bf16* to = x + k * kTileSize + pair * kTileDepth;
        int t = 0;
        for (; t + 2 <= n_x_packed; t += 2, to += 2 * next) {
          interleave_32(even + t * kTileRows, odd + t * kTileRows, to, to + next);
        }
        if (t < n_x_packed) interleave_16(even + t * kTileRows, odd + t * kTileRows, to);
      }
      const bf16* const* const z_rows = g.z + first + k * kTileDepth;
      for (int j = 0; j < g.n; j += 8) {
        transpose_32x8(z_rows, j, z + j / kTileRows * next + k * kTileSize + j % kTileRows * kTileDepth);
      }
    }
  }

  /// NR x NT tiles of sums at output tile r and input tile c.
  template <int NR, int NT>
  LOE_AMX_INLINE void block(int r, int c, int k_tiles) {
    const int64_t stride = int64_t{n_x} * kTileRows;
    float* const d0 = g.d + (g.column + r * kTileRows) * stride + c * kTileRows;
    float* const d1 = d0 + kTileRows * stride;
    const int64_t d_bytes = stride * 4;
    if (g.is_far) look_ahead(d0 + kBlockColumns, stride, c + 4 <= n_x ? NR * kTileRows : 0, k_tiles * NR * NT);
    tiles.template load<0>(d0, d_bytes);
    if constexpr (NT == 2) tiles.template load<1>(d0 + kTileRows, d_bytes);
    if constexpr (NR == 2) tiles.template load<2>(d1, d_bytes);
    if constexpr (NR == 2 && NT == 2) tiles.template load<3>(d1 + kTileRows, d_bytes);
    const bf16* a = z + r * next;
    const bf16* b0 = c < n_x_packed ? x + c * next : kOnes.values;
    const bf16* b1 = c + 1 < n_x_packed ? x + (c + 1) * next : kOnes.values;
    const int step0 = c < n_x_packed ? kTileSize : 0;
    const int step1 = c + 1 < n_x_packed ? kTileSize : 0;
    for (int k = 0; k < k_tiles; ++k, a += kTileSize, b0 += step0, b1 += step1) {
      tiles.template load<6>(b0, kLineBytes);
      tiles.template load<4>(a, kLineBytes);
      tiles.template dot<0, 4, 6>();
      slot();
      if constexpr (NT == 2) {
        tiles.template load<7>(b1, kLineBytes);
        tiles.template dot<1, 4, 7>();
        slot();
      }
      if constexpr (NR == 2) {
        tiles.template load<5>(a + next, kLineBytes);
        tiles.template dot<2, 5, 6>();
        slot();
      }
      if constexpr (NR == 2 && NT == 2) {
        tiles.template dot<3, 5, 7>();
        slot();
      }
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
    for (int first = 0; first < g.n_rows; first += chunk * kTileDepth) {
      const int k_tiles = std::min(chunk, (g.n_rows - first) / kTileDepth);
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

}  // namespace
}  // namespace loe::cpu
