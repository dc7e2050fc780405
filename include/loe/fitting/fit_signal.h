// What is different for each kind of signal: one interface, an implementation per task.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "loe/backend/backend.h"
#include "loe/base/facts.h"
#include "loe/base/settings.h"
#include "loe/fitting/fit_events.h"
#include "loe/io/model_file.h"
#include "loe/io/scene_file.h"
#include "loe/nn/model.h"
#include "loe/signal/image.h"
#include "loe/signal/picture_set.h"
#include "loe/signal/scene.h"
#include "loe/signal/video.h"
#include "loe/task/fit_config.h"
#include "loe/task/gan_task.h"
#include "loe/task/image_presets.h"
#include "loe/train/trainer.h"

namespace loe {

/// How close a reconstruction is to its signal.
struct Fidelity {
  double psnr_db = 0;
  double ssim = 0;
  double ssim_gaussian = 0;
};

/// What was measured on a whole signal.
struct Evaluation {
  std::optional<Fidelity> fidelity;  ///< of signals with a truth to compare with
  Facts more;                        ///< what only this kind of signal has

  /// Numbers that tell better from worse: psnr_db, or the distances of a generator's pictures.
  Facts headline() const;
  /// psnr_db, ssim and ssim_gaussian, if there is a truth; then all others.
  Facts all() const;
};

/// A signal in memory, and what fitting, evaluating and rendering need to know about its kind.
class FitSignal {
 public:
  virtual ~FitSignal() = default;

  virtual const char* noun() const = 0;  ///< "picture", "video", "scene", "pictures": key of results, word of messages
  virtual SignalKind kind() const = 0;
  virtual int n_channels() const = 0;
  virtual int64_t n_pixels() const = 0;
  virtual int64_t n_bytes() const = 0;
  /// "512 x 512, 1 channels, u8"
  virtual std::string describe() const = 0;
  /// width, height, channels and whatever else counts the signal, for results and environments.
  virtual Facts shape() const = 0;
  /// What the model file says about the signal.
  virtual SignalInfo info() const = 0;
  /// The picture, if it is one.
  virtual const Image* picture() const { return nullptr; }
  /// The video, if it is one.
  virtual const Video* video() const { return nullptr; }
  /// The views, if it is a scene.
  virtual const ScenePictures* scene() const { return nullptr; }
  /// The set, if it is one.
  virtual const PictureSet* pictures() const { return nullptr; }

  /// What this signal needs whatever the preset says; configs and flags may say otherwise.
  virtual Settings needs() const { return {}; }
  virtual Settings preset(const std::string& name) const = 0;
  /// See auto_plan of the task.
  virtual AutoPlan automatic(double max_seconds, int64_t n_params, Precision precision, double gflops,
                             AutoFamily family) const = 0;
  /// Takes over what evaluations must know of the resolved config.
  virtual void configure(const FitConfig&) {}
  /// What one evaluation of the network is called, and what a batch counts: a scene's ray has many samples.
  virtual const char* sample_noun() const { return "pixel"; }
  virtual const char* batch_noun() const { return "pixel"; }
  /// ExecutorOptions::max_group of a training.
  virtual int max_group(const FitConfig&) const { return 1; }
  virtual std::string config_hash(const FitConfig& config) const = 0;
  /// device, n_threads: for what a task computes beside its networks.
  virtual std::unique_ptr<Problem> problem(const FitConfig& config, const std::string& device, int n_threads) const = 0;

  /// What runs beside the model's networks on this device, and why; a slower device than that is said aloud.
  struct Companions {
    std::vector<KernelInfo> kernels;
    std::string warning;
  };
  virtual Companions companions(const std::string& /*device*/) const { return {}; }

  virtual Evaluation evaluate(ModelExecutor& model, const OnShare& on_share) const = 0;
  /// Evaluates, and writes reconstruction and error map into `folder`; no file appears if on_share throws.
  virtual Evaluation write_reconstruction(ModelExecutor& model, const std::string& folder,
                                          const OnShare& on_share) const = 0;
  virtual std::string reconstruction_name() const = 0;
  /// "" if there is no truth to differ from.
  virtual std::string error_name() const = 0;

  /// Pixels that a preview evaluates.
  virtual int64_t preview_pixels() const = 0;
  /// Small versions of reconstruction and error map for watching a training, as PNG.
  virtual void write_preview(ModelExecutor& model, const std::string& image_path,
                             const std::string& error_path) const = 0;
};

/// "distances", "noise_pattern" and what they were measured on.
Facts facts_of(const GanEvaluation& evaluation);

/// Task of the data at `path`: "image", "video" or "scene", by its content ("gan" must be asked for: a folder of
/// pictures counts as a video's frames). A path that does not exist counts as a picture.
std::string task_of_data(const std::string& path);

/// What settings say about reading a signal.
struct ReadOptions {
  SignalEdit edit;                 ///< pictures and videos
  SceneSettings scene;             ///< scenes: its source decides what is read, the rest how views are evaluated
  std::optional<FieldInfo> field;  ///< scenes: of a fitted model, into whose coordinates the views are brought
  GanSettings gan;                 ///< sets of pictures
  std::string device = "auto";     ///< for what evaluations compute beside the networks
};
/// A fixed preset that the settings name counts too, so that nothing is read twice.
ReadOptions read_options(const Settings& settings, const std::string& task);

/// What of it read_scene asks for.
SceneOptions scene_options(const SceneSource& source);

/// Reads and edits the signal at `path`. `task`: "image", "video", "scene", "gan" or "" (task_of_data). All errors of
/// the readers.
std::unique_ptr<FitSignal> read_signal(const std::string& path, const std::string& task, const ReadOptions& options,
                                       const FitEvents& events);

/// The implementations.
std::unique_ptr<FitSignal> picture_signal(Image image);
std::unique_ptr<FitSignal> video_signal(Video video);
std::unique_ptr<FitSignal> scene_signal(ScenePictures pictures, SceneSettings settings);
std::unique_ptr<FitSignal> gan_signal(const std::string& folder, const ReadOptions& options, const FitEvents& events);

}  // namespace loe
