// Products of f32 rows by tile registers, each number as two of bf16: see amx-inl.h. After the other amx-*-inl.h,
// for the table that it fills.

namespace loe::cpu {
namespace {

/// Bytes of GemmArgs::scratch: as scratch_bytes, for twice the tiles of rows.
int64_t split_scratch_bytes(int64_t depth) {
  return scratch_bytes(2 * depth + int64_t{kMaxSegments} * kTileDepth);
}

/// c32 = max(v, slope v) and, where it is kept, a copy in bf16: the forward pass.
struct SplitLeakyEpilogue {
  Floats slope;
  float* c32;
  bf16* c16;

  explicit SplitLeakyEpilogue(const GemmArgs& g) : slope(broadcast(g.slope)), c32(g.c32), c16(g.c16) {}
  LOE_AMX_INLINE void one(const float* sums, int64_t c, int64_t) const {
    Floats v = load_floats(sums);
    v = larger(v, multiply(v, slope));
    store_floats(v, c32 + c);
    if (c16 != nullptr) store_rounded(v, c16 + c);
  }
  LOE_AMX_INLINE void two(const float* sums, int64_t c, int64_t) const {
    Floats low = load_floats(sums);
    Floats high = load_floats(sums + kTileRows);
    low = larger(low, multiply(low, slope));
    high = larger(high, multiply(high, slope));
    store_floats(low, c32 + c);
    store_floats(high, c32 + c + kTileRows);
    if (c16 != nullptr) store_rounded(low, high, c16 + c);
  }
};

/// Blocks of 2 x 2 tiles of sums of high x high + low x high + high x low; low x low is below 2^-16 of the sum of
/// absolute products, like what the second rounding leaves.
template <class E>
struct SplitProduct {
  const GemmArgs& g;
  const E epilogue;
  const int k_tiles;  // of a segment
  const int total;    // of all segments
  const int64_t b_panel;
  const int64_t b_low;  // from the high to the low part of packed weights
  float* const sums;
  int turn = 0;
  Tiles tiles;
  Pending pending;
  RowCopy copy;
  Ahead ahead;
  const void* const* weights = nullptr;  // of the rows that are multiplied

  LOE_AMX_INLINE explicit SplitProduct(const GemmArgs& args)
      : g(args),
        epilogue(args),
        k_tiles(k_tiles_of(args.depth)),
        total(args.n_segments * k_tiles),
        b_panel(int64_t{k_tiles} * kTileSize),
        b_low(b_panel * (args.n / kTileRows)),
        sums(static_cast<float*>(args.scratch)),
        copy(args) {
    copy.may_stay = false;
  }

  /// [block of 16 rows][high, low][segment, k tile][16][32]
  LOE_AMX_INLINE void copy_rows() {
    const int64_t low = int64_t{total} * kTileSize;
    for (int i = 0; i < copy.n; ++i) {
      const float* from = copy.place_row<float>(i);
      bf16* line = copy.to + i / kTileRows * 2 * low + i % kTileRows * kTileDepth;
      for (int s = 0; s < g.n_segments; ++s, from += g.depth) {
        for (int k = 0; k < k_tiles; ++k, line += kTileSize) {
          split_line(from + k * kTileDepth, g.depth - k * kTileDepth, line, line + low);
        }
      }
    }
    if (copy.n % kTileRows != 0) RowCopy::clear_rows(copy.to, copy.n, 2 * total);
  }

  LOE_AMX_INLINE void slot(int count) {
    pending.template slot<1>(epilogue);
    if (count > 1) pending.rows(epilogue, count - 1);
    if (g.is_far) ahead.ask();
  }

  /// One tile of sums: operands in tiles 4 (high) and 5 (low) of A, 6 and 7 of B.
  template <int C>
  LOE_AMX_INLINE void three(int count) {
    tiles.template dot<C, 4, 6>();
    slot(count);
    tiles.template dot<C, 5, 6>();
    slot(count);
    tiles.template dot<C, 4, 7>();
    slot(count);
  }

  LOE_AMX_INLINE void load_a(const bf16* a) {
    tiles.template load<4>(a, kLineBytes);
    tiles.template load<5>(a + int64_t{total} * kTileSize, kLineBytes);
  }
  LOE_AMX_INLINE void load_b(const bf16* b) {
    tiles.template load<6>(b, kLineBytes);
    tiles.template load<7>(b + b_low, kLineBytes);
  }

