// Evaluates a network over a plane of samples, row by row: pictures, and the frames of videos.
#pragma once

#include <functional>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/task/region.h"

namespace loe {

/// Coordinates of `count` sample centres spread over elements [first, first + extent) of an axis of `source` elements.
/// count == extent gives pixel_coordinate(first + i, source) bit for bit.
std::vector<float> axis_coordinates(double first, double extent, int count, int source);

/// Error(InvalidArgument) if the region leaves the source or an output size is outside 1..65536.
void check_region(int source_width, int source_height, const Region& region, int out_width, int out_height);

/// Samples at (columns[x], rows[y], shared ...).
struct SamplePlane {
  std::vector<float> columns;
  std::vector<float> rows;
  std::vector<float> shared;  ///< coordinates behind x and y, the same for all samples: (t) for a frame
};

/// on_rows(first_row, n_rows, values [n_rows, columns, n_out]) in strips of rows, top to bottom, values as the network
/// gives them. Memory: one strip of about 262,144 pixels (8 MB for RGB), whatever the size.
void decode_plane(Executor& executor, const SamplePlane& plane,
                  const std::function<void(int first_row, int n_rows, const float* values)>& on_rows);

}  // namespace loe
