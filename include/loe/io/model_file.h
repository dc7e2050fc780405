// Models and checkpoints as safetensors: documented in docs/formats.md.
#pragma once

#include <string>
#include <vector>

#include "loe/backend/network_spec.h"
#include "loe/nn/model.h"
#include "loe/signal/field_info.h"
#include "loe/signal/video.h"
#include "loe/train/run_state.h"

namespace loe {

/// NetworkSpec as JSON text, and back. Error(Format) naming the field; the result is validated.
std::string network_to_json(const NetworkSpec& spec);
NetworkSpec network_from_json(const std::string& text, const std::string& origin);

/// What a model says about the signal it stands for.
struct SignalInfo {
  std::string task = "image";  ///< "image", "video", "scene" or "gan"
  int width = 0;
  int height = 0;
  int n_frames = 0;               ///< "video" only
  FrameRate frame_rate;           ///< "video" only
  VideoColor color;               ///< "video" only
  std::string pixel_type = "u8";  ///< depth of the source, the default depth of the output
  PictureTags tags;               ///< "image"; of a "video" its pixel_aspect
  std::vector<double> times;      ///< "video" only: Video::times
  FieldInfo field;                ///< "scene" only; width and height are its views'
};

struct Model {
  ModelSpec spec;
  std::vector<float> params;
  SignalInfo signal;
};

/// model.safetensors: the tensors of ModelSpec::tensors() and metadata "format" = "loe-model", "version", "network"
/// (or "networks"), "signal", and "source" for tags and times that are not as usual. Error(Numerical) if a parameter is
/// not finite, Error(Io); an existing file then stays as it was.
void write_model(const std::string& path, const Model& model);
/// Error(NotFound), Error(Io), Error(Format) naming the field or tensor: another version, shapes that disagree with the
/// network, missing or further tensors, values that are not finite.
Model read_model(const std::string& path);

/// Checkpoint: the model's tensors as "params.*", "adam_m.*", "adam_v.*" "task_state" if there is
/// one, and the other fields of RunState as metadata.
void write_checkpoint(const std::string& path, const ModelSpec& model, const RunState& state);
/// Errors as read_model; Error(Format) if it is no checkpoint or belongs to another network.
RunState read_checkpoint(const std::string& path, const ModelSpec& model);
/// The networks that a checkpoint belongs to; errors as read_model.
ModelSpec read_checkpoint_networks(const std::string& path);

}  // namespace loe
