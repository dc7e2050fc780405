// Products of bf16 rows by tile registers: 16 rows of 64 bytes, C += A B with A [16 rows][32] and B [16 pairs][16][2].
//
// Included twice, with and without AMX (amx.cpp, amx_twin.cpp), followed by amx-gradient-inl.h; each of the two first
// defines, in its own anonymous namespace: Tiles, the eight registers; Floats, 16 f32 in a register, with load_floats,
// load_widened, store_floats, store_rounded, add, multiply, larger, choose_positive, scale_not_positive; and copy_line,
// interleave_32, interleave_16, transpose_32x8. Everything about blocks, tails, gathering and the order of sums is
// here, once.

namespace loe::cpu {
namespace {

constexpr int kTileRows = 16;
constexpr int kTileDepth = 32;                     // bf16 in a row of a tile
constexpr int kTileSize = kTileRows * kTileDepth;  // bf16 in a tile of rows or weights: 1 KB
constexpr int kLineBytes = 64;                     // a row of a tile
constexpr int kBlockRows = 2 * kTileRows;          // rows and columns of a block of sums
constexpr int kBlockColumns = 2 * kTileRows;
constexpr int kStationaryRows = 64;  // rows copied at once there: 8 KB
constexpr int kMaxSegments = 1 << kMaxDims;
// Floats between the two buffers of sums. Not a multiple of 4 KB: stores would seem to meet loads of the other one.
constexpr int kSumsPitch = kBlockRows * kBlockColumns + 48;

int k_tiles_of(int depth) {
  return (depth + kTileDepth - 1) / kTileDepth;
}

/// Bytes of GemmArgs::scratch: two buffers of sums, and the rows that are copied at once.
int64_t scratch_bytes(int64_t depth) {
  const int64_t tiles = (depth + kTileDepth - 1) / kTileDepth + kMaxSegments;  // each segment rounded up
  return 2 * kSumsPitch * static_cast<int64_t>(sizeof(float)) +
         std::max<int64_t>(kBlockRows * tiles, 2 * kStationaryRows * 2) * kLineBytes;
}

/// Where rows go, by offset: of C and of the mask.
struct RowPlaces {
  int64_t c[kStationaryRows];
  int64_t mask[kStationaryRows];
};

/// A block of sums on its way to memory. Its epilogue runs row by row in the slots between the tile products of the
/// next block: vector instructions there are nearly free, after the products they would take as long as those.
struct Pending {
  const float* sums = nullptr;  // [n][kBlockColumns]
  const int64_t* c = nullptr;
  const int64_t* mask = nullptr;
  int next = 0;
  int n = 0;
  int column = 0;
  bool is_wide = false;  // 32 columns, otherwise 16

  /// The next kCount rows. Unrolled where all are there: the place of the next row must not wait for a counter.
  template <int kCount, class E>
  LOE_AMX_INLINE void slot(const E& epilogue) {
    if (is_wide && next + kCount <= n) {
#pragma GCC unroll 16
      for (int i = 0; i < kCount; ++i) {
        epilogue.two(sums + (next + i) * kBlockColumns, c[next + i] + column, mask[next + i] + column);
      }
      next += kCount;
    } else {
      rows(epilogue, kCount);
    }
  }

  template <class E>
  LOE_AMX_INLINE void rows(const E& epilogue, int count) {
    const int end = next + count < n ? next + count : n;
    if (next >= end) return;
    finish_rows(*this, end, epilogue);
    next = end;
  }

 private:
  /// Out of line, and with copies of everything: what it is called with stays in registers elsewhere.
  template <class E>
  LOE_AMX_OUTLINE static void finish_rows(Pending p, int end, E epilogue) {
    for (int i = p.next; i < end; ++i) {
      const float* const from = p.sums + i * kBlockColumns;
      if (p.is_wide) {
        epilogue.two(from, p.c[i] + p.column, p.mask[i] + p.column);
      } else {
        epilogue.one(from, p.c[i] + p.column, p.mask[i] + p.column);
      }
    }
  }
};

/// c16 = max(v, slope v), the forward pass in bf16.
struct LeakyEpilogue {
  Floats slope;
  bf16* c16;

  explicit LeakyEpilogue(const GemmArgs& g) : slope(broadcast(g.slope)), c16(g.c16) {}
  LOE_AMX_INLINE void one(const float* sums, int64_t c, int64_t) const {
    const Floats v = load_floats(sums);
    store_rounded(larger(v, multiply(v, slope)), c16 + c);
  }
  LOE_AMX_INLINE void two(const float* sums, int64_t c, int64_t) const {
    const Floats low = load_floats(sums);
    const Floats high = load_floats(sums + kTileRows);
    store_rounded(larger(low, multiply(low, slope)), larger(high, multiply(high, slope)), c16 + c);
  }
};

/// c16 = sum * (mask16 > 0 ? 1 : slope), the input gradient in bf16. The sign of a bf16 is that of its bits as int16.
struct MaskEpilogue {
  Floats slope;
  const bf16* mask16;
  bf16* c16;

