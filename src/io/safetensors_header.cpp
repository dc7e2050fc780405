#include "io/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "io/text.h"
#include "loe/base/error.h"

namespace loe {
namespace {

constexpr std::size_t kMaxRank = 32;

[[noreturn]] void fail(const std::string& path, const std::string& expected, const std::string& found) {
  throw Error(ErrorKind::Format, fmt::format("[safetensors] {}: expected {}, got {}; the file is damaged or not "
                                             "safetensors, so take another copy",
                                             path, expected, found));
}

/// Receives the header as events: nothing is built that the format does not allow, nesting stops at depth 3, and
/// duplicate keys, which a DOM would swallow, are seen.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(const std::string& path, TensorHeader& header) : path_(path), header_(header) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override { return unexpected(fmt::format("the number {}", value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return unexpected(fmt::format("the number {}", printable(text)));
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::Shape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) || entry_.shape.size() == kMaxRank) {
        fail(path_, fmt::format("{}: at most {} dimensions below 2^63", tensor(), kMaxRank), std::to_string(value));
      }
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::Offsets && n_offsets_ < 2) {
      (n_offsets_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return unexpected(fmt::format("the number {}", value));
  }

  bool string(string_t& value) override {
    if (place_ == Place::Metadata) {
      header_.metadata.emplace(key_, std::move(value));
      return true;
    }
    if (place_ == Place::Tensor && key_ == "dtype") {
      set_type(value);
      return true;
    }
    return unexpected(fmt::format("the text '{}'", printable(value)));
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::Start) {
      place_ = Place::Top;
    } else if (place_ == Place::Top) {
      place_ = key_ == "__metadata__" ? Place::Metadata : Place::Tensor;
      entry_ = TensorEntry{};
      entry_.name = key_;
      keys_.clear();
      n_offsets_ = 0;
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool key(string_t& value) override {
    key_ = std::move(value);
    std::set<std::string>& seen = place_ == Place::Top ? names_ : keys_;
    if (!seen.insert(key_).second) {
      fail(path_, "every key of the header once", fmt::format("'{}' twice", printable(key_)));
    }
    if (place_ == Place::Tensor && key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      fail(path_, fmt::format("{}: the keys dtype, shape and data_offsets", tensor()),
           fmt::format("'{}'", printable(key_)));
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::Tensor) {
      if (keys_.size() != 3 || n_offsets_ != 2) {
        fail(path_, fmt::format("{}: dtype, shape and two data_offsets", tensor()),
             fmt::format("{} keys and {} offsets", keys_.size(), n_offsets_));
      }
      header_.entries.push_back(std::move(entry_));
    }
    place_ = Place::Top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::Tensor && key_ == "shape") {
      place_ = Place::Shape;
    } else if (place_ == Place::Tensor && key_ == "data_offsets") {
      place_ = Place::Offsets;
    } else {
      return unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::Tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(path_, "a JSON header", fmt::format("a syntax error at byte {}", position + 7));
  }

 private:
  enum class Place { Start, Top, Metadata, Tensor, Shape, Offsets };

  std::string tensor() const { return fmt::format("tensor '{}'", printable(entry_.name)); }

  [[noreturn]] bool unexpected(const std::string& found) const {
    switch (place_) {
      case Place::Start:
        fail(path_, "a JSON object as header", found);
      case Place::Top:
        fail(path_, fmt::format("an object under the key '{}'", printable(key_)), found);
      case Place::Metadata:
        fail(path_, fmt::format("text as metadata '{}'", printable(key_)), found);
      case Place::Tensor:
        fail(path_, fmt::format("{}: dtype as text, shape and data_offsets as lists", tensor()),
             fmt::format("{} as {}", found, printable(key_)));
      case Place::Shape:
        fail(path_, fmt::format("{}: a shape of whole numbers from 0 on", tensor()), found);
      case Place::Offsets:
        break;
    }
    fail(path_, fmt::format("{}: two data_offsets, whole numbers from 0 on", tensor()), found);
  }

  void set_type(const std::string& text) {
    if (text == "F32") {
      entry_.type = TensorType::F32;
    } else if (text == "F16") {
      entry_.type = TensorType::F16;
    } else if (text == "BF16") {
      entry_.type = TensorType::BF16;
    } else if (text == "F64") {
      entry_.type = TensorType::F64;
    } else {
      throw Error(ErrorKind::Format, fmt::format("[safetensors] {}: {}: expected dtype F32, F16, BF16 or F64, got "
                                                 "'{}'; convert the tensor to F32",
                                                 path_, tensor(), printable(text)));
    }
  }

  const std::string& path_;
  TensorHeader& header_;
  Place place_ = Place::Start;
  TensorEntry entry_;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> keys_;
  int n_offsets_ = 0;
};

/// Sets n_values; the shape must account for every byte between the offsets.
void check_entry(TensorEntry& entry, uint64_t n_data_bytes, const std::string& path) {
  const std::string tensor = fmt::format("tensor '{}'", printable(entry.name));
  if (entry.begin > entry.end || entry.end > n_data_bytes) {
    fail(path, fmt::format("{}: offsets in order, within the {} bytes of data", tensor, n_data_bytes),
         fmt::format("{} to {}", entry.begin, entry.end));
  }
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  uint64_t n_bytes = empty ? 0 : static_cast<uint64_t>(bytes_per_value(entry.type));
  bool overflow = false;
  for (const int64_t size : entry.shape) {
    overflow = overflow || __builtin_mul_overflow(n_bytes, static_cast<uint64_t>(size), &n_bytes);
  }
  if (overflow || n_bytes != entry.end - entry.begin) {
    fail(path,
         overflow ? fmt::format("{}: a shape below 2^64 bytes", tensor)
                  : fmt::format("{}: {} bytes for its shape", tensor, n_bytes),
         fmt::format("{} bytes between its offsets", entry.end - entry.begin));
  }
  entry.n_values = static_cast<int64_t>(n_bytes / static_cast<uint64_t>(bytes_per_value(entry.type)));
}

}  // namespace

