#include "loe/io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "io/file_handle.h"
#include "loe/base/error.h"

namespace loe {
namespace {

/// Larger requests than about 2 GiB are cut short by Linux in any case.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string file_name_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

/// Renaming over a device would replace it, over a folder fails late: both are refused before any work is done.
void require_file_or_nothing(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return;
  }
  if (S_ISDIR(status.st_mode)) {
    throw_io_error(path, "write a file", EISDIR);
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::Io, fmt::format("[file] {}: expected a file or a new name, got a device or pipe; "
                                           "write to a file and copy it from there",
                                           path));
  }
}

int open_file(const std::string& path) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    const int error_number = errno;
    if (error_number == ENOENT || error_number == ENOTDIR) {
      throw Error(ErrorKind::NotFound,
                  fmt::format("[file] {}: expected a file, got nothing of that name; check the spelling", path));
    }
    throw_io_error(path, "read", error_number);
  }
  return fd;
}

struct FileCloser {
  int fd;
  ~FileCloser() { ::close(fd); }
};

/// Some file systems cannot sync a folder, and a folder may be writable but not readable: the file is in place then.
void sync_folder(const std::string& path) {
  const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return;
  }
  const FileCloser closer{fd};
  if (::fsync(fd) != 0 && errno == EIO) {
    throw_io_error(path, "sync its folder", EIO);
  }
}

/// Syncs and renames; removes `from` if either fails.
void sync_and_rename(int fd, const std::string& from, const std::string& to) {
  try {
    if (::fsync(fd) != 0 && errno != EINVAL) {
      throw_io_error(to, "sync", errno);
    }
    require_file_or_nothing(to);
    if (::rename(from.c_str(), to.c_str()) != 0) {
      throw_io_error(to, "rename the finished file to this name", errno);
    }
  } catch (...) {
    ::unlink(from.c_str());
    throw;
  }
  sync_folder(to);
}

}  // namespace

std::string remedy_for(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another folder";
    case EFBIG:
      return "raise the file size limit (ulimit -f) or write less";
    case EACCES:
    case EPERM:
      return "change the permissions or choose another folder";
    case EROFS:
      return "choose a folder that is not read-only";
    case ENOENT:
    case ENOTDIR:
      return "create the folder first";
    case EISDIR:
      return "name a file, not a folder";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case EIO:
      return "check the disk";
    default:
      return "check the path and the disk";
  }
}

void throw_io_error(const std::string& path, const std::string& attempt, int error_number) {
  throw Error(ErrorKind::Io, fmt::format("[file] {}: expected to {}, got '{}'; {}", path, attempt,
                                         std::generic_category().message(error_number), remedy_for(error_number)));
}

ReadHandle::ReadHandle(const std::string& path) : path_(path), fd_(open_file(path)) {
  struct stat status {};
  const int result = ::fstat(fd_, &status);
  const int error_number = result != 0 ? errno : (S_ISDIR(status.st_mode) ? EISDIR : 0);
  if (error_number != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd_);
    if (error_number != 0) {
      throw_io_error(path, "read a file", error_number);
    }
    throw Error(ErrorKind::Io,
                fmt::format("[file] {}: expected a regular file, got a device or pipe; copy it to a file first", path));
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

ReadHandle::~ReadHandle() {
  ::close(fd_);
}

void ReadHandle::read_at(uint64_t offset, void* out, std::size_t n_bytes) const {
  auto* target = static_cast<char*>(out);
  while (n_bytes > 0) {
    const ssize_t n = ::pread(fd_, target, std::min(n_bytes, kMaxTransfer), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      throw_io_error(path_, fmt::format("read at byte {}", offset), errno);
    }
    if (n == 0) {
      throw Error(ErrorKind::Io, fmt::format("[file] {}: expected {} more bytes at byte {}, got the end of the file; "
                                             "it shrank while it was read, so try again",
                                             path_, n_bytes, offset));
    }
    target += n;
    offset += static_cast<uint64_t>(n);
    n_bytes -= static_cast<std::size_t>(n);
  }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  require_file_or_nothing(path);
  do {
    temporary_ = loe::temporary_path(path);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && (errno == EEXIST || errno == EINTR));
  if (fd_ < 0) {
    throw_io_error(path, "write", errno);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::append(const void* data, std::size_t n_bytes) {
  const auto* source = static_cast<const char*>(data);
  while (n_bytes > 0) {
    const ssize_t n = ::write(fd_, source, std::min(n_bytes, kMaxTransfer));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      throw_io_error(path_, fmt::format("write {} bytes after the first {}", n_bytes, n_written_),
                     n < 0 ? errno : ENOSPC);
    }
    source += n;
    n_written_ += static_cast<uint64_t>(n);
    n_bytes -= static_cast<std::size_t>(n);
  }
}

int AtomicFile::write_at(uint64_t offset, const void* data, std::size_t n_bytes) noexcept {
  const auto* source = static_cast<const char*>(data);
  while (n_bytes > 0) {
    const ssize_t n = ::pwrite(fd_, source, std::min(n_bytes, kMaxTransfer), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return n < 0 ? errno : ENOSPC;
    }
    source += n;
    offset += static_cast<uint64_t>(n);
    n_bytes -= static_cast<std::size_t>(n);
  }
  return 0;
}

void AtomicFile::commit() {
  const FileCloser closer{fd_};
  const int fd = fd_;
  fd_ = -1;
  sync_and_rename(fd, temporary_, path_);
}

std::string read_text_file(const std::string& path, std::size_t max_bytes) {
  const FileCloser closer{open_file(path)};
  std::string text;
  while (text.size() <= max_bytes) {
    const std::size_t old_size = text.size();
    const std::size_t n_wanted = std::min<std::size_t>(max_bytes - old_size + 1, std::size_t{64} << 10);
    text.resize(old_size + n_wanted);
    const ssize_t n = ::read(closer.fd, text.data() + old_size, n_wanted);
    const int error_number = errno;
    text.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && error_number != EINTR) {
      throw_io_error(path, "read a file", error_number);
    }
    if (n == 0) {
      return text;
    }
  }
  throw Error(ErrorKind::Format, fmt::format("[file] {}: expected at most {} bytes of text, got more; "
                                             "check that it is the right file",
                                             path, max_bytes));
}

void write_file_atomically(const std::string& path, const void* data, std::size_t n_bytes) {
  AtomicFile file(path);
  file.append(data, n_bytes);
  file.commit();
}

void write_text_file(const std::string& path, const std::string& text) {
  write_file_atomically(path, text.data(), text.size());
}

std::string temporary_path(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  std::string name = file_name_of(path);
  if (name.empty() || name == "." || name == "..") {
    throw_io_error(path, "write a file", EISDIR);
  }
  // A file name has at most 255 bytes; the end of a long one is kept, because the extension tells the format.
  constexpr std::size_t kMaxKept = 200;
  if (name.size() > kMaxKept && name.size() <= 255) {
    name = name.substr(name.size() - kMaxKept);
  }
  const std::size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  for (;;) {
    std::string candidate = fmt::format("{}.loe-tmp-{}-{}-{}", folder, ::getpid(), counter.fetch_add(1), name);
    struct stat status {};
    if (::lstat(candidate.c_str(), &status) != 0) {
      return candidate;
    }
  }
}

void commit_file(const std::string& from, const std::string& to) {
  const int fd = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error_number = errno;
    ::unlink(from.c_str());
    throw_io_error(to, "find its finished content", error_number);
  }
  const FileCloser closer{fd};
  sync_and_rename(fd, from, to);
}

}  // namespace loe
