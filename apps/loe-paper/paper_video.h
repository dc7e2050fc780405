// What `loe paper` leaves of videos: a few frames for the page, and a video of all rows side by side.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/signal/image.h"
#include "loe/signal/video.h"

namespace loe::app {

/// In a run folder: the shown frames as the network gives them back, and their error maps.
inline constexpr const char* kFramesFile = "frames.png";
inline constexpr const char* kFrameErrorsFile = "frames_error.png";

/// The shown frames (shown_parts) of the source, one below the other.
Image stack_source_frames(const Video& video);

/// Writes kFramesFile and then kFrameErrorsFile (see color_errors) into `folder`: the shown frames, one below the
/// other. The frames are evaluated again rather than read from reconstruction.mp4: its compression, though hardly
/// visible, is as large as the errors of a good fit. Three frames cost less than a few training steps.
void write_shown_frames(Executor& executor, const Video& video, const std::string& folder);

/// A column of the comparison.
struct ComparisonColumn {
  std::string label;  ///< drawn above it in capitals as far as it fits (see draw_label)
  std::string path;   ///< a video of the source's size and at least as many frames
};

/// Where the columns of the comparison lie: as many side by side as players and encoders take, further ones below.
struct ComparisonLayout {
  int n_columns = 1;
  int n_lines = 1;
  int width = 0;         ///< of the video
  int height = 0;        ///< even
  int cell_width = 0;    ///< the source's, made even
  int cell_height = 0;   ///< the label and the source's height, even
  int label_height = 0;  ///< the frame begins below
};
ComparisonLayout comparison_layout(int width, int height, int n_cells);

/// Source ("Source") and columns side by side in one video at the source's rate, 8 bits. The columns are read from
/// their files frame by frame: evaluating all networks again could take an hour, and nobody sees the difference in a
/// video that is compressed itself. on_share(share done) may throw to give up: no file appears then.
/// Error(Format) if a column has another size or too few frames.
void write_comparison(const Video& source, const std::vector<ComparisonColumn>& columns, const std::string& path,
                      const std::function<void(double)>& on_share);

/// Writes `text` into pixels [x, x + width) x [y, ...), white, glyphs of 5 x 7 dots of `dot` pixels in cells of 6 dots:
/// letters (as capitals), digits, '+', '-', '.', blank; others are left blank. What does not fit is left out.
void draw_label(Image& image, int x, int y, int width, int dot, const std::string& text);

}  // namespace loe::app
