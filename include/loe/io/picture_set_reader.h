// A folder of pictures as a set of one size.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "loe/base/thread_pool.h"
#include "loe/signal/picture_set.h"

namespace loe {

struct PictureSetOptions {
  int resolution = 256;      ///< R: side of the square pictures, 1..4096
  int64_t min_pictures = 1;  ///< fewer usable ones are an error
  /// A set that could be larger (number of files x 3 R^2 bytes) lies in an unlinked temporary file that is mapped:
  /// the system keeps in memory what it has room for, and the file is gone when the last copy of the set is, or the
  /// process.
  int64_t max_memory_bytes = int64_t{2} << 30;
  /// Where that file is made; "": the folder named by the environment variable TMPDIR, else /var/tmp (/tmp is often
  /// kept in memory itself).
  std::string temporary_folder;
  /// Called after each picture, one call at a time but from any thread of the pool, n_done = 1..n_total. false stops
  /// the reading: Error(Cancelled).
  std::function<bool(int64_t n_done, int64_t n_total)> on_progress;
};

struct SkippedPicture {
  std::string name;    ///< path below the folder
  std::string reason;  ///< one line
};

struct PictureFolder {
  PictureSet pictures;
  std::vector<std::string> names;  ///< of pictures 0, 1, ...: paths below the folder
  std::vector<SkippedPicture> skipped;
  bool is_mapped = false;  ///< in a temporary file rather than in memory
};

/// All pictures of a folder and of the folders in it, as n RGB pictures of R x R pixels and 8 bits.
///
/// * Files: whatever read_image reads (known by content, or by extension); other files, hidden files and hidden
///   folders, and folders that are symbolic links are passed over. Order: by path below the folder, runs of digits as
///   numbers (2.png before 10.png).
/// * Each picture is turned upright (EXIF), cut to its central square (with an odd remainder the extra row or column
///   goes at the bottom or right), and averaged over areas (area_average_to_u8 of image_edit.h; in the stored values,
///   usually sRGB's, not in linear light). Grey becomes R = G = B. Transparent pictures are shown on black.
/// * Damaged or unreadable files, pictures that claim more than 1 GiB, and those smaller than R on a side are skipped
///   and listed with the reason.
///
/// Every worker holds one decoded picture at a time. The result does not depend on the number of threads.
/// Errors: NotFound, Io (folder; disk full for the temporary file), InvalidArgument (options; fewer than min_pictures
/// usable pictures), OutOfMemory, Cancelled.
/// Measured: 901 JPEGs of 128 x 128 to R = 64 in 0.34 s on one core.
PictureFolder read_picture_folder(const std::string& folder, const PictureSetOptions& options, ThreadPool& pool);

}  // namespace loe
