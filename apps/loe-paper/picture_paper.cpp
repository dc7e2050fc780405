// Tables of pictures: error maps, and the seams between chunks.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "loe/fitting/pictures.h"
#include "loe/io/file.h"
#include "paper_kind.h"
#include "paper_results.h"
#include "paper_sections.h"

namespace loe::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSeamsFile = "seams.json";

Json seams_to_json(const SeamStats& seams) {
  return {{"border_mse", seams.border_mse},   {"interior_mse", seams.interior_mse},
          {"border_jump", seams.border_jump}, {"interior_jump", seams.interior_jump},
          {"chunk_mse", seams.chunk_mse},     {"chunk_spread_db", seams.chunk_spread_db}};
}

SeamStats read_seams(const std::string& path) {
  const Json json = read_run_json(path);
  SeamStats seams;
  seams.border_mse = run_number_or_nan(json, "border_mse", path);
  seams.interior_mse = run_number_or_nan(json, "interior_mse", path);
  seams.border_jump = run_number_or_nan(json, "border_jump", path);
  seams.interior_jump = run_number_or_nan(json, "interior_jump", path);
  seams.chunk_spread_db = run_number_or_nan(json, "chunk_spread_db", path);
  for (const Json& value : json.value("chunk_mse", Json::array())) {
    seams.chunk_mse.push_back(value.is_number() ? value.get<double>() : kNotMeasured);
  }
  return seams;
}

class PicturePaper : public PaperKind {
 public:
  const char* noun() const override { return "picture"; }
  int n_channels() const override { return 1; }
  const char* row_word() const override { return "layout"; }
  const char* sample_word() const override { return "pixel"; }
  const char* last_file() const override { return kSeamsFile; }

  void finish_run(const FinishedRun& run) const override {
    const Image& image = *run.signal.picture();
    SeamMeter meter(image.width(), image.height(), image.n_channels(), kSeamChunks);
    const std::size_t row_size = static_cast<std::size_t>(image.width()) * image.n_channels();
    const bool clip = is_integer_picture(image.type());
    std::vector<float> clipped(row_size);
    evaluate_image(run.model.main(), image,
                   [&](int first_row, int n_rows, const float* predicted, const float* target) {
                     for (int i = 0; i < n_rows; ++i) {
                       const float* row = predicted + i * row_size;
                       std::transform(row, row + row_size, clipped.begin(),
                                      [clip](float value) { return clip ? std::clamp(value, 0.0F, 1.0F) : value; });
                       meter.add_row(clipped.data(), target + i * row_size);
                     }
                     run.on_progress("measuring seams", static_cast<double>(first_row + n_rows) / image.height());
                   });
    write_text_file(run.folder + "/" + kSeamsFile, seams_to_json(meter.stats()).dump(2) + "\n");
  }

  void read_run(PaperRun& run) const override {
    const std::string path = run.folder + "/" + kSeamsFile;
    std::error_code error;
    if (std::filesystem::exists(path, error)) run.seams = read_seams(path);
  }

  void add_to_json(const PaperRun& run, Json& json) const override { json["seams"] = seams_to_json(run.seams); }

  const char* pictures_title() const override { return "Error maps"; }
  RunPictures read_pictures(const PaperReport&, const PaperRun& run) const override {
    return read_run_pictures(run.folder);
  }
  std::string pictures_text(const PaperReport&, const std::vector<const RunPictures*>& pictures) const override {
    int side = kDetailSide;
    for (const RunPictures* found : pictures) {
      if (found->detail) side = found->detail->width;
    }
    return fmt::format(
        "From top to bottom: reconstruction, mean absolute error over the channels, and {0} &#215; {0} pixels around "
        "the middle of the error map, where borders of chunks cross. Pixel values lie in 0..1; one scale for all, the "
        "same for the details. Large pictures are box-averaged.",
        side);
  }
  std::string own_section(const PaperReport& report) const override { return seams_section(report); }
};

}  // namespace

const PaperKind& picture_paper() {
  static const PicturePaper kind;
  return kind;
}

}  // namespace loe::app
