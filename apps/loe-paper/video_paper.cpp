// Tables of videos: PSNR frame by frame, a few frames, and all rows side by side in one video.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "loe/io/image_file.h"
#include "paper_kind.h"
#include "paper_results.h"
#include "paper_video.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSourceFramesFile = "source_frames.png";
constexpr const char* kComparisonFile = "comparison.mp4";

class VideoPaper : public PaperKind {
 public:
  const char* noun() const override { return "video"; }
  int n_channels() const override { return 3; }
  const char* row_word() const override { return "network"; }
  const char* sample_word() const override { return "pixel"; }
  const Parts* parts() const override {
    static constexpr Parts kFrames = {"frame", "frames", "Frame by frame", "frames", "n_frames"};
    return &kFrames;
  }
  std::vector<Measure> measures() const override {
    return {{"psnr_frame_db", "", "frame mean", "frame mean", 2, &PaperRun::psnr_frame_db}};
  }
  std::vector<std::string> remarks(const PaperReport&) const override {
    return {"PSNR: of the squared error over all frames; frame mean: mean of the frames' PSNR."};
  }

  const char* last_file() const override { return kFrameErrorsFile; }
  void finish_run(const FinishedRun& run) const override {
    const Video& video = *run.signal.video();
    write_image(run.table_folder + "/" + kSourceFramesFile, stack_source_frames(video));
    write_shown_frames(run.model.main(), video, run.folder);
  }
  void read_run(PaperRun& run) const override {
    const std::string path = run.folder + "/result.json";
    run.psnr_frame_db = run_number_or_nan(read_run_json(path), "psnr_frame_db", path);
  }

  /// Source and the first seed of every row side by side, unless that is there already.
  void finish_table(const FinishedTable& table) const override {
    const std::string path = table.folder + "/" + kComparisonFile;
    std::error_code error;
    if (!table.has_new_runs && fs::exists(path, error)) return;
    std::vector<ComparisonColumn> columns;
    for (const FinishedTable::Run& run : table.runs) columns.push_back({run.title, run.folder + "/reconstruction.mp4"});
    const std::unique_ptr<FitSignal> signal = table.read_signal();
    write_comparison(*signal->video(), columns, path, [&](double done) { table.on_progress(path, done); });
  }
  void find_files(const std::string& folder, PaperReport& report) const override {
    std::error_code error;
    const std::string source = folder + "/" + kSourceFramesFile;
    if (fs::exists(source, error)) report.source_picture = source;
    if (!fs::exists(folder + "/" + kComparisonFile, error)) return;
    report.comparison = kComparisonFile;
    report.comparison_columns = {"source"};
    for (const PaperRow& row : report.rows) report.comparison_columns.push_back(row.title);
  }

  const char* pictures_title() const override { return "Frames and error maps"; }
  RunPictures read_pictures(const PaperReport& report, const PaperRun& run) const override {
    return read_run_stacks(run.folder, {kFramesFile, kFrameErrorsFile, nullptr}, report.n_parts);
  }
  std::string pictures_text(const PaperReport& report, const std::vector<const RunPictures*>&) const override {
    return fmt::format(
        "From top to bottom: {}, then their mean absolute errors over the channels. Pixel values lie in 0..1; one "
        "scale "
        "for all. Large frames are box-averaged.",
        shown_parts_text(report));
  }
  const char* slice_text() const override { return "at the middle of the clip"; }
};

}  // namespace

const PaperKind& video_paper() {
  static const VideoPaper kind;
  return kind;
}

}  // namespace loe::app
