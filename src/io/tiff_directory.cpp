#include "io/tiff_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "loe/base/error.h"

namespace loe {
namespace {

/// Files of more pages than this are read too, but not looked at further on.
constexpr std::size_t kMaxPages = 4096;
constexpr std::size_t kMaxChildren = 64;
constexpr uint64_t kMaxEntries = 4096;

enum Tag : uint32_t {
  kNewSubfileType = 254,
  kSubfileType = 255,
  kWidth = 256,
  kHeight = 257,
  kBitsPerSample = 258,
  kPhotometric = 262,
  kOrientation = 274,
  kSamplesPerPixel = 277,
  kSubDirectories = 330,
  kExtraSamples = 338,
  kGdalNodata = 42113,
  kDngVersion = 50706,
};
enum Photometric : uint32_t { kMask = 4, kFilterArray = 32803, kLinearRaw = 34892 };

/// Where bytes come from: a file, or a block in memory.
class Bytes {
 public:
  explicit Bytes(const ReadHandle& file) : file_(&file), size_(file.size()) {}
  explicit Bytes(std::span<const unsigned char> block) : block_(block), size_(block.size()) {}
  uint64_t size() const { return size_; }
  bool read(uint64_t offset, void* out, std::size_t n) const {
    if (offset > size_ || n > size_ - offset) {
      return false;
    }
    if (file_ != nullptr) {
      file_->read_at(offset, out, n);
    } else {
      std::memcpy(out, block_.data() + offset, n);
    }
    return true;
  }

 private:
  const ReadHandle* file_ = nullptr;
  std::span<const unsigned char> block_;
  uint64_t size_;
};

uint64_t number(const unsigned char* bytes, std::size_t n, bool is_little_endian) {
  uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) {
    value = value << 8 | bytes[is_little_endian ? n - 1 - i : i];
  }
  return value;
}

struct Layout {
  bool is_big = false;
  bool is_little_endian = true;
  std::size_t count_bytes() const { return is_big ? 8 : 2; }
  std::size_t entry_bytes() const { return is_big ? 20 : 12; }
  std::size_t offset_bytes() const { return is_big ? 8 : 4; }
  uint64_t get(const unsigned char* bytes, std::size_t n) const { return number(bytes, n, is_little_endian); }
  void put(uint64_t value, std::size_t n, std::vector<unsigned char>& out) const {
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t shift = 8 * (is_little_endian ? i : n - 1 - i);
      out.push_back(static_cast<unsigned char>(value >> shift));
    }
  }
};