int bytes_per_value(TensorType type) {
  switch (type) {
    case TensorType::F16:
    case TensorType::BF16:
      return 2;
    case TensorType::F32:
      return 4;
    case TensorType::F64:
      return 8;
  }
  return 0;
}

uint64_t check_header_length(const unsigned char (&prefix)[8], uint64_t file_size, const std::string& path) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) {
    length = length << 8 | prefix[i];
  }
  if (length > kMaxHeaderBytes || length > file_size - sizeof(prefix)) {
    fail(path, fmt::format("at byte 0 a header length of at most {}", std::min(kMaxHeaderBytes, file_size - 8)),
         std::to_string(length));
  }
  return length;
}

TensorHeader parse_safetensors_header(std::string_view json, uint64_t n_data_bytes, const std::string& path) {
  if (json.empty() || json.front() != '{') {
    fail(path, "at byte 8 a JSON object", json.empty() ? "an empty header" : "something else");
  }
  // The parser takes a zero byte for the end and would ignore what follows it.
  if (const std::size_t zero = json.find('\0'); zero != std::string_view::npos) {
    fail(path, "a JSON header", fmt::format("a syntax error at byte {}", zero + 8));
  }
  TensorHeader header;
  HeaderReader reader(path, header);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t position = 0;
  for (TensorEntry& entry : header.entries) {
    check_entry(entry, n_data_bytes, path);
    if (entry.begin != position) {
      fail(path, fmt::format("tensor '{}' to begin at byte {} of the data", printable(entry.name), position),
           fmt::format("byte {} ({})", entry.begin, entry.begin < position ? "an overlap" : "a gap"));
    }
    position = entry.end;
  }
  if (position != n_data_bytes) {
    fail(path, fmt::format("{} bytes of data after byte {}, as the header says", position, 8 + json.size()),
         std::to_string(n_data_bytes));
  }
  return header;
}

}  // namespace loe
