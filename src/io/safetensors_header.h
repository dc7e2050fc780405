// The JSON header of a safetensors file, checked field by field.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace loe {

enum class TensorType { F16, BF16, F32, F64 };

/// One entry of the header. begin and end are byte offsets into the data that follows the header.
struct TensorEntry {
  std::string name;
  TensorType type = TensorType::F32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
  int64_t n_values = 0;
};

struct TensorHeader {
  std::vector<TensorEntry> entries;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
};

/// The official implementation's limit.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

/// Checks the 8 bytes in front of the header against the file's size. Returns the header's length.
uint64_t check_header_length(const unsigned char (&prefix)[8], uint64_t file_size, const std::string& path);

/// Everything in the header, checked against the n_data_bytes that follow it: the tensors fill them without overlap
/// or gap. Error(Format).
TensorHeader parse_safetensors_header(std::string_view json, uint64_t n_data_bytes, const std::string& path);

int bytes_per_value(TensorType type);

}  // namespace loe