std::size_t type_bytes(uint64_t type) {
  constexpr std::size_t kBytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

/// One entry's values, at most `most` of them; as bytes for text.
class Entry {
 public:
  Entry(const Bytes& bytes, const Layout& layout, const unsigned char* at) : layout_(layout) {
    tag = static_cast<uint32_t>(layout.get(at, 2));
    type_ = layout.get(at + 2, 2);
    const std::size_t n_offset = layout.offset_bytes();
    const uint64_t count = layout.get(at + 4, n_offset);
    const std::size_t size = type_bytes(type_);
    constexpr uint64_t kMost = 256;
    const auto n = static_cast<std::size_t>(std::min(count, kMost));
    values_.resize(n * size);
    const unsigned char* field = at + 4 + n_offset;
    if (values_.empty()) {
      return;
    }
    if (count <= n_offset / size) {
      std::memcpy(values_.data(), field, values_.size());
    } else if (!bytes.read(layout.get(field, n_offset), values_.data(), values_.size())) {
      values_.clear();
    }
  }
  std::vector<uint64_t> numbers() const {
    std::vector<uint64_t> result;
    const std::size_t size = type_bytes(type_);
    const bool is_whole = type_ == 1 || type_ == 3 || type_ == 4 || type_ == 13 || type_ >= 16;
    for (std::size_t i = 0; is_whole && size > 0 && i + size <= values_.size(); i += size) {
      result.push_back(layout_.get(values_.data() + i, size));
    }
    return result;
  }
  uint32_t first(uint32_t fallback) const {
    const std::vector<uint64_t> all = numbers();
    return all.empty() || all[0] > UINT32_MAX ? fallback : static_cast<uint32_t>(all[0]);
  }
  std::string text() const { return {values_.begin(), values_.end()}; }

  uint32_t tag = 0;

 private:
  Layout layout_;
  uint64_t type_ = 0;
  std::vector<unsigned char> values_;
};

void apply(const Entry& entry, TiffDirectory& directory) {
  switch (entry.tag) {
    case kNewSubfileType:
      directory.is_reduced = directory.is_reduced || (entry.first(0) & 1U) != 0;
      directory.is_mask = directory.is_mask || (entry.first(0) & 4U) != 0;
      break;
    case kSubfileType:
      directory.is_reduced = directory.is_reduced || entry.first(0) == 2;
      break;
    case kWidth:
      directory.width = entry.first(0);
      break;
    case kHeight:
      directory.height = entry.first(0);
      break;
    case kBitsPerSample:
      directory.states_bits = true;
      break;
    case kPhotometric:
      directory.photometric = entry.first(1);
      break;
    case kOrientation:
      directory.orientation = entry.first(1);
      break;
    case kSamplesPerPixel:
      directory.n_samples = entry.first(1);
      break;
    case kSubDirectories:
      directory.children = entry.numbers();
      break;
    case kExtraSamples:
      for (const uint64_t value : entry.numbers()) {
        directory.extra_samples.push_back(static_cast<uint32_t>(value));
      }
      break;
    case kGdalNodata: {
      const std::string text = entry.text();
      char* end = nullptr;
      const double value = std::strtod(text.c_str(), &end);
      if (end != text.c_str() && std::isfinite(value)) {
        directory.nodata = value;
      }
      break;
    }
    default:
      break;
  }
}

/// A directory's entries as stored; empty if they leave the bytes.
std::vector<unsigned char> read_entries(const Bytes& bytes, const Layout& layout, const TiffDirectory& directory) {
  std::vector<unsigned char> entries(directory.n_entries * layout.entry_bytes());
  const bool is_whole = bytes.read(directory.offset + layout.count_bytes(), entries.data(), entries.size());
  return is_whole ? entries : std::vector<unsigned char>();
}

/// A directory and the offset of the next one; false if it leaves the bytes.
bool read_directory(const Bytes& bytes, const Layout& layout, uint64_t offset, TiffDirectory& directory, uint64_t& next,
                    bool& is_dng) {
  unsigned char head[8] = {};
  if (!bytes.read(offset, head, layout.count_bytes())) {
    return false;
  }
  directory.offset = offset;
  directory.n_entries = layout.get(head, layout.count_bytes());
  if (directory.n_entries == 0 || directory.n_entries > kMaxEntries) {
    return false;
  }
  const std::vector<unsigned char> entries = read_entries(bytes, layout, directory);
  if (entries.empty()) {
    return false;
  }
  const uint64_t start = offset + layout.count_bytes();
  for (uint64_t i = 0; i < directory.n_entries; ++i) {
    const Entry entry(bytes, layout, entries.data() + i * layout.entry_bytes());
    is_dng = is_dng || entry.tag == kDngVersion;
    apply(entry, directory);
  }
  directory.is_mask = directory.is_mask || directory.photometric == kMask;
  directory.is_raw = directory.photometric == kFilterArray || directory.photometric == kLinearRaw;
  unsigned char tail[8] = {};
  next = bytes.read(start + entries.size(), tail, layout.offset_bytes()) ? layout.get(tail, layout.offset_bytes()) : 0;
  return true;
}

bool read_header(const Bytes& bytes, Layout& layout, uint64_t& first) {
  unsigned char head[16] = {};
  if (!bytes.read(0, head, 8)) {
    return false;
  }
  layout.is_little_endian = head[0] == 'I';
  layout.is_big = layout.get(head + 2, 2) == 43;
  if (layout.is_big && !bytes.read(0, head, 16)) {
    return false;
  }
  first = layout.is_big ? layout.get(head + 8, 8) : layout.get(head + 4, 4);
  return (head[0] == 'I' && head[1] == 'I') || (head[0] == 'M' && head[1] == 'M');
}

[[noreturn]] void fail(const std::string& path, const std::string& expected, uint64_t offset) {
  throw Error(ErrorKind::Format,
              fmt::format("[image] {}: expected {}, got something else at byte {}; it is damaged or truncated, so take "
                          "another copy",
                          path, expected, offset));
}

/// In double: 2^32 x 2^32 pixels of a hostile directory overflow 64 bits with a sign.
double area(const TiffDirectory& directory) {
  return static_cast<double>(directory.width) * directory.height;
}

/// Whether `small` looks like `large`, but half as large or smaller: thumbnails that do not say so.
bool looks_reduced(const TiffDirectory& small, const TiffDirectory& large) {
  if (small.width == 0 || small.height == 0 || large.width / 2 < small.width || small.n_samples != large.n_samples) {
    return false;
  }
  const double factor = static_cast<double>(large.width) / small.width;
  return std::abs(large.height / factor - small.height) <= 1;
}

/// The first page that is no reduced copy, or the largest one that it looks like a copy of; the largest child where all
/// pages are copies; else the largest page.
void choose(TiffFile& tiff) {
  const auto is_picture = [](const TiffDirectory& directory) { return !directory.is_reduced && !directory.is_mask; };
  tiff.n_pictures = static_cast<int>(std::count_if(tiff.pages.begin(), tiff.pages.end(), is_picture));
  const auto first = std::find_if(tiff.pages.begin(), tiff.pages.end(), is_picture);
  if (first != tiff.pages.end()) {
    tiff.page = static_cast<int>(first - tiff.pages.begin());
    for (std::size_t i = 0; i < tiff.pages.size(); ++i) {
      const bool is_larger = is_picture(tiff.pages[i]) && looks_reduced(*first, tiff.pages[i]);
      if (is_larger && area(tiff.pages[i]) > area(tiff.main())) tiff.page = static_cast<int>(i);
    }
    tiff.n_pictures -=
        static_cast<int>(std::count_if(tiff.pages.begin(), tiff.pages.end(), [&](const TiffDirectory& page) {
          return is_picture(page) && looks_reduced(page, tiff.main());
        }));
    return;
  }
  const auto smaller = [](const TiffDirectory& a, const TiffDirectory& b) { return area(a) < area(b); };
  const auto largest = std::max_element(tiff.pages.begin(), tiff.pages.end(), smaller);
  tiff.page = static_cast<int>(largest - tiff.pages.begin());
  for (std::size_t i = 0; i < tiff.children.size(); ++i) {
    if (is_picture(tiff.children[i]) && area(tiff.children[i]) > area(tiff.main())) {
      tiff.child = static_cast<int>(i);
    }
  }
}

/// A file with another header and something behind its end.
class RepairedFile : public OIIO::Filesystem::IOProxy {
 public:
  RepairedFile(const ReadHandle& file, std::vector<unsigned char> head, std::vector<unsigned char> tail)
      : IOProxy("repaired.tif", Read), file_(file), head_(std::move(head)), tail_(std::move(tail)) {
    tail_at_ = (file_.size() + 1) / 2 * 2;
  }
  const char* proxytype() const override { return "loe-repaired"; }
  void close() override {}
  size_t read(void* out, size_t n_bytes) override {
    const size_t n = pread(out, n_bytes, m_pos);
    m_pos += static_cast<int64_t>(n);
    return n;
  }
  size_t pread(void* out, size_t n_bytes, int64_t offset) override {
    if (offset < 0 || static_cast<uint64_t>(offset) >= size()) {
      return 0;
    }
    const auto begin = static_cast<uint64_t>(offset);
    const size_t n = static_cast<size_t>(std::min<uint64_t>(n_bytes, size() - begin));
    auto* target = static_cast<unsigned char*>(out);
    std::memset(target, 0, n);
    if (begin < file_.size()) {
      try {
        file_.read_at(begin, target, static_cast<size_t>(std::min<uint64_t>(n, file_.size() - begin)));
      } catch (const Error&) {
        return 0;
      }
    }
    overlay(head_, 0, begin, n, target);
    overlay(tail_, tail_at_, begin, n, target);
    return n;
  }
  size_t size() const override { return static_cast<size_t>(tail_at_ + tail_.size()); }

 private:
  static void overlay(const std::vector<unsigned char>& piece, uint64_t piece_at, uint64_t begin, size_t n,
                      unsigned char* target) {
    const uint64_t from = std::max(begin, piece_at);
    const uint64_t to = std::min(begin + n, piece_at + piece.size());
    if (from < to) {
      std::memcpy(target + (from - begin), piece.data() + (from - piece_at), to - from);
    }
  }

  const ReadHandle& file_;
  std::vector<unsigned char> head_;
  std::vector<unsigned char> tail_;
  uint64_t tail_at_ = 0;
};

}  // namespace