  template <int NR, int NT>
  LOE_AMX_INLINE void block(int column, int n, const bf16* a, const RowPlaces& places) {
    const int n_slots = 3 * total * NR * NT;
    const int count = (pending.n + n_slots - 1) / n_slots;
    const float* const bias = has_bias(g.epilogue) ? g.bias + column : nullptr;
    start_sums<0>(tiles, bias);
    if constexpr (NT == 2) start_sums<1>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
    if constexpr (NR == 2) start_sums<2>(tiles, bias);
    if constexpr (NR == 2 && NT == 2) start_sums<3>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
    const int64_t a_block = 2 * int64_t{total} * kTileSize;
    for (int s = 0; s < g.n_segments; ++s) {
      const bf16* b = static_cast<const bf16*>(weights[s]) + column / kTileRows * b_panel;
      for (int k = 0; k < k_tiles; ++k, a += kTileSize, b += kTileSize) {
        // Two tiles for A and two for B: what is loaded last serves twice.
        load_b(b);
        if constexpr (NR == 2) {
          load_a(a + a_block);
          three<2>(count);
        }
        load_a(a);
        three<0>(count);
        if constexpr (NT == 2) {
          load_b(b + b_panel);
          three<1>(count);
        }
        if constexpr (NR == 2 && NT == 2) {
          load_a(a + a_block);
          three<3>(count);
        }
      }
    }
    constexpr int kRow = kBlockColumns * 4;
    turn = 1 - turn;
    float* const to = sums + turn * kSumsPitch;
    tiles.template store<0>(to, kRow);
    if constexpr (NT == 2) tiles.template store<1>(to + kTileRows, kRow);
    if constexpr (NR == 2) tiles.template store<2>(to + kTileRows * kBlockColumns, kRow);
    if constexpr (NR == 2 && NT == 2) tiles.template store<3>(to + kTileRows * kBlockColumns + kTileRows, kRow);
    pending = {to, places.c, places.mask, 0, n, column, NT == 2};
  }

  template <int NR>
  LOE_AMX_INLINE void block_row(const bf16* rows, const RowPlaces& places) {
    int column = 0;
    for (; column + kBlockColumns <= g.n; column += kBlockColumns) block<NR, 2>(column, copy.n, rows, places);
    if (column < g.n) block<NR, 1>(column, copy.n, rows, places);
  }

  LOE_AMX_INLINE void run() {
    bf16* const rows = reinterpret_cast<bf16*>(sums + 2 * kSumsPitch);
    RowPlaces places[2];
    int at = 0;
    RowBlock now = block_behind(g, {}, kBlockRows);
    for (RowBlock next; now.n > 0; now = next, at = 1 - at) {
      next = block_behind(g, now, kBlockRows);
      weights = weights_of(g, now);
      if (g.is_far) {
        const int n_slots = 3 * total * (g.n / kTileRows) * (now.n > kTileRows ? 2 : 1);
        look_ahead(g, {now, next, next}, kBlockRows, n_slots, ahead, {4, 2});
      }
      copy.begin(now.first, now.n, rows, &places[at]);
      copy_rows();
      if (now.n > kTileRows) {
        block_row<2>(rows, places[at]);
      } else {
        block_row<1>(rows, places[at]);
      }
    }
    pending.rows(epilogue, kBlockRows);
  }
};

void gemm_split(const GemmArgs& g) {
  if (g.epilogue == Epilogue::BiasLeaky && g.c32 != nullptr) {
    SplitProduct<SplitLeakyEpilogue>(g).run();
  } else {
    SplitProduct<AnyEpilogue>(g).run();
  }
}

/// Puts the kernels of all amx-*-inl.h into a table.
void use_tiles(KernelTable& table) {
  table.panels_bf16 = {kTileRows, kTileDepth};
  table.gemm_bf16 = gemm_bf16;
  table.grad_bf16 = grad_bf16;
  table.grad_row_multiple = kTileDepth;
  table.grad_order_bf16 = GradOrder::ByOutput;
  table.gemm_split = gemm_split;
  table.scratch_bytes = scratch_bytes;
  table.split_scratch_bytes = split_scratch_bytes;
  table.has_long_groups = true;
  table.takes_groups = true;
}

}  // namespace
}  // namespace loe::cpu
