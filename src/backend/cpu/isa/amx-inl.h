// Products of bf16 rows by tile registers: 16 rows of 64 bytes, C += A B with A [16 rows][32] and B [16 pairs][16][2].
//
// Included twice, with and without AMX (amx.cpp, amx_twin.cpp), followed by the other amx-*-inl.h;
// each of the two first defines, in its own anonymous namespace: Tiles, the eight registers; Floats, 16 f32 in a
// register, with load_floats, load_widened, store_floats, store_rounded, add, multiply, larger, choose_positive,
// scale_not_positive; and copy_line, split_line, are_regular,
// fill_regular, interleave_32, interleave_16, transpose_32x8. Everything about blocks,
// tails, gathering and the order of sums is in these files, once.

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

/// Where the rows of a chunk are: by offset those of C and of the mask, and the tiles of A for each 16 of them.
struct RowPlaces {
  int64_t c[kStationaryRows];
  int64_t mask[kStationaryRows];
  const bf16* a[kStationaryRows / kTileRows];
  int64_t a_stride[kStationaryRows / kTileRows];  // bytes
  int64_t a_step;                                 // elements from a k tile to the next
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
/// The depth behind a row's last element becomes zero: what stands there need not be finite. Rows that have one stride
/// where they are, in blocks of 16, are not copied: neighbouring pixels that meet one expert.
struct RowCopy {
  const uint16_t* list;
  const void* a;
  int64_t a_stride;
  int64_t c_stride;
  int64_t mask_stride;
  bool a_compact;
  bool c_compact;
  bool may_stay;
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
        a(g.a),
        a_stride(g.a_stride),
        c_stride(g.c_stride),
        mask_stride(g.mask_stride),
        a_compact(g.a_compact),
        c_compact(g.c_compact),
        may_stay(g.rows != nullptr && !g.a_compact && !g.c_compact && g.n_segments == 1 && g.depth % kTileDepth == 0),
        n_segments(g.n_segments),
        depth(g.depth),
        k_tiles(k_tiles_of(g.depth)) {}

  LOE_AMX_INLINE void begin(int from, int count, bf16* tiles, RowPlaces* place) {
    first = from;
    next = 0;
    n = count;
    to = tiles;
    places = place;
    if (may_stay && n % kTileRows == 0 && place_where_they_are()) return;
    const int64_t block = int64_t{n_segments} * k_tiles * kTileSize;
    for (int i = 0; i * kTileRows < n; ++i) {
      places->a[i] = to + i * block;
      places->a_stride[i] = kLineBytes;
    }
    places->a_step = kTileSize;
  }

  /// False, and nothing of it counts, if some 16 rows have no stride.
  LOE_AMX_INLINE bool place_where_they_are() {
    for (int i = 0; i * kTileRows < n; ++i) {
      const uint16_t* const rows = list + first + i * kTileRows;
      const int step = rows[1] - rows[0];
      if (!are_regular(rows, step)) return false;
      places->a[i] = static_cast<const bf16*>(a) + rows[0] * a_stride;
      places->a_stride[i] = step * a_stride * static_cast<int64_t>(sizeof(bf16));
      fill_regular(rows[0] * c_stride, step * c_stride, places->c + i * kTileRows);
      fill_regular(rows[0] * mask_stride, step * mask_stride, places->mask + i * kTileRows);
    }
    places->a_step = kTileDepth;
    next = n;
    return true;
  }

  template <class T>
  LOE_AMX_INLINE const T* place_row(int i) {
    const int64_t row = list != nullptr ? list[first + i] : first + i;
    const int64_t c_row = c_compact ? first + i : row;
    places->c[i] = c_row * c_stride;
    places->mask[i] = c_row * mask_stride;
    return static_cast<const T*>(a) + (a_compact ? first + i : row) * a_stride;
  }

  /// Up to `count` more, of one segment of two tiles.
  LOE_AMX_INLINE void some(int count) {
    const int end = next + count < n ? next + count : n;
    for (int i = next; i < end; ++i) {
      const bf16* const from = place_row<bf16>(i);
      bf16* const line = to + i / kTileRows * (2 * kTileSize) + i % kTileRows * kTileDepth;
      copy_line(from, kTileDepth, line);
      copy_line(from + kTileDepth, depth - kTileDepth, line + kTileSize);
    }
    next = end > next ? end : next;
  }

