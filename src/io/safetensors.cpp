#include "loe/io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <new>
#include <nlohmann/json.hpp>

#include "base/half.h"
#include "io/file_handle.h"
#include "io/safetensors_header.h"
#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they are: little-endian only");

/// Fills `out` with n bytes from an offset of the file.
using ReadBytes = std::function<void(uint64_t offset, void* out, std::size_t n_bytes)>;

template <typename Stored, typename Convert>
void read_converted(const ReadBytes& read, uint64_t offset, std::span<float> out, const Convert& convert) {
  constexpr std::size_t kChunk = 16384;
  std::vector<Stored> chunk(std::min(kChunk, out.size()));
  for (std::size_t first = 0; first < out.size(); first += kChunk) {
    const std::size_t n = std::min(kChunk, out.size() - first);
    read(offset + first * sizeof(Stored), chunk.data(), n * sizeof(Stored));
    std::transform(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(n),
                   out.begin() + static_cast<std::ptrdiff_t>(first), convert);
  }
}

void read_values(const ReadBytes& read, TensorType type, uint64_t offset, TensorFile::Tensor& tensor) {
  const std::span<float> out = tensor.data;
  switch (type) {
    case TensorType::F32:
      read(offset, out.data(), out.size_bytes());
      return;
    case TensorType::F16:
      read_converted<uint16_t>(read, offset, out, half_to_float);
      return;
    case TensorType::BF16:
      read_converted<uint16_t>(read, offset, out, bfloat16_to_float);
      return;
    case TensorType::F64:
      tensor.doubles.resize(out.size());
      read(offset, tensor.doubles.data(), out.size() * sizeof(double));
      std::ranges::transform(tensor.doubles, out.begin(), [](double value) { return static_cast<float>(value); });
      return;
  }
}

TensorFile read_tensors(const ReadBytes& read, uint64_t file_size, const std::string& path) {
  if (file_size < 8) {
    throw Error(ErrorKind::Format, fmt::format("[safetensors] {}: expected at least 8 bytes, got {}; the file is "
                                               "empty or truncated, so take another copy",
                                               path, file_size));
  }
  try {
    unsigned char prefix[8];
    read(0, prefix, sizeof(prefix));
    std::string json(check_header_length(prefix, file_size, path), '\0');
    read(8, json.data(), json.size());
    const uint64_t data_offset = 8 + json.size();
    TensorHeader header = parse_safetensors_header(json, file_size - data_offset, path);
    TensorFile file;
    file.metadata = std::move(header.metadata);
    file.tensors.reserve(header.entries.size());
    for (TensorEntry& entry : header.entries) {
      TensorFile::Tensor tensor{std::move(entry.name), std::move(entry.shape), {}};
      tensor.data.resize(static_cast<std::size_t>(entry.n_values));
      read_values(read, entry.type, data_offset + entry.begin, tensor);
      file.tensors.push_back(std::move(tensor));
    }
    return file;
  } catch (const std::bad_alloc&) {
    throw Error(
        ErrorKind::OutOfMemory,
        fmt::format("[safetensors] {}: expected memory for a file of {} bytes, got none; free some", path, file_size));
  }
}

[[noreturn]] void refuse_tensor(const std::string& path, const TensorView& tensor, const std::string& expected,
                                const std::string& found) {
  throw Error(ErrorKind::InvalidArgument, fmt::format("[safetensors] {}: tensor '{}': expected {}, got {}; fix the "
                                                      "caller",
                                                      path, printable(tensor.name), expected, found));
}

uint64_t checked_bytes(const std::string& path, const TensorView& tensor) {
  uint64_t n_values = 1;
  for (const int64_t size : tensor.shape) {
    if (size < 0 || __builtin_mul_overflow(n_values, static_cast<uint64_t>(size), &n_values)) {
      refuse_tensor(path, tensor, "a shape of sizes from 0 on", std::to_string(size));
    }
  }
  const std::size_t n_given = tensor.data.size() + tensor.doubles.size();
  if (n_values != n_given || (!tensor.data.empty() && !tensor.doubles.empty())) {
    refuse_tensor(path, tensor, fmt::format("{} values for its shape", n_values), std::to_string(n_given));
  }
  return tensor.data.size_bytes() + tensor.doubles.size_bytes();
}

/// The header, padded with spaces so that the data begins at a multiple of 8 bytes, as the official writer does.
std::string make_header(const std::string& path, const std::vector<TensorView>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    if (tensor.name == "__metadata__" || header.contains(tensor.name)) {
      refuse_tensor(path, tensor, "a name used once", "it again");
    }
    const uint64_t end = offset + checked_bytes(path, tensor);
    header[tensor.name] = {
        {"dtype", tensor.doubles.empty() ? "F32" : "F64"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[safetensors] {}: expected a header of at most {} bytes, got "
                                                        "{}; store fewer tensors or less metadata",
                                                        path, kMaxHeaderBytes, text.size()));
  }
  return text;
}

}  // namespace

const TensorFile::Tensor* TensorFile::find(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = make_header(path, tensors, metadata);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.append(&length, sizeof(length));
  file.append(header.data(), header.size());
  for (const TensorView& tensor : tensors) {
    file.append(tensor.data.data(), tensor.data.size_bytes());
    file.append(tensor.doubles.data(), tensor.doubles.size_bytes());
  }
  file.commit();
}

TensorFile read_safetensors(const std::string& path) {
  const ReadHandle file(path);
  return read_tensors([&file](uint64_t offset, void* out, std::size_t n_bytes) { file.read_at(offset, out, n_bytes); },
                      file.size(), path);
}

TensorFile parse_safetensors(std::span<const unsigned char> bytes, const std::string& name) {
  return read_tensors(
      [bytes](uint64_t offset, void* out, std::size_t n_bytes) {
        LOE_ASSERT(offset <= bytes.size() && n_bytes <= bytes.size() - offset);
        if (n_bytes != 0) {
          std::memcpy(out, bytes.data() + offset, n_bytes);
        }
      },
      bytes.size(), name);
}

}  // namespace loe
