#include <fmt/format.h>

#include "loe/fitting/fit_signal.h"
#include "loe/fitting/pictures.h"
#include "loe/task/image_presets.h"
#include "loe/task/image_task.h"

namespace loe {
namespace {

class PictureSignal : public FitSignal {
 public:
  explicit PictureSignal(Image image) : image_(std::move(image)) {}

  const char* noun() const override { return "picture"; }
  SignalKind kind() const override { return SignalKind::Image; }
  int n_channels() const override { return image_.n_channels(); }
  int64_t n_pixels() const override { return image_.n_pixels(); }
  int64_t n_bytes() const override { return static_cast<int64_t>(image_.n_bytes()); }
  const Image* picture() const override { return &image_; }

  std::string describe() const override {
    const PictureTags& tags = image_.tags;
    std::string text = fmt::format("{} x {}, {} channels, {}", image_.width(), image_.height(), n_channels(),
                                   to_string(image_.type()));
    if (tags.range != PictureTags{}.range) {
      text += fmt::format(", values {:.6g} to {:.6g}", tags.range[0], tags.range[1]);
    }
    return text;
  }
  Facts shape() const override {
    Facts shape = {{"width", image_.width()}, {"height", image_.height()}, {"channels", n_channels()}};
    const std::array<double, 2>& range = image_.tags.range;
    if (range != PictureTags{}.range) shape.set({"range", std::vector<double>(range.begin(), range.end())});
    return shape;
  }
  SignalInfo info() const override {
    SignalInfo info;
    info.width = image_.width();
    info.height = image_.height();
    info.pixel_type = to_string(image_.type());
    info.tags = image_.tags;
    return info;
  }

  Settings preset(const std::string& name) const override {
    return image_preset(name, image_.width(), image_.height());
  }
  AutoPlan automatic(double max_seconds, int64_t n_params, Precision precision, double gflops,
                     AutoFamily family) const override {
    return auto_plan(image_.width(), image_.height(), n_channels(), max_seconds, n_params, precision, gflops, family);
  }
  std::string config_hash(const FitConfig& config) const override { return image_config_hash(config, image_); }
  std::unique_ptr<Problem> problem(const FitConfig& config, const std::string&, int) const override {
    return std::make_unique<ImageProblem>(image_, config);
  }

  Evaluation evaluate(ModelExecutor& model, const OnShare& on_share) const override {
    return evaluation(evaluate_image(model.main(), image_, [&](int first_row, int n_rows, const float*, const float*) {
      on_share(static_cast<double>(first_row + n_rows) / image_.height());
    }));
  }
  Evaluation write_reconstruction(ModelExecutor& model, const std::string& folder,
                                  const OnShare& on_share) const override {
    return evaluation(loe::write_reconstruction(model.main(), image_, folder + "/" + reconstruction_name(),
                                                folder + "/" + error_name(), on_share));
  }
  std::string reconstruction_name() const override {
    return loe::reconstruction_name(image_.type(), n_channels() % 2 == 0 && !image_.has_alpha());
  }
  std::string error_name() const override { return "error.png"; }

  int64_t preview_pixels() const override { return loe::preview_pixels(image_); }
  void write_preview(ModelExecutor& model, const std::string& image_path,
                     const std::string& error_path) const override {
    loe::write_preview(model.main(), image_, image_path, error_path);
  }

 private:
  static Evaluation evaluation(const ImageEvaluation& found) {
    return {Fidelity{found.psnr_db, found.ssim, found.ssim_gaussian}, {}};
  }

  Image image_;
};

}  // namespace

std::unique_ptr<FitSignal> picture_signal(Image image) {
  return std::make_unique<PictureSignal>(std::move(image));
}

}  // namespace loe
