// Table 4: generators. Their distances to the data, sample sheets, and the noise that they leave at fixed places.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "gan_report.h"
#include "loe/io/image_file.h"
#include "loe/task/gan_task.h"
#include "paper_kind.h"
#include "paper_results.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSourceFile = "source_pictures.png";
constexpr const char* kNoiseFile = "noise_pattern.png";
constexpr const char* kSamplesFile = "samples.png";
constexpr const char* kNoiseGroup = "fixed noise";
constexpr int kNoisePictures = 512;
/// Pictures per side of the sheet of the data.
constexpr int kSourceSide = 8;
/// Of the mean high-passed picture: this value of it is white, its negative black.
constexpr double kNoiseScale = 0.05;

/// The first pictures of the set as a sheet.
Image source_sheet(const PictureSet& set) {
  const int side = set.resolution();
  Image sheet(kSourceSide * side, kSourceSide * side, 3, PixelType::U8);
  std::vector<float> row(3 * static_cast<std::size_t>(side));
  const int64_t n = std::min<int64_t>(set.size(), kSourceSide * kSourceSide);
  for (int64_t i = 0; i < n; ++i) {
    const std::span<const uint8_t> picture = set.picture(i);
    for (int y = 0; y < side; ++y) {
      for (std::size_t k = 0; k < row.size(); ++k) {
        row[k] = static_cast<float>(picture[static_cast<std::size_t>(y) * row.size() + k]) / 255;
      }
      sheet.write_row(static_cast<int>(i % kSourceSide) * side, static_cast<int>(i / kSourceSide) * side + y, side,
                      row.data());
    }
  }
  return sheet;
}

/// Mean high-passed picture of a generator, grey where there is nothing.
Image noise_picture(Executor& generator, int side, const std::function<void(double)>& on_share) {
  ThreadPool pool(generator.n_threads());
  NoisePatternMeter meter(side, side);
  std::vector<float> values;
  for_generated_pictures(generator, kNoisePictures, side, 0,
                         [&](int64_t first, int64_t count, std::span<const uint8_t> pictures) {
                           values.resize(pictures.size());
                           std::transform(pictures.begin(), pictures.end(), values.begin(),
                                          [](uint8_t value) { return static_cast<float>(value) / 255; });
                           meter.add(values, pool);
                           on_share(static_cast<double>(first + count) / kNoisePictures);
                         });
  const NoisePatternStats stats = meter.stats();
  Image picture(side, side, 3, PixelType::U8);
  std::vector<float> row(3 * static_cast<std::size_t>(side));
  for (int y = 0; y < side; ++y) {
    for (std::size_t k = 0; k < row.size(); ++k) {
      const double value = stats.mean_high_pass[static_cast<std::size_t>(y) * row.size() + k];
      row[k] = static_cast<float>(std::clamp(0.5 + 0.5 * value / kNoiseScale, 0.0, 1.0));
    }
    picture.write_row(0, y, side, row.data());
  }
  return picture;
}

class GanPaper : public PaperKind {
 public:
  const char* noun() const override { return "pictures"; }
  int n_channels() const override { return 3; }
  const char* row_word() const override { return "generator"; }
  const char* sample_word() const override { return "pixel"; }
  const Headline& headline() const override {
    static constexpr Headline kDistance = {"sliced_wasserstein",
                                           "sliced Wasserstein × 1000",
                                           "SWD x 1000",
                                           " SWD",
                                           "fid",
                                           "paper's FID",
                                           false,
                                           "eval_sliced_wasserstein",
                                           "Sliced Wasserstein distance of the evaluations during the training."};
    return kDistance;
  }
  double read_headline(const Json& result, const std::string& path) const override {
    const auto distances = result.find("distances");
    return run_number(distances != result.end() && distances->is_object() ? *distances : Json::object(), headline().key,
                      path);
  }
  bool has_ssim() const override { return false; }
  bool has_error_maps() const override { return false; }
  const char* extra_title() const override { return "Mean detail"; }
  std::vector<Measure> measures() const override {
    return {{"random_frechet", "", "Frechet, random network", "Frechet rnd", 3, &PaperRun::random_frechet},
            {"pattern_rms", kNoiseGroup, "RMS", "noise RMS", 4, &PaperRun::pattern_rms},
            {"data_pattern_rms", kNoiseGroup, "of the data", "data RMS", 4, &PaperRun::data_pattern_rms}};
  }
  std::vector<std::string> remarks(const PaperReport&) const override {
    return {
        "Neither distance is the FID that the paper prints: FID needs the weights of a trained network (loe eval "
        "--fid-network). All are better when smaller.",
        "Fixed noise: RMS of detail that all pictures have at the same place, data range 1; the data's own faces are "
        "aligned and have some."};
  }

  const char* last_file() const override { return kNoiseFile; }
  void finish_run(const FinishedRun& run) const override {
    write_image(run.table_folder + "/" + kSourceFile, source_sheet(*run.signal.pictures()));
    const Image noise = noise_picture(run.model.main(), run.signal.pictures()->resolution(),
                                      [&](double done) { run.on_progress("averaging generated pictures", done); });
    write_image(run.folder + "/" + kNoiseFile, noise);
  }
  void read_run(PaperRun& run) const override {
    const std::string path = run.folder + "/result.json";
    const Json json = read_run_json(path);
    const auto part = [&](const char* key) { return json.value(key, Json::object()); };
    run.random_frechet = run_number(part("distances"), "random_frechet", path);
    run.pattern_rms = run_number(part("noise_pattern"), "pattern_rms", path);
    run.data_pattern_rms = run_number(part("noise_pattern"), "data_pattern_rms", path);
  }
  void find_files(const std::string& folder, PaperReport& report) const override {
    std::error_code error;
    const std::string source = folder + "/" + kSourceFile;
    if (fs::exists(source, error)) report.source_picture = source;
  }

  const char* pictures_title() const override { return "Samples"; }
  RunPictures read_pictures(const PaperReport&, const PaperRun& run) const override {
    return read_run_stacks(run.folder, {kSamplesFile, nullptr, kNoiseFile}, 1);
  }
  std::string pictures_text(const PaperReport&, const std::vector<const RunPictures*>&) const override {
    return fmt::format(
        "Pictures of 64 random latents, the same for all rows of one width of z; nothing is chosen. Below: the mean of "
        "{} generated pictures less their blurs, grey is 0, white {} and black &#8722;{} of the data range: what shows "
        "here is the same in all pictures.",
        kNoisePictures, kNoiseScale, kNoiseScale);
  }
};

}  // namespace

const PaperKind& gan_paper() {
  static const GanPaper kind;
  return kind;
}

}  // namespace loe::app
