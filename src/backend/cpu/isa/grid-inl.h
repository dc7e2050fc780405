// Grids of feature pairs for the target being compiled (Highway). No include guard on purpose: see kernels.cpp.

HWY_BEFORE_NAMESPACE();
namespace loe::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR  // without vectors: sample by sample, see EmbeddingGrids

void (*const grid_features_any)(const GridFeaturesArgs&) = nullptr;
void (*const grid_gradient_any)(const GridGradientArgs&) = nullptr;

#else

// The arithmetic is embedding.h's, operation by operation: entries and coefficients have the same bits here and there.

/// Where `Index` lanes lie: entries of the corners, coefficients of the corners.
template <class DFloat, int kCorners>
struct GridPlaces {
  hn::Vec<hn::RebindToUnsigned<DFloat> > entry[kCorners];
  hn::Vec<DFloat> coefficient[kCorners];
};

/// The constants of a level in every lane, or of a level per lane.
template <class DFloat, int kDims>
struct GridConstants {
  using DUnsigned = hn::RebindToUnsigned<DFloat>;
  hn::Vec<DFloat> cells[kDims];
  hn::Vec<DFloat> last[kDims];
  hn::Vec<DUnsigned> step[kDims];
  hn::Vec<DUnsigned> mask;
  hn::Vec<DUnsigned> first_entry;
};

template <int kDims, class DFloat>
HWY_INLINE GridPlaces<DFloat, 1 << kDims> grid_places(DFloat d, const GridConstants<DFloat, kDims>& c,
                                                      const hn::Vec<DFloat>* p) {
  const hn::RebindToUnsigned<DFloat> du;
  const hn::RebindToSigned<DFloat> di;
  const auto one = hn::Set(d, 1.0F);
  const auto is_dense = hn::Eq(c.mask, hn::Set(du, 0xffffffffU));
  GridPlaces<DFloat, 1 << kDims> places;
  for (int axis = 0; axis < kDims; ++axis) {
    const auto position = hn::Mul(p[axis], c.cells[axis]);
    const auto inside = hn::IfThenElseZero(hn::Gt(position, hn::Zero(d)), hn::Min(position, c.last[axis]));  // NaN: 0
    const auto cell = hn::ConvertTo(di, hn::Min(inside, hn::Sub(c.last[axis], one)));  // of floats below 2^16: exact
    const auto fraction = hn::Sub(inside, hn::ConvertTo(d, cell));
    const auto rest = hn::Sub(one, fraction);
    const auto lower = axis == 0 ? hn::BitCast(du, cell) : hn::Mul(hn::BitCast(du, cell), c.step[axis]);
    const auto upper = hn::Add(lower, c.step[axis]);
    if (axis == 0) {
      places.coefficient[0] = rest;
      places.coefficient[1] = fraction;
      places.entry[0] = lower;
      places.entry[1] = upper;
      continue;
    }
    const int n = 1 << axis;
    for (int k = 0; k < n; ++k) {
      const auto index = places.entry[k];
      places.coefficient[n + k] = hn::Mul(places.coefficient[k], fraction);
      places.coefficient[k] = hn::Mul(places.coefficient[k], rest);
      places.entry[n + k] = hn::IfThenElse(is_dense, hn::Add(index, upper), hn::Xor(index, upper));
      places.entry[k] = hn::IfThenElse(is_dense, hn::Add(index, lower), hn::Xor(index, lower));
    }
  }
  for (auto& entry : places.entry) entry = hn::Add(hn::And(entry, c.mask), c.first_entry);
  return places;
}

template <int kDims, class D>
GridConstants<D, kDims> grid_constants(D d, const GridLevels& levels, int first) {
  const hn::RebindToUnsigned<D> du;
  GridConstants<D, kDims> constants;
  for (int axis = 0; axis < kDims; ++axis) {
    constants.cells[axis] = hn::LoadU(d, levels.cells + axis * levels.stride + first);
    constants.last[axis] = hn::LoadU(d, levels.last + axis * levels.stride + first);
    constants.step[axis] = hn::LoadU(du, levels.step + axis * levels.stride + first);
  }
  constants.mask = hn::LoadU(du, levels.mask + first);
  constants.first_entry = hn::LoadU(du, levels.first_entry + first);
  return constants;
}
/// One level in all lanes.
template <int kDims, class D>
GridConstants<D, kDims> grid_constant(D d, const GridLevels& levels, int level) {
  const hn::RebindToUnsigned<D> du;
  GridConstants<D, kDims> constants;
  for (int axis = 0; axis < kDims; ++axis) {
    constants.cells[axis] = hn::Set(d, levels.cells[axis * levels.stride + level]);
    constants.last[axis] = hn::Set(d, levels.last[axis * levels.stride + level]);
    constants.step[axis] = hn::Set(du, levels.step[axis * levels.stride + level]);
  }
  constants.mask = hn::Set(du, levels.mask[level]);
  constants.first_entry = hn::Set(du, levels.first_entry[level]);
  return constants;
}

