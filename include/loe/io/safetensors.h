// The safetensors container: an 8-byte little-endian header length, a JSON header, raw little-endian tensors.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace loe {

/// One tensor to write, F32 of `data` or, if there are any, F64 of `doubles`; neither is copied.
struct TensorView {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> data;
  std::span<const double> doubles = {};
};

/// A read file: tensors in file order, and the string-to-string __metadata__.
struct TensorFile {
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    std::vector<float> data;
    std::vector<double> doubles = {};  ///< the values of an F64 tensor as they are in the file; else empty
  };
  std::vector<Tensor> tensors;
  std::map<std::string, std::string> metadata;
  const Tensor* find(const std::string& name) const;
};

/// Writes to a temporary name in the same folder, syncs, renames: a crash or full disk leaves the old file whole.
/// Error(Io) naming path and cause.
void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata);

/// F32, F16, BF16 and F64 are read as float. Error(NotFound), Error(Io), or Error(Format) naming path, byte offset,
/// expected and found. Offsets, shapes, overlaps, gaps, duplicate keys and sizes are all checked before any allocation;
/// tensors take up to twice the bytes of the file (F16).
TensorFile read_safetensors(const std::string& path);

/// The same from memory (the fuzz target's entry); `name` stands for the path in messages.
TensorFile parse_safetensors(std::span<const unsigned char> bytes, const std::string& name);

}  // namespace loe