TiffFile read_tiff_directories(const ReadHandle& file, const std::string& path) {
  const Bytes bytes(file);
  Layout layout;
  uint64_t offset = 0;
  if (!read_header(bytes, layout, offset)) {
    fail(path, "a TIFF header", 0);
  }
  TiffFile tiff;
  // Canon's CR2 looks like a TIFF with a preview, but for two letters behind the header.
  char mark[2] = {};
  tiff.is_raw = bytes.read(8, mark, sizeof(mark)) && mark[0] == 'C' && mark[1] == 'R' && !layout.is_big;
  tiff.is_big = layout.is_big;
  tiff.is_little_endian = layout.is_little_endian;
  std::vector<uint64_t> seen;
  while (offset != 0 && tiff.pages.size() < kMaxPages) {
    TiffDirectory directory;
    uint64_t next = 0;
    if (std::find(seen.begin(), seen.end(), offset) != seen.end() ||
        !read_directory(bytes, layout, offset, directory, next, tiff.is_dng)) {
      if (tiff.pages.empty()) {
        fail(path, "a TIFF directory", offset);
      }
      break;  // the pages before are whole; the decoder will not come here
    }
    seen.push_back(offset);
    tiff.pages.push_back(std::move(directory));
    offset = next;
  }
  if (tiff.pages.empty()) {
    fail(path, "a TIFF directory", 0);
  }
  for (const TiffDirectory& page : tiff.pages) {
    tiff.is_raw = tiff.is_raw || page.is_raw;
    for (const uint64_t child : page.children) {
      TiffDirectory directory;
      uint64_t next = 0;
      bool is_dng = false;
      if (tiff.children.size() < kMaxChildren && read_directory(bytes, layout, child, directory, next, is_dng)) {
        tiff.is_raw = tiff.is_raw || directory.is_raw;
        tiff.children.push_back(std::move(directory));
      }
    }
  }
  choose(tiff);
  return tiff;
}