using GridD64 = hn::ScalableTag<uint64_t>;  ///< a pair of features per lane
using GridD = hn::Rebind<float, GridD64>;
using GridPairs = hn::Repartition<float, GridD64>;

/// Both features of an entry are one gathered word of 64 bits.
template <int kDims>
HWY_INLINE hn::Vec<GridPairs> grid_blend(const float* table, const GridPlaces<GridD, 1 << kDims>& places) {
  const GridD64 d64;
  const hn::RebindToSigned<GridD64> di64;
  const hn::RebindToUnsigned<GridD> du;
  const GridPairs pairs;
  auto sum = hn::Zero(pairs);
  for (int k = 0; k < 1 << kDims; ++k) {
    const auto index = hn::BitCast(di64, hn::PromoteTo(d64, places.entry[k]));
    const auto features = hn::BitCast(pairs, hn::GatherIndex(d64, reinterpret_cast<const uint64_t*>(table), index));
    const auto once = hn::PromoteTo(d64, hn::BitCast(du, places.coefficient[k]));
    const auto twice = hn::BitCast(pairs, hn::Or(once, hn::ShiftLeft<32>(once)));
    sum = hn::MulAdd(twice, features, sum);
  }
  return sum;
}

template <class D>
HWY_INLINE void grid_load_coords(D d, const float* coords, hn::Vec<D> (&p)[2]) {
  hn::LoadInterleaved2(d, coords, p[0], p[1]);
}
template <class D>
HWY_INLINE void grid_load_coords(D d, const float* coords, hn::Vec<D> (&p)[3]) {
  hn::LoadInterleaved3(d, coords, p[0], p[1], p[2]);
}

// A lane per level: the features of the levels come out in the order of the row. The last vector may write up to a
// vector less one pair beyond the features.
template <int kDims>
void grid_features_by_level(const GridFeaturesArgs& g, int first) {
  const GridD d;
  const auto constants = grid_constants<kDims, GridD>(d, *g.levels, first);
  for (int i = 0; i < g.n; ++i) {
    hn::Vec<GridD> p[kDims];
    for (int axis = 0; axis < kDims; ++axis) p[axis] = hn::Set(d, g.coords[i * kDims + axis]);
    const auto sum = grid_blend<kDims>(g.table, grid_places<kDims, GridD>(d, constants, p));
    hn::StoreU(sum, GridPairs(), g.out + i * g.out_stride + 2 * first);
  }
}

// A lane per sample, for levels that would not fill a vector. The same operations on every number, so the same bits.
template <int kDims>
void grid_features_by_sample(const GridFeaturesArgs& g, int level) {
  const GridD d;
  constexpr int kMaxLanes = static_cast<int>(hn::MaxLanes(GridD()));
  const int n_lanes = static_cast<int>(hn::Lanes(d));
  const auto constants = grid_constant<kDims, GridD>(d, *g.levels, level);
  HWY_ALIGN float features[2 * kMaxLanes];
  HWY_ALIGN float coords[kDims * kMaxLanes] = {};
  for (int i = 0; i < g.n; i += n_lanes) {
    const int n = g.n - i < n_lanes ? g.n - i : n_lanes;
    const float* from = g.coords + i * kDims;
    if (n < n_lanes) {
      for (int j = 0; j < n * kDims; ++j) coords[j] = from[j];
      from = coords;
    }
    hn::Vec<GridD> p[kDims];
    grid_load_coords(d, from, p);
    hn::StoreU(grid_blend<kDims>(g.table, grid_places<kDims, GridD>(d, constants, p)), GridPairs(), features);
    float* to = g.out + i * g.out_stride + 2 * level;
    for (int j = 0; j < n; ++j, to += g.out_stride) hwy::CopyBytes<8>(features + 2 * j, to);
  }
}

template <int kDims>
void grid_features(const GridFeaturesArgs& g) {
  const int n_lanes = static_cast<int>(hn::Lanes(GridD()));
  int level = 0;
  for (; level + n_lanes / 2 < g.levels->n_levels; level += n_lanes) grid_features_by_level<kDims>(g, level);
  for (; level < g.levels->n_levels; ++level) grid_features_by_sample<kDims>(g, level);
}

