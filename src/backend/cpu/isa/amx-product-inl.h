// Products of bf16 rows by tile registers: see amx-inl.h, which comes before.

namespace loe::cpu {
namespace {

/// Depths of 33 to 64, two tiles: the weights of 32 columns stay in tiles 4 to 7 while the rows of a chunk pass.
template <class E>
struct StationaryProduct {
  const GemmArgs& g;
  const E epilogue;
  static constexpr int kTiles = 2;
  static constexpr int kPanel = kTiles * kTileSize;  // elements of a panel of 16 columns
  const int rows_per_slot;
  float* const sums;
  int turn = 0;
  Tiles tiles;
  Pending pending;
  RowCopy copy;
  Ahead ahead;
  const bf16* weights = nullptr;  // of the rows that are multiplied

  static int copied_per_slot(const GemmArgs& args) {
    const int n_slots = args.n / kTileRows * kTiles * (kStationaryRows / kTileRows);
    return (kStationaryRows + n_slots - 1) / n_slots;
  }

  LOE_AMX_INLINE explicit StationaryProduct(const GemmArgs& args)
      : g(args),
        epilogue(args),
        rows_per_slot(copied_per_slot(args)),
        sums(static_cast<float*>(args.scratch)),
        copy(args) {}

  template <int kCount>
  LOE_AMX_INLINE void slot() {
    pending.template slot<kCount>(epilogue);
    copy.some(rows_per_slot);
    if (g.is_far) ahead.ask();
  }

  /// NT tiles of columns from `column` on, of n rows.
  template <int NT>
  LOE_AMX_INLINE void panel(int column, int n, const RowPlaces& places) {
    constexpr int kRowsPerSlot = kTileRows / (kTiles * NT);
    const bf16* const b = weights + column / kTileRows * kPanel;
    const float* const bias = has_bias(g.epilogue) ? g.bias + column : nullptr;
    tiles.template load<4>(b, kLineBytes);
    if constexpr (NT == 2) tiles.template load<5>(b + kPanel, kLineBytes);
    tiles.template load<6>(b + kTileSize, kLineBytes);
    if constexpr (NT == 2) tiles.template load<7>(b + kPanel + kTileSize, kLineBytes);
    for (int first = 0; first < n; first += kTileRows) {
      const bf16* const a = places.a[first / kTileRows];
      const int64_t a_stride = places.a_stride[first / kTileRows];
      start_sums<0>(tiles, bias);
      if constexpr (NT == 2) start_sums<1>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
      tiles.template load<2>(a, a_stride);
      tiles.template dot<0, 2, 4>();
      slot<kRowsPerSlot>();
      tiles.template load<3>(a + places.a_step, a_stride);
      if constexpr (NT == 2) {
        tiles.template dot<1, 2, 5>();
        slot<kRowsPerSlot>();
      }
      tiles.template dot<0, 3, 6>();
      slot<kRowsPerSlot>();
      if constexpr (NT == 2) {
        tiles.template dot<1, 3, 7>();
        slot<kRowsPerSlot>();
      }
      pending.rows(epilogue, kTileRows);  // the rest of a block of another width
      turn = 1 - turn;
      float* const to = sums + turn * kSumsPitch;
      tiles.template store<0>(to, kBlockColumns * 4);
      if constexpr (NT == 2) tiles.template store<1>(to + kTileRows, kBlockColumns * 4);
      pending = {to,     places.c + first, places.mask + first, 0, n - first < kTileRows ? n - first : kTileRows,
                 column, NT == 2};
    }
  }

  LOE_AMX_INLINE void run() {
    // A chunk is multiplied while the next is copied and the last block of the one before is on its way out.
    constexpr int kChunk = kStationaryRows * kTiles * kTileDepth;
    bf16* const rows = reinterpret_cast<bf16*>(sums + 2 * kSumsPitch);
    RowPlaces places[3];
    int at = 0;
    RowBlock now = block_behind(g, {}, kStationaryRows);
    copy.begin(now.first, now.n, rows, &places[0]);
    for (RowBlock next; now.n > 0; now = next) {
      next = block_behind(g, now, kStationaryRows);
      weights = static_cast<const bf16*>(*weights_of(g, now));
      if (g.is_far) {
        const int n_slots = g.n / kTileRows * kTiles * ((now.n + kTileRows - 1) / kTileRows);
        look_ahead(g, {now, block_behind(g, next, kStationaryRows), next}, kStationaryRows, n_slots, ahead);
      }
      copy.some(kStationaryRows);
      copy.end();
      bf16* const used = copy.to;
      const int next_at = at == 2 ? 0 : at + 1;
      copy.begin(next.first, next.n, used == rows ? rows + kChunk : rows, &places[next_at]);
      int column = 0;
      for (; column + kBlockColumns <= g.n; column += kBlockColumns) panel<2>(column, now.n, places[at]);
      if (column < g.n) panel<1>(column, now.n, places[at]);
      at = next_at;
    }
    pending.rows(epilogue, kTileRows);
  }
};

/// Any depth: blocks of 2 x 2 tiles of sums, weights and copied rows from cache.
template <class E>
struct BlockProduct {
  const GemmArgs& g;
  const E epilogue;
  const int k_tiles;  // of a segment
  const int64_t b_panel;
  float* const sums;
  int turn = 0;
  Tiles tiles;
  Pending pending;
  RowCopy copy;
  Ahead ahead;
  const void* const* weights = nullptr;  // of the rows that are multiplied

