// File descriptors with owners: reading at offsets, and files that appear whole or not at all.
#pragma once

#include <cstdint>
#include <string>

namespace loe {

/// A regular file open for reading. Error(NotFound), Error(Io).
class ReadHandle {
 public:
  explicit ReadHandle(const std::string& path);
  ~ReadHandle();
  ReadHandle(const ReadHandle&) = delete;
  ReadHandle& operator=(const ReadHandle&) = delete;

  uint64_t size() const { return size_; }
  /// Exactly n_bytes from `offset`. Error(Io) if the file ends before (it shrank since it was opened).
  void read_at(uint64_t offset, void* out, std::size_t n_bytes) const;

 private:
  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

/// A file under a temporary name that takes its final name in commit(); without commit() it vanishes.
class AtomicFile {
 public:
  /// Error(Io) if `path` cannot become a file: missing or unwritable folder, or something other than a file is there.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Where the content is until commit().
  const std::string& temporary_path() const { return temporary_; }
  void append(const void* data, std::size_t n_bytes);
  /// For C libraries that no exception may cross: the errno value, 0 if all was written.
  int write_at(uint64_t offset, const void* data, std::size_t n_bytes) noexcept;
  /// Closes, syncs, renames.
  void commit();

 private:
  std::string path_;
  std::string temporary_;
  int fd_ = -1;
  uint64_t n_written_ = 0;
};

/// Error(Io) "[file] <path>: expected to <attempt>, got <cause>; <remedy>", cause and remedy from the errno value.
[[noreturn]] void throw_io_error(const std::string& path, const std::string& attempt, int error_number);

/// What to do about an errno value.
std::string remedy_for(int error_number);

}  // namespace loe
