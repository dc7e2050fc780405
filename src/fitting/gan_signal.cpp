// A folder of pictures, and a generator trained on it, for `fit`, `eval` and `paper`.
#include <fmt/format.h>

#include <filesystem>

#include "loe/backend/conv_net.h"
#include "loe/base/error.h"
#include "loe/base/format.h"
#include "loe/base/thread_pool.h"
#include "loe/fitting/fit_signal.h"
#include "loe/fitting/sample_sheet.h"
#include "loe/io/picture_set_reader.h"
#include "loe/task/gan_presets.h"
#include "loe/task/gan_task.h"

namespace loe {
namespace {

/// Samples of a sheet, and pictures named when some are left out.
constexpr int kSheetPictures = 64;
constexpr std::size_t kNamedSkips = 5;

class GanSignal final : public FitSignal {
 public:
  GanSignal(std::string folder, const ReadOptions& options, FitEvents events)
      : folder_(std::move(folder)), settings_(options.gan), device_(options.device), events_(std::move(events)) {
    read();
  }

  const char* noun() const override { return "pictures"; }
  SignalKind kind() const override { return SignalKind::Gan; }
  int n_channels() const override { return 3; }
  int64_t n_pixels() const override { return set_.size() * settings_.resolution * settings_.resolution; }
  int64_t n_bytes() const override { return set_.size() * set_.values_per_picture(); }
  std::string describe() const override {
    return fmt::format("{0} pictures, {1} x {1}, 3 channels, u8", format_integer(set_.size()), settings_.resolution);
  }
  Facts shape() const override {
    return {{"n_pictures", set_.size()}, {"resolution", settings_.resolution}, {"channels", 3}};
  }
  SignalInfo info() const override {
    SignalInfo info;
    info.task = "gan";
    info.width = info.height = settings_.resolution;
    return info;
  }

  const PictureSet* pictures() const override { return &set_; }

  Settings preset(const std::string& name) const override { return gan_preset(name); }
  AutoPlan automatic(double max_seconds, int64_t n_params, Precision precision, double gflops,
                     AutoFamily) const override {
    return {auto_gan_settings(settings_.resolution, max_seconds, n_params, precision, gflops), ""};
  }
  /// A preset may ask for another resolution than the one that was read before it was known.
  void configure(const FitConfig& config) override {
    const bool is_read = config.gan.resolution == settings_.resolution;
    settings_ = config.gan;
    if (!is_read) read();
    seed_ = config.seed;
  }
  const char* batch_noun() const override { return "picture"; }
  std::string config_hash(const FitConfig& config) const override { return gan_config_hash(config, set_); }
  std::unique_ptr<Problem> problem(const FitConfig& config, const std::string& device, int n_threads) const override {
    return std::make_unique<GanProblem>(set_, config, device, n_threads);
  }
  Companions companions(const std::string& device) const override {
    const ConvDevice found = conv_device(device);
    const std::string kernel = found.device == "cuda" ? "cudnn" : found.device == "cpu" ? "onednn" : "reference";
    const std::string where = "the discriminators run on device " + found.device;
    return {{{"discriminators", kernel + " f32 on device " + found.device,
              found.reason.empty() ? "that is where the generator runs" : found.reason}},
            found.reason.empty() ? "" : where + ", not on cuda: " + found.reason};
  }

  Evaluation evaluate(ModelExecutor& model, const OnShare& on_share) const override {
    const GanEvaluation found =
        evaluate_gan(model.main(), set_, settings_, seed_, device_, model.main().n_threads(), on_share);
    return {{}, facts_of(found)};
  }
  Evaluation write_reconstruction(ModelExecutor& model, const std::string& folder,
                                  const OnShare& on_share) const override {
    Evaluation evaluation = evaluate(model, on_share);
    write_sheet(model.main(), sheet(model), folder + "/" + reconstruction_name());
    return evaluation;
  }
  std::string reconstruction_name() const override { return "samples.png"; }
  std::string error_name() const override { return ""; }

  int64_t preview_pixels() const override {
    return int64_t{kSheetPictures} * settings_.resolution * settings_.resolution;
  }
  void write_preview(ModelExecutor& model, const std::string& image_path,
                     const std::string& /*error_path*/) const override {
    write_sheet(model.main(), sheet(model), image_path);
  }

 private:
  /// The same latents every time, so that sheets of a training can be compared.
  SampleSheet sheet(ModelExecutor& model) const {
    const int n_latents = model.spec().main().n_features();
    const int side = settings_.resolution;
    return {{side, side},
            {0, 0, side, side},
            columns_of(kSheetPictures),
            shown_latents(seed_, 0, kSheetPictures, n_latents),
            n_latents};
  }

  void read() {
    PictureSetOptions options;
    options.resolution = settings_.resolution;
    options.min_pictures = settings_.min_pictures;
    options.on_progress = [this](int64_t n_done, int64_t n_total) {
      events_.job("reading", static_cast<double>(n_done) / static_cast<double>(n_total));
      return true;
    };
    ThreadPool pool(0);
    PictureFolder found = read_picture_folder(folder_, options, pool);
    for (std::size_t i = 0; i < found.skipped.size() && i < kNamedSkips; ++i) {
      events_.warning(fmt::format("{}/{}: left out: {}", folder_, found.skipped[i].name, found.skipped[i].reason));
    }
    if (found.skipped.size() > kNamedSkips) {
      events_.warning(fmt::format("{}: {} of {} pictures were left out, the first {} are named above", folder_,
                                  found.skipped.size(), found.skipped.size() + found.names.size(), kNamedSkips));
    }
    set_ = std::move(found.pictures);
  }

  std::string folder_;
  GanSettings settings_;
  std::string device_;
  FitEvents events_;
  PictureSet set_;
  uint64_t seed_ = 0;
};

}  // namespace

Facts facts_of(const GanEvaluation& evaluation) {
  Facts facts = {{"distances.sliced_wasserstein", evaluation.sliced.mean},
                 {"distances.random_frechet", evaluation.random_frechet}};
  for (std::size_t k = 0; k < evaluation.sliced.resolutions.size(); ++k) {
    facts.set({fmt::format("sliced_wasserstein_levels.{}", evaluation.sliced.resolutions[k]),
               evaluation.sliced.distances[k]});
  }
  facts.set({{"noise_pattern.ratio", evaluation.noise.ratio},
             {"noise_pattern.pattern_rms", evaluation.noise.pattern_rms},
             {"noise_pattern.mean_high_pass_rms", evaluation.noise.rms},
             {"noise_pattern.expected_rms", evaluation.noise.expected_rms},
             {"noise_pattern.data_ratio", evaluation.noise_of_set.ratio},
             {"noise_pattern.data_pattern_rms", evaluation.noise_of_set.pattern_rms},
             {"n_generated", evaluation.n_generated},
             {"seconds_generating", evaluation.seconds_generating}});
  return facts;
}

std::unique_ptr<FitSignal> gan_signal(const std::string& folder, const ReadOptions& options, const FitEvents& events) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    const bool exists = std::filesystem::exists(folder, error);
    throw Error(exists ? ErrorKind::InvalidArgument : ErrorKind::NotFound,
                fmt::format("[gan] {}: expected a folder of pictures, found none; name the folder", folder));
  }
  return std::make_unique<GanSignal>(folder, options, events);
}

}  // namespace loe
