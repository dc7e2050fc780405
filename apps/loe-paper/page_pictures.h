// The pictures of a run, small enough for a page.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loe/signal/image.h"
#include "paper_report.h"

namespace loe::app {

/// Longest side of a picture on the page, and side of a detail.
inline constexpr int kPageSide = 384;
inline constexpr int kDetailSide = 128;

/// Mean absolute errors read back from an error map's colours, in units of pixel values; 0.1 (kErrorMapScale) stands
/// for anything larger.
struct ErrorValues {
  int width = 0;
  int height = 0;
  std::vector<float> values;  ///< [height, width]
};

/// Box average: pixel i of an axis shrunk from n to m is the mean of pixels floor(i n / m) .. floor((i + 1) n / m) - 1.
/// Pictures whose longest side is at most `max_side` stay as they are. 8 bits, grey or colour with or without alpha;
/// half and float pictures are taken as linear light and become sRGB.
Image shrink_picture(const Image& image, int max_side);

/// shrink_picture for a stack of frames, one below the other: each with sides of at most kPageSide.
Image shrink_frames(const Image& stack, int n_frames);

/// The error of a colour of error_color(t): t * kErrorMapScale, to within 1% of kErrorMapScale. Channels in [0, 1].
float error_of_color(const float* rgb);

/// The whole map box-averaged. Errors are averaged, not colours: a mean of dark and bright is no colour of the map.
/// Error(Format) unless the map has 3 channels.
ErrorValues shrink_errors(const Image& map, int max_side);

/// A square around the middle at native resolution, of side kDetailSide, or half of the shorter side if that is less.
/// Chunk borders of an even number of chunks cross in its middle. Error(Format) unless the map has 3 channels.
ErrorValues detail_errors(const Image& map);

/// In the colours of error maps, brightest at `scale`.
Image color_errors(const ErrorValues& errors, double scale);

/// The smallest of 0.1, 0.05, 0.02, 0.01, ... that 9 of 10 values of all these maps together do not exceed.
double common_scale(const std::vector<const ErrorValues*>& maps);

/// What could be read of one run's folder.
struct RunPictures {
  std::optional<Image> reconstruction;
  std::optional<ErrorValues> errors;
  std::optional<ErrorValues> detail;
  std::optional<Image> extra;         ///< scenes: what is seen of empty space
  std::vector<std::string> problems;  ///< one line per picture that could not be read
};

/// Reads the folder's reconstruction.png (or .exr) and error.png. Never throws loe::Error.
RunPictures read_run_pictures(const std::string& folder);

/// Files in a run's folder that hold its shown parts (shown_parts), one below the other.
struct StackFiles {
  const char* pictures;
  const char* errors;  ///< nullptr: none
  const char* extra;   ///< nullptr: none. Left out without a word if it is not there
};

/// The same of a signal in parts, frames or views, of which there are n_parts: each with sides of at most kPageSide. No
/// detail. Never throws loe::Error.
RunPictures read_run_stacks(const std::string& folder, const StackFiles& files, int n_parts);

}  // namespace loe::app
