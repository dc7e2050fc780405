#include "loe/fitting/model_source.h"

#include <fmt/format.h>

#include <filesystem>

#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#include "loe/io/config_file.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/io/run_folder.h"
#include "loe/io/safetensors.h"
#include "loe/io/video_file.h"
#include "loe/nn/radiance_field.h"
#include "loe/task/fit_config.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

ModelSource open_run(const std::string& path) {
  const std::string model_path = path + "/model.safetensors";
  std::error_code error;
  if (!RunFolder::is_run(path)) {
    throw Error(ErrorKind::NotFound, fmt::format("[model] {}: expected a run folder or a model file, found a folder "
                                                 "without config.toml; give the folder that `loe fit` printed",
                                                 path));
  }
  if (!fs::exists(model_path, error)) {
    throw Error(ErrorKind::NotFound, fmt::format("[model] {}: expected model.safetensors, found none: the run stopped "
                                                 "before it saved; continue it with: loe fit --resume {}",
                                                 path, path));
  }
  return {read_model(model_path), model_path, path};
}

std::string run_of_file(const fs::path& file) {
  const fs::path folder = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  return RunFolder::is_run(folder.string()) ? folder.string() : "";
}

ModelSource open_checkpoint(const std::string& path) {
  const fs::path run = fs::path(path).parent_path() / "..";
  const std::string model_path = (run / "model.safetensors").lexically_normal().string();
  std::error_code error;
  if (!fs::exists(model_path, error)) {
    throw Error(ErrorKind::NotFound, fmt::format("[model] {}: is a checkpoint, which does not know its picture's size: "
                                                 "expected {} beside it, found none; keep it in its run folder",
                                                 path, model_path));
  }
  ModelSource source{read_model(model_path), path, run.lexically_normal().string()};
  source.model.params = read_checkpoint(path, source.model.spec).params.params;
  return source;
}

/// What the container says it holds; "" if it cannot be read, so that read_model finds the words for that.
bool is_checkpoint(const std::string& path) {
  try {
    const TensorFile file = read_safetensors(path);
    const auto format = file.metadata.find("format");
    return format != file.metadata.end() && format->second == "loe-checkpoint";
  } catch (const Error&) {
    return false;
  }
}

/// Whether the file at `data` has the model's size as it is.
bool has_size(const std::string& data, const SignalInfo& signal, const std::string& channels) {
  if (signal.task == "video") {
    const VideoFileInfo info = read_video_info(data);
    return info.width == signal.width && info.height == signal.height && info.n_frames == signal.n_frames;
  }
  const ImageFileInfo info = read_image_info(data, ImageTurn::AsShown, channels);
  return info.width == signal.width && info.height == signal.height;
}

}  // namespace

ModelSource open_model(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return open_run(path);
  if (fs::path(path).parent_path().filename() == "checkpoints" && is_checkpoint(path)) return open_checkpoint(path);
  return {read_model(path), path, run_of_file(path)};
}

ModelExecutor compile_to_look(const std::string& device, const Model& model, Precision precision, int n_threads) {
  ModelSpec spec = model.spec;
  std::span<const float> params = model.params;
  std::vector<float> kept;
  if (model.signal.task == "scene" && spec.parts.size() == 2) {
    const NetworkSpec coarse = spec.parts[0].network;
    const auto n_coarse = static_cast<std::size_t>(coarse.n_params());
    spec.parts[0].network = density_network(coarse);
    kept = density_params(coarse, params.first(n_coarse));
    kept.insert(kept.end(), params.begin() + static_cast<std::ptrdiff_t>(n_coarse), params.end());
    params = kept;
  }
  ModelExecutor executor = compile(device, spec, precision, n_threads);
  executor.set_params(params);
  return executor;
}

std::string data_of_run(const ModelSource& source) {
  if (source.run_path.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --data: {} lies in no run folder, so what it was fitted to is unknown; name that "
                            "with --data",
                            source.model_path));
  }
  const std::string data = path_from_text(read_config(source.run_path + "/config.toml").get_string("run.data", ""));
  if (data.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --data: expected run.data in {}/config.toml, found none; name the picture, "
                            "video or scene with --data",
                            source.run_path));
  }
  return data;
}

std::unique_ptr<FitSignal> read_data_of_run(const ModelSource& source, const std::string& data, bool is_own,
                                            const FitEvents& events) {
  const std::string& task = source.model.signal.task;
  ReadOptions options;
  if (!source.run_path.empty()) options = read_options(read_config(source.run_path + "/config.toml"), task);
  SignalEdit& edit = options.edit;
  if (!is_own && !edit.is_none() && has_size(data, source.model.signal, edit.channels)) {
    edit.crop = {};
    edit.size = {};
    edit.frames = {};
  }
  if (task == "scene") {
    const FieldInfo& field = source.model.signal.field;
    options.scene.rays = field.rays;
    options.field = field;
    // Without its config, the model itself knows what is behind the scene.
    if (source.run_path.empty()) {
      options.scene.background = field.rays.background[0] > 0.5 ? RayBackground::White : RayBackground::Black;
    }
  }
  return read_signal(data, task, options, events);
}

}  // namespace loe
