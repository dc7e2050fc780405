// Small files, written whole or not at all.
#pragma once

#include <string>
#include <vector>

namespace loe {

/// Whole content. Error(NotFound), Error(Io); Error(Format) if longer than max_bytes.
std::string read_text_file(const std::string& path, std::size_t max_bytes = std::size_t{16} << 20);

/// Writes to a temporary name beside `path`, fsyncs, renames. Error(Io) naming path and cause (full disk,
/// permissions); the temporary file is removed, an existing file stays as it was.
void write_file_atomically(const std::string& path, const void* data, std::size_t n_bytes);
void write_text_file(const std::string& path, const std::string& text);

/// A temporary name in the folder of `path`, keeping its extension: "dir/.loe-tmp-<pid>-<n>-name.png".
std::string temporary_path(const std::string& path);
/// fsyncs and renames `from` to `to`, then fsyncs the folder. Error(Io) removes `from`.
void commit_file(const std::string& from, const std::string& to);

}  // namespace loe
