// A model from what the user named: a run folder, a model file or a checkpoint.
#pragma once

#include <string>

#include "loe/io/model_file.h"

namespace loe::app {

struct ModelSource {
  Model model;
  std::string model_path;  ///< the file the parameters came from
  std::string run_path;    ///< the run folder it belongs to; empty if there is none
};

/// `path`: a run folder, a model.safetensors, or a checkpoint inside a run folder (then the picture's size comes from
/// the model.safetensors of that run). Error(NotFound), Error(Format), Error(Io) saying what was expected.
ModelSource open_model(const std::string& path);

/// The picture that a run was trained on, from its config.toml. Error(InvalidArgument) if there is no run.
std::string picture_of_run(const ModelSource& source);

}  // namespace loe::app
