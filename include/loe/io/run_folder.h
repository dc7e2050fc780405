// The folder of one training: its layout, its checkpoints and the files that grow line by line (docs/cli.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace loe {

/// A text file that only grows, by whole lines. A line that cannot be written whole is taken back, so that the file
/// never ends in half a line.
class LineFile {
 public:
  /// Opens for appending, creating if needed. Error(Io) naming path and cause.
  explicit LineFile(const std::string& path);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// Appends `line` and a newline in one write. Error(Io) naming path and cause (full disk).
  void append(const std::string& line);

 private:
  std::string path_;
  int descriptor_;
};

/// New folder parent/<name>-<YYYYmmdd-HHMMSS> (local time), with -2, -3, ... appended if it exists already.
/// Error(InvalidArgument) if name is empty, contains '/' or starts with '.'; Error(Io) if it cannot be created.
std::string create_dated_folder(const std::string& parent, const std::string& name);

/// One training's folder. Nothing in it is ever deleted by us except through a replacement under the same name.
///
///   config.toml environment.json log.txt metrics.jsonl result.json model.safetensors
///   checkpoints/step-000005000.safetensors  last.safetensors (link to the newest)  best.safetensors
///   images/step-000005000.png  error/step-000005000.png  reconstruction.<ext>  error.png
///
/// While an object lives it holds a lock on the folder, so that two trainings never write to one run.
class RunFolder {
 public:
  /// In a create_dated_folder.
  static RunFolder create(const std::string& parent, const std::string& name);
  /// New folder at exactly `path`. If there is something in it: Error(InvalidArgument) unless `reuse`; with `reuse` the
  /// files of the older run move to path/previous-<n>, other files stay.
  static RunFolder create_at(const std::string& path, bool reuse);
  /// An existing run, to continue it. Error(NotFound) if there is none, Error(Io) if another process holds its lock.
  static RunFolder open(const std::string& path);
  /// Whether `path` is a folder that holds a run (its config.toml).
  static bool is_run(const std::string& path);

  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  const std::string& path() const { return path_; }
  /// Path of a file directly in the folder.
  std::string file(const std::string& name) const;
  std::string image_path(int64_t step) const;
  std::string error_path(int64_t step) const;
  std::string checkpoint_path(int64_t step) const;
  std::string best_checkpoint_path() const;

  /// Points checkpoints/last.safetensors at the checkpoint of `step` (relative symbolic link, replaced atomically).
  /// Returns false on file systems without links: the newest number is the last one all the same.
  bool mark_last(int64_t step) const;

 private:
  RunFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  static RunFolder prepare(const std::string& path);

  std::string path_;
  int lock_;
};

struct CheckpointFile {
  int64_t step = 0;
  std::string path;
};
/// Checkpoints of the run at `run_path`, newest first; other names are skipped. Empty if there are none.
std::vector<CheckpointFile> list_checkpoints(const std::string& run_path);

/// Rewrites a metrics.jsonl without the lines whose "step" is larger than `step` and without lines that are no JSON
/// object (a line cut by a crash). Keeps everything if nothing is to drop; a missing file is fine. Atomic.
void drop_metrics_after(const std::string& path, int64_t step);

}  // namespace loe
