// The hinge losses of a GAN (Lim & Ye 2017; Miyato et al. 2018, eqs. 16 and 17) for one score.
#pragma once

#include <limits>

namespace loe {

template <class T>
struct LossAndSlope {
  T loss;
  T slope;  ///< by the score
};

/// max(0, 1 - score) for a real picture, max(0, 1 + score) for a made one; the slope is 0 at the kink. A score that is
/// not finite makes the loss NaN: the maximum alone would hide it.
template <class T>
LossAndSlope<T> hinge(T score, bool is_real) {
  const T sign = is_real ? T(-1) : T(1);
  const T margin = 1 + sign * score;
  if (!(score - score == 0)) {
    return {std::numeric_limits<T>::quiet_NaN(), T(0)};
  }
  return margin > 0 ? LossAndSlope<T>{margin, sign} : LossAndSlope<T>{T(0), T(0)};
}

}  // namespace loe