  LOE_AMX_INLINE explicit BlockProduct(const GemmArgs& args)
      : g(args),
        epilogue(args),
        k_tiles(k_tiles_of(args.depth)),
        b_panel(int64_t{k_tiles} * kTileSize),
        sums(static_cast<float*>(args.scratch)),
        copy(args) {}

  LOE_AMX_INLINE void slot(int count) {
    pending.template slot<1>(epilogue);
    if (count > 1) pending.rows(epilogue, count - 1);
    if (g.is_far) ahead.ask();
  }

  /// NR x NT tiles of sums over the whole depth.
  template <int NR, int NT>
  LOE_AMX_INLINE void block(int column, int n, const RowPlaces& places) {
    const int total = g.n_segments * k_tiles;
    const int n_slots = total * NR * NT;
    const int count = (pending.n + n_slots - 1) / n_slots;
    const float* const bias = has_bias(g.epilogue) ? g.bias + column : nullptr;
    start_sums<0>(tiles, bias);
    if constexpr (NT == 2) start_sums<1>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
    if constexpr (NR == 2) start_sums<2>(tiles, bias);
    if constexpr (NR == 2 && NT == 2) start_sums<3>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
    const bf16* a0 = places.a[0];
    const bf16* a1 = places.a[NR - 1];
    for (int s = 0; s < g.n_segments; ++s) {
      const bf16* b = static_cast<const bf16*>(weights[s]) + column / kTileRows * b_panel;
      for (int k = 0; k < k_tiles; ++k, a0 += places.a_step, a1 += places.a_step, b += kTileSize) {
        tiles.template load<6>(b, kLineBytes);
        tiles.template load<4>(a0, places.a_stride[0]);
        tiles.template dot<0, 4, 6>();
        slot(count);
        if constexpr (NT == 2) {
          tiles.template load<7>(b + b_panel, kLineBytes);
          tiles.template dot<1, 4, 7>();
          slot(count);
        }
        if constexpr (NR == 2) {
          tiles.template load<5>(a1, places.a_stride[1]);
          tiles.template dot<2, 5, 6>();
          slot(count);
        }
        if constexpr (NR == 2 && NT == 2) {
          tiles.template dot<3, 5, 7>();
          slot(count);
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
  LOE_AMX_INLINE void block_row(int n, const RowPlaces& places) {
    int column = 0;
    for (; column + kBlockColumns <= g.n; column += kBlockColumns) block<NR, 2>(column, n, places);
    if (column < g.n) block<NR, 1>(column, n, places);
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
        const int n_slots = g.n_segments * k_tiles * (g.n / kTileRows) * (now.n > kTileRows ? 2 : 1);
        look_ahead(g, {now, next, next}, kBlockRows, n_slots, ahead);
      }
      copy.begin(now.first, now.n, rows, &places[at]);
      copy.all();
      copy.end();
      if (now.n > kTileRows) {
        block_row<2>(now.n, places[at]);
      } else {
        block_row<1>(now.n, places[at]);
      }
    }
    pending.rows(epilogue, kBlockRows);
  }
};

template <class E>
void run_product(const GemmArgs& g) {
  if (g.n_segments == 1 && g.depth > kTileDepth && g.depth <= 2 * kTileDepth) {
    StationaryProduct<E>(g).run();
  } else {
    BlockProduct<E>(g).run();
  }
}

void gemm_bf16(const GemmArgs& g) {
  const bool to_bf16 = g.c16 != nullptr && g.c32 == nullptr;
  if (to_bf16 && g.epilogue == Epilogue::BiasLeaky) {
    run_product<LeakyEpilogue>(g);
  } else if (to_bf16 && g.epilogue == Epilogue::MaskLeaky && g.mask16 != nullptr) {
    run_product<MaskEpilogue>(g);
  } else {
    BlockProduct<AnyEpilogue>(g).run();
  }
}

}  // namespace
}  // namespace loe::cpu