  explicit MaskEpilogue(const GemmArgs& g) : slope(broadcast(g.slope)), mask16(g.mask16), c16(g.c16) {}
  LOE_AMX_INLINE void one(const float* sums, int64_t c, int64_t mask) const {
    const Floats v = load_floats(sums);
    store_rounded(choose_positive(load_widened(mask16 + mask), v, multiply(v, slope)), c16 + c);
  }
  LOE_AMX_INLINE void two(const float* sums, int64_t c, int64_t mask) const {
    Floats low = load_floats(sums);
    Floats high = load_floats(sums + kTileRows);
    scale_not_positive(mask16 + mask, slope, low, high);
    store_rounded(low, high, c16 + c);
  }
};

/// 16 columns of all other epilogues, decided row by row.
LOE_AMX_OUTLINE void finish_any(const GemmArgs& g, const float* sums, int64_t c, int64_t mask_at) {
  const Floats slope = broadcast(g.slope);
  Floats v = load_floats(sums);
  Floats mask = v;
  if (g.mask32 != nullptr) mask = load_floats(g.mask32 + mask_at);
  if (g.mask16 != nullptr) mask = load_widened(g.mask16 + mask_at);
  if (g.epilogue == Epilogue::AddLeaky) v = add(v, mask);
  if (has_bias(g.epilogue)) v = larger(v, multiply(v, slope));
  if (g.epilogue == Epilogue::MaskLeaky) v = choose_positive(mask, v, multiply(v, slope));
  if (g.epilogue == Epilogue::Multiply) v = multiply(v, mask);
  if (g.c32 != nullptr) store_floats(v, g.c32 + c);
  if (g.c16 != nullptr) store_rounded(v, g.c16 + c);
}

struct AnyEpilogue {
  const GemmArgs& g;

  explicit AnyEpilogue(const GemmArgs& args) : g(args) {}
  LOE_AMX_INLINE void one(const float* sums, int64_t c, int64_t mask) const { finish_any(g, sums, c, mask); }
  LOE_AMX_INLINE void two(const float* sums, int64_t c, int64_t mask) const {
    finish_any(g, sums, c, mask);
    finish_any(g, sums + kTileRows, c + kTileRows, mask + kTileRows);
  }
};

/// Rows of A on their way into tiles, [block of 16 rows][segment, k tile][16][32], so that tile loads have one stride.
/// The depth behind a row's last element becomes zero: what stands there need not be finite.
struct RowCopy {
  const uint16_t* list;
  const bf16* a;
  int64_t a_stride;
  int64_t c_stride;
  int64_t mask_stride;
  bool a_compact;
  bool c_compact;
  int n_segments;
  int depth;
  int k_tiles;
  int first = 0;  // row of the list
  int next = 0;   // of those from first on
  int n = 0;
  bf16* to = nullptr;
  RowPlaces* places = nullptr;

  explicit RowCopy(const GemmArgs& g)
      : list(g.rows),
        a(static_cast<const bf16*>(g.a)),
        a_stride(g.a_stride),
        c_stride(g.c_stride),
        mask_stride(g.mask_stride),
        a_compact(g.a_compact),
        c_compact(g.c_compact),
        n_segments(g.n_segments),
        depth(g.depth),
        k_tiles(k_tiles_of(g.depth)) {}

  LOE_AMX_INLINE void begin(int from, int count, bf16* tiles, RowPlaces* place) {
    first = from;
    next = 0;
    n = count;
    to = tiles;
    places = place;
  }

  LOE_AMX_INLINE const bf16* place_row(int i) {
    const int64_t row = list != nullptr ? list[first + i] : first + i;
    const int64_t c_row = c_compact ? first + i : row;
    places->c[i] = c_row * c_stride;
    places->mask[i] = c_row * mask_stride;
    return a + (a_compact ? first + i : row) * a_stride;
  }

  /// Up to `count` more, of one segment of two tiles.
  LOE_AMX_INLINE void some(int count) {
    const int end = next + count < n ? next + count : n;
    for (int i = next; i < end; ++i) {
      const bf16* const from = place_row(i);
      bf16* const line = to + i / kTileRows * (2 * kTileSize) + i % kTileRows * kTileDepth;
      copy_line(from, kTileDepth, line);
      copy_line(from + kTileDepth, depth - kTileDepth, line + kTileSize);
    }
    next = end > next ? end : next;
  }

  /// All, of any shape.
  LOE_AMX_INLINE void all() {
    const int total = n_segments * k_tiles;
    for (int i = 0; i < n; ++i) {
      const bf16* from = place_row(i);
      bf16* line = to + i / kTileRows * (total * kTileSize) + i % kTileRows * kTileDepth;
      for (int s = 0; s < n_segments; ++s, from += depth) {
        for (int k = 0; k < k_tiles; ++k, line += kTileSize) {
          copy_line(from + k * kTileDepth, depth - k * kTileDepth, line);
        }
      }
    }
  }

  /// Zeros for the rows of the last block that do not exist: all 16 of a tile are multiplied.
  LOE_AMX_INLINE void end() const {
    if (n % kTileRows != 0) clear_rows(to, n, n_segments * k_tiles);
  }