  /// All, of any shape.
  LOE_AMX_INLINE void all() {
    const int total = n_segments * k_tiles;
    for (int i = next; i < n; ++i) {
      const bf16* from = place_row<bf16>(i);
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

  LOE_AMX_OUTLINE static void clear_rows(bf16* tiles, int from, int total) {
    for (int i = from; i % kTileRows != 0; ++i) {
      bf16* line = tiles + i / kTileRows * (total * kTileSize) + i % kTileRows * kTileDepth;
      for (int k = 0; k < total; ++k, line += kTileSize) copy_line(line, 0, line);
    }
  }
};

/// Cache lines that are needed soon, asked for a few at a time in the slots between tile products. Rows that passed
/// through another layer meanwhile, and weights of the next expert, lie beyond L2: products that wait for them take
/// twice as long (docs/performance.md), and a burst of requests would stall the block it is meant to help.
class Ahead {
 public:
  void clear() { n_runs_ = n_lines_ = 0; }
  LOE_AMX_INLINE void add(const void* from, int64_t n_bytes) {
    runs_[n_runs_++] = {static_cast<const char*>(from), static_cast<const char*>(from) + n_bytes};
    n_lines_ += static_cast<int>((n_bytes + kLineBytes - 1) / kLineBytes);
  }
  /// Afterwards n_slots calls of ask() ask for all of it.
  LOE_AMX_INLINE void spread(int n_slots) {
    per_slot_ = (n_lines_ + n_slots - 1) / n_slots;
    left_ = n_lines_;
    at_ = 0;
    if (n_runs_ > 0) next_ = runs_[0].begin;
  }
  LOE_AMX_INLINE void ask() {
    if (left_ <= 0) return;
    const int count = std::min(per_slot_, left_);
    left_ -= count;
    for (int i = 0; i < count; ++i) {
      __builtin_prefetch(next_, 0, 2);
      next_ += kLineBytes;
      if (next_ >= runs_[at_].end && ++at_ < n_runs_) next_ = runs_[at_].begin;
    }
  }

 private:
  struct Run {
    const char* begin;
    const char* end;
  };
  static constexpr int kMaxRuns = 4 * kStationaryRows + 1;  // A, two of C, the mask, and weights
  Run runs_[kMaxRuns];
  int n_runs_ = 0;
  int n_lines_ = 0;
  int per_slot_ = 0;
  int left_ = 0;
  int at_ = 0;
  const char* next_ = nullptr;
};

/// Sizes of operands that look_ahead needs: bytes of an element of A, and of bf16 in a packed weight.
struct OperandSizes {
  int a_bytes = 2;
  int n_parts = 1;
};

/// Some rows of a call's list, all of one group.
struct RowBlock {
  int first = 0;
  int n = 0;
  int group = 0;
};

/// The next block of at most `most` rows; empty behind the last.
LOE_AMX_INLINE RowBlock block_behind(const GemmArgs& g, RowBlock block, int most) {
  block.first += block.n;
  while (block.group < g.n_groups - 1 && block.first >= g.groups[block.group].end) ++block.group;
  const int end = g.groups == nullptr ? g.n_rows : g.groups[block.group].end;
  block.n = std::max(0, std::min(most, end - block.first));
  return block;
}

/// Of its segments.
LOE_AMX_INLINE const void* const* weights_of(const GemmArgs& g, const RowBlock& block) {
  return g.groups == nullptr ? g.b : &g.groups[block.group].b;
}

/// While `now` is multiplied: rows of A that are copied after that, and rows of C that are written then.
struct NextRows {
  RowBlock now;
  RowBlock a;
  RowBlock c;
};

/// What a block asks for, beside those rows: its part of the weights of the next group, or of the next call.
LOE_AMX_OUTLINE void look_ahead(const GemmArgs& g, const NextRows& rows, int most, int n_slots, Ahead& ahead,
                                OperandSizes sizes = {}) {
  ahead.clear();
  for (int i = rows.a.first; !g.a_compact && i < rows.a.first + rows.a.n; ++i) {
    const int64_t row = g.rows != nullptr ? g.rows[i] : i;
    ahead.add(static_cast<const char*>(g.a) + row * g.a_stride * sizes.a_bytes, int64_t{g.depth} * sizes.a_bytes);
  }
  for (int i = rows.c.first; i < rows.c.first + rows.c.n; ++i) {
    const int64_t row = g.c_compact || g.rows == nullptr ? i : g.rows[i];
    if (g.c16 != nullptr) ahead.add(g.c16 + row * g.c_stride, int64_t{2} * g.n);
    if (g.c32 != nullptr) ahead.add(g.c32 + row * g.c_stride, int64_t{4} * g.n);
    if (g.mask16 != nullptr && g.mask16 != g.c16) ahead.add(g.mask16 + row * g.mask_stride, int64_t{2} * g.n);
  }
  const int group = rows.now.group;
  const void* const next_b = group + 1 < g.n_groups ? g.groups[group + 1].b : g.next_b;
  if (next_b != nullptr) {
    const int begin = g.groups == nullptr || group == 0 ? 0 : g.groups[group - 1].end;
    const int end = g.groups == nullptr ? g.n_rows : g.groups[group].end;
    const int64_t bytes = int64_t{2} * sizes.n_parts * k_tiles_of(g.depth) * kTileSize * (g.n / kTileRows);
    const int n_blocks = (end - begin + most - 1) / most;
    const int64_t part = (bytes / n_blocks + kLineBytes - 1) / kLineBytes * kLineBytes;
    const int64_t from = std::min(bytes, part * ((rows.now.first - begin) / most));
    if (from < bytes) ahead.add(static_cast<const char*>(next_b) + from, std::min(part, bytes - from));
  }
  ahead.spread(n_slots);
}

template <int T>
LOE_AMX_INLINE void start_sums(Tiles& tiles, const float* bias) {
  if (bias != nullptr) {
    tiles.load<T>(bias, 0);
  } else {
    tiles.zero<T>();
  }
}

}  // namespace
}  // namespace loe::cpu
