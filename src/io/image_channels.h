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
  std::string example;  ///< where none can be chosen: some that could be asked for
  /// How good a choice it is among the parts of a file: colours, grey, anything else, none.
  int rank() const { return indices.empty() ? 0 : !names.empty() ? 1 : indices.size() <= 2 ? 2 : 3; }
};

/// OpenEXR: R, G, B, else Y, and A where there is one; of the file itself, else of its only layer or the one that is
/// called as the whole picture usually is (beauty, combined, rgba, ...). Other files: all of up to 4 channels as they
/// are. Empty if there are more, or several layers.
ChannelChoice choose_exr_channels(const std::vector<std::string>& names);

/// TIFF: the colours of its photometric interpretation and the alpha among its extra samples. Without alpha all of up
/// to 4 as they are, of more R, G and B; empty if there are more and they are no colours. `n_channels`: as decoded.
ChannelChoice choose_tiff_channels(const TiffDirectory& directory, int n_channels);

/// What the channels of a TIFF are called: "R", "G", "B" or "Y", then "extra 1", ...; more than 4 that are no colours
/// "1", "2", .... Empty if the decoder turns them into others (palettes).
std::vector<std::string> tiff_channel_names(const TiffDirectory& directory, int n_channels);

/// The channels that `asked` lists, separated by commas: names in any case, or numbers from 1 where no channel has such
/// a name. An even number of them ends with alpha where `usual`, what is chosen unasked, has the same one as alpha.
/// Empty, with what is wrong in `found`, if one is not there or there are more than 4.
ChannelChoice choose_asked_channels(const std::vector<std::string>& names, const std::string& asked,
                                    const ChannelChoice& usual, std::string& found);

/// The first n as they are: formats that know grey, RGB and straight alpha only.
ChannelChoice all_channels(int n_channels);

}  // namespace loe