 private:
  LOE_AMX_OUTLINE static void clear_rows(bf16* tiles, int from, int total) {
    for (int i = from; i % kTileRows != 0; ++i) {
      bf16* line = tiles + i / kTileRows * (total * kTileSize) + i % kTileRows * kTileDepth;
      for (int k = 0; k < total; ++k, line += kTileSize) copy_line(line, 0, line);
    }
  }
};

template <int T>
LOE_AMX_INLINE void start_sums(Tiles& tiles, const float* bias) {
  if (bias != nullptr) {
    tiles.load<T>(bias, 0);
  } else {
    tiles.zero<T>();
  }
}

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
  }

  /// NT tiles of columns from `column` on, of n rows copied to a.
  template <int NT>
  LOE_AMX_INLINE void panel(int column, int n, const bf16* a, const RowPlaces& places) {
    constexpr int kRowsPerSlot = kTileRows / (kTiles * NT);
    const bf16* const b = static_cast<const bf16*>(g.b[0]) + column / kTileRows * kPanel;
    const float* const bias = has_bias(g.epilogue) ? g.bias + column : nullptr;
    tiles.template load<4>(b, kLineBytes);
    if constexpr (NT == 2) tiles.template load<5>(b + kPanel, kLineBytes);
    tiles.template load<6>(b + kTileSize, kLineBytes);
    if constexpr (NT == 2) tiles.template load<7>(b + kPanel + kTileSize, kLineBytes);
    for (int first = 0; first < n; first += kTileRows, a += kTiles * kTileSize) {
      start_sums<0>(tiles, bias);
      if constexpr (NT == 2) start_sums<1>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
      tiles.template load<2>(a, kLineBytes);
      tiles.template dot<0, 2, 4>();
      slot<kRowsPerSlot>();
      tiles.template load<3>(a + kTileSize, kLineBytes);
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
    copy.begin(0, std::min(kStationaryRows, g.n_rows), rows, &places[0]);
    for (int first = 0; first < g.n_rows; first += kStationaryRows) {
      copy.some(kStationaryRows);
      copy.end();
      const int n = copy.n;
      const bf16* const a = copy.to;
      const int left = g.n_rows - first - n;
      const int next = at == 2 ? 0 : at + 1;
      copy.begin(first + n, std::min(kStationaryRows, left), a == rows ? rows + kChunk : rows, &places[next]);
      int column = 0;
      for (; column + kBlockColumns <= g.n; column += kBlockColumns) panel<2>(column, n, a, places[at]);
      if (column < g.n) panel<1>(column, n, a, places[at]);
      at = next;
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
  }

  /// NR x NT tiles of sums over the whole depth.
  template <int NR, int NT>
  LOE_AMX_INLINE void block(int column, int n, const bf16* a, const RowPlaces& places) {
    const int total = g.n_segments * k_tiles;
    const int n_slots = total * NR * NT;
    const int count = (pending.n + n_slots - 1) / n_slots;
    const float* const bias = has_bias(g.epilogue) ? g.bias + column : nullptr;
    start_sums<0>(tiles, bias);
    if constexpr (NT == 2) start_sums<1>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
    if constexpr (NR == 2) start_sums<2>(tiles, bias);
    if constexpr (NR == 2 && NT == 2) start_sums<3>(tiles, bias == nullptr ? nullptr : bias + kTileRows);
    const int64_t a_block = int64_t{total} * kTileSize;
    for (int s = 0; s < g.n_segments; ++s) {
      const bf16* b = static_cast<const bf16*>(g.b[s]) + column / kTileRows * b_panel;
      for (int k = 0; k < k_tiles; ++k, a += kTileSize, b += kTileSize) {
        tiles.template load<6>(b, kLineBytes);
        tiles.template load<4>(a, kLineBytes);
        tiles.template dot<0, 4, 6>();
        slot(count);
        if constexpr (NT == 2) {
          tiles.template load<7>(b + b_panel, kLineBytes);
          tiles.template dot<1, 4, 7>();
          slot(count);
        }
        if constexpr (NR == 2) {
          tiles.template load<5>(a + a_block, kLineBytes);
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
  LOE_AMX_INLINE void block_row(int n, const bf16* rows, const RowPlaces& places) {
    int column = 0;
    for (; column + kBlockColumns <= g.n; column += kBlockColumns) block<NR, 2>(column, n, rows, places);
    if (column < g.n) block<NR, 1>(column, n, rows, places);
  }

  LOE_AMX_INLINE void run() {
    bf16* const rows = reinterpret_cast<bf16*>(sums + 2 * kSumsPitch);
    RowPlaces places[2];
    int at = 0;
    for (int first = 0; first < g.n_rows; first += kBlockRows, at = 1 - at) {
      copy.begin(first, std::min(kBlockRows, g.n_rows - first), rows, &places[at]);
      copy.all();
      copy.end();
      if (copy.n > kTileRows) {
        block_row<2>(copy.n, rows, places[at]);
      } else {
        block_row<1>(copy.n, rows, places[at]);
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
