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
/// A path as UTF-8, for TOML and JSON: itself, or, if it is no UTF-8 or begins like one, a file: URI
/// ("file:///a%E9.png") from which path_from_text gives it back byte by byte. Any other text is its own path.
std::string path_to_text(const std::string& path);
std::string path_from_text(const std::string& text);
/// Start of a name for what is made of a file or folder called `name`: UTF-8 of at most 200 bytes without leading dots,
/// slashes and control characters; "run" if nothing is left.
std::string safe_name(const std::string& name);

/// fsyncs and renames `from` to `to`, then fsyncs the folder. Error(Io) removes `from`.
void commit_file(const std::string& from, const std::string& to);

}  // namespace loe
