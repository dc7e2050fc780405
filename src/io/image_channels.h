// Which channels of a file are the picture: by what the file calls them, never by their number.
#pragma once

#include <string>
#include <vector>

#include "io/tiff_directory.h"
#include "loe/signal/image.h"

namespace loe {

struct ChannelChoice {
  std::vector<int> indices;               ///< into the file's channels, in our order; empty: none can be chosen
  AlphaKind alpha = AlphaKind::Unstated;  ///< of the last one if their number is even
  std::vector<std::string> names;         ///< of channels that are neither colours nor alpha
  std::string layer;                      ///< of an OpenEXR: what stands before the channels' names
  std::vector<std::string> left_out;
  /// How good a choice it is among the parts of a file: colours, grey, anything else, none.
  int rank() const { return indices.empty() ? 0 : !names.empty() ? 1 : indices.size() <= 2 ? 2 : 3; }
};

/// OpenEXR: R, G, B, else Y, and A where there is one; of the file itself, else of its only layer or the one that is
/// called as the whole picture usually is (beauty, combined, rgba, ...). Other files: all of up to 4 channels as they
/// are. Empty if there are more, or several layers.
ChannelChoice choose_exr_channels(const std::vector<std::string>& names);

/// TIFF of up to 4 channels: the colours of its photometric interpretation and the alpha among its extra samples;
/// without alpha all as they are. Empty if there are more. `n_channels`: as decoded.
ChannelChoice choose_tiff_channels(const TiffDirectory& directory, int n_channels);

/// The first n as they are: formats that know grey, RGB and straight alpha only.
ChannelChoice all_channels(int n_channels);

}  // namespace loe