int exif_orientation(std::span<const unsigned char> block) {
  const Bytes bytes(block);
  Layout layout;
  uint64_t offset = 0;
  TiffDirectory directory;
  uint64_t next = 0;
  bool is_dng = false;
  if (!read_header(bytes, layout, offset) || !read_directory(bytes, layout, offset, directory, next, is_dng)) {
    return 1;
  }
  return directory.orientation >= 1 && directory.orientation <= 8 ? static_cast<int>(directory.orientation) : 1;
}

std::unique_ptr<OIIO::Filesystem::IOProxy> repaired_tiff(const ReadHandle& file, const TiffFile& tiff) {
  const TiffDirectory& main = tiff.main();
  const bool lacks_bits = !main.states_bits && main.n_samples == 1;
  if (!lacks_bits && tiff.child < 0) {
    return nullptr;
  }
  const Layout layout{tiff.is_big, tiff.is_little_endian};
  const std::size_t n_entry = layout.entry_bytes();
  const std::vector<unsigned char> entries = read_entries(Bytes(file), layout, main);
  std::vector<unsigned char> tail;
  layout.put(main.n_entries + (lacks_bits ? 1 : 0), layout.count_bytes(), tail);
  bool is_added = !lacks_bits;
  const auto add_bits = [&] {
    layout.put(kBitsPerSample, 2, tail);
    layout.put(3, 2, tail);
    layout.put(1, layout.offset_bytes(), tail);
    layout.put(1, 2, tail);
    tail.insert(tail.end(), layout.offset_bytes() - 2, 0);
    is_added = true;
  };
  for (uint64_t i = 0; i < main.n_entries && !entries.empty(); ++i) {
    const unsigned char* entry = entries.data() + i * n_entry;
    if (!is_added && layout.get(entry, 2) > kBitsPerSample) {
      add_bits();
    }
    tail.insert(tail.end(), entry, entry + n_entry);
  }
  if (!is_added) {
    add_bits();
  }
  layout.put(0, layout.offset_bytes(), tail);
  // The header up to where the first directory's offset stands.
  std::vector<unsigned char> head(tiff.is_big ? 8 : 4);
  file.read_at(0, head.data(), head.size());
  layout.put((file.size() + 1) / 2 * 2, layout.offset_bytes(), head);
  return std::make_unique<RepairedFile>(file, std::move(head), std::move(tail));
}

}  // namespace loe
