// The header of NumPy's .npy files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file_handle.h"

namespace loe {

struct NpyHeader {
  std::string dtype;           ///< "u1", "<u2", "<f4" or "<f8"
  std::vector<int64_t> shape;  ///< all positive, at most 8 of them
  uint64_t data_offset = 0;
};

/// Bytes of a value of one of our dtypes.
int npy_value_bytes(const std::string& dtype);

/// Reads and checks the header. Error(Format) for other files, for anything in the header that is not a
/// dictionary of exactly descr, fortran_order and shape, for a size that disagrees with the file's, or an empty array;
/// Error(Unsupported) for other versions, dtypes and Fortran order. Messages begin "[part] path: ".
NpyHeader read_npy_header(const ReadHandle& file, const std::string& path, const std::string& part = "video");

/// All values, in the file's order.
std::vector<double> read_npy_values(const ReadHandle& file, const NpyHeader& header);

/// A header of version 1.0, always of 128 bytes, so that the number of frames can be patched. At most 4 dimensions.
std::string npy_header(const std::string& dtype, const std::vector<int64_t>& shape);

}  // namespace loe
