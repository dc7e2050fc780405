// FID with a network of the user's.
#pragma once

#include <functional>
#include <string>

#include "loe/backend/backend.h"
#include "loe/signal/picture_set.h"

namespace loe::app {

/// As the user wrote them; empty: not given.
struct FidFlags {
  std::string network;     ///< ONNX file
  std::string statistics;  ///< file that keeps those of the data; made if it is not there
  std::string size;        ///< side of the network's input
  std::string resize;      ///< FeatureResize
  std::string range;       ///< "LOW,HIGH": the network's input for black and white
  std::string layer;       ///< name of the layer whose output is read
};

/// The Frechet distance of the network's features between n generated pictures and the set: FID if the network is that
/// of Heusel et al. 2017. Error(InvalidArgument) naming the flag, and the errors of OnnxFeatures and of statistics
/// files. on_share(done in [0, 1]) may throw to give up.
double measure_fid(const FidFlags& flags, Executor& generator, const PictureSet& pictures, int64_t n, uint64_t seed,
                   const std::function<void(double)>& on_share);

}  // namespace loe::app