/// Entries and coefficients of a vector of samples, in memory.
template <int kDims>
struct GridBlock {
  static constexpr int kCorners = 1 << kDims;
  HWY_ALIGN uint32_t entry[kCorners][kLanes];
  HWY_ALIGN float coefficient[kCorners / 4][4 * kLanes];  ///< [quad of corners][sample][corner]

  HWY_INLINE void find(const GridConstants<DF, kDims>& constants, const float* coords) {
    const DF d;
    const hn::RebindToUnsigned<DF> du;
    VF p[kDims];
    grid_load_coords(d, coords, p);
    const auto places = grid_places<kDims, DF>(d, constants, p);
    for (int k = 0; k < kCorners; ++k) hn::Store(places.entry[k], du, entry[k]);
    for (int q = 0; q < kCorners / 4; ++q) {
      hn::StoreInterleaved4(places.coefficient[4 * q], places.coefficient[4 * q + 1], places.coefficient[4 * q + 2],
                            places.coefficient[4 * q + 3], d, coefficient[q]);
    }
  }

  /// Neighbours along x lie side by side in a dense level: one addition for both.
  template <bool kIsDense>
  HWY_INLINE void add(int i, const float* grad, float* sums) const {
    const hn::FixedTag<float, 4> d4;
    const hn::FixedTag<float, 2> d2;
    double both;
    hwy::CopyBytes<8>(grad, &both);
    const auto grads = hn::BitCast(d4, hn::Set(hn::FixedTag<double, 2>(), both));
    for (int q = 0; q < kCorners / 4; ++q) {
      const auto c = hn::Load(d4, coefficient[q] + 4 * i);
      for (int half = 0; half < 2; ++half) {
        // Corners 0, 0, 1, 1 or 2, 2, 3, 3 of the quad.
        const auto scale = half == 0 ? hn::InterleaveLower(d4, c, c) : hn::InterleaveUpper(d4, c, c);
        float* const at = sums + 2 * static_cast<std::size_t>(entry[4 * q + 2 * half][i]);
        if constexpr (kIsDense) {
          hn::StoreU(hn::MulAdd(scale, grads, hn::LoadU(d4, at)), d4, at);
        } else {
          float* const next = sums + 2 * static_cast<std::size_t>(entry[4 * q + 2 * half + 1][i]);
          const auto grads2 = hn::LowerHalf(grads);
          hn::StoreU(hn::MulAdd(hn::LowerHalf(scale), grads2, hn::LoadU(d2, at)), d2, at);
          hn::StoreU(hn::MulAdd(hn::UpperHalf(d2, scale), grads2, hn::LoadU(d2, next)), d2, next);
        }
      }
    }
  }
};

// Samples in a row share nodes, and an addition waits for the one before it: four quarters of the samples in turn keep
// four of them under way. So the order is sample 0 of each quarter, sample 1 of each, ..., then what is left over: it
// follows from the number of samples alone.
template <int kDims, bool kIsDense>
void grid_gradient(const GridGradientArgs& g) {
  constexpr int kQuarters = 4;
  const auto constants = grid_constant<kDims, DF>(DF(), *g.levels, g.level);
  const int quarter = g.n / (kQuarters * kLanes) * kLanes;
  GridBlock<kDims> blocks[kQuarters];
  for (int first = 0; first < quarter; first += kLanes) {
    for (int k = 0; k < kQuarters; ++k) blocks[k].find(constants, g.coords + (k * quarter + first) * kDims);
    for (int i = 0; i < kLanes; ++i) {
      for (int k = 0; k < kQuarters; ++k) {
        blocks[k].template add<kIsDense>(i, g.grads + (k * quarter + first + i) * g.grads_stride, g.sums);
      }
    }
  }
  for (int first = kQuarters * quarter; first < g.n; first += kLanes) {
    blocks[0].find(constants, g.coords + first * kDims);
    const int n = g.n - first < kLanes ? g.n - first : kLanes;
    for (int i = 0; i < n; ++i) blocks[0].template add<kIsDense>(i, g.grads + (first + i) * g.grads_stride, g.sums);
  }
}

void grid_features_any(const GridFeaturesArgs& g) {
  g.levels->n_dims == 2 ? grid_features<2>(g) : grid_features<3>(g);
}
void grid_gradient_any(const GridGradientArgs& g) {
  const bool is_dense = g.levels->mask[g.level] == 0xffffffffU;
  if (g.levels->n_dims == 2) {
    is_dense ? grid_gradient<2, true>(g) : grid_gradient<2, false>(g);
  } else {
    is_dense ? grid_gradient<3, true>(g) : grid_gradient<3, false>(g);
  }
}

#endif

}  // namespace loe::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
