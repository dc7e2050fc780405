// A model from what the user named: a run folder, a model file or a checkpoint.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loe/fitting/fit_signal.h"
#include "loe/io/model_file.h"

namespace loe {

struct ModelSource {
  Model model;
  std::string model_path;  ///< the file the parameters came from
  std::string run_path;    ///< the run folder it belongs to; empty if there is none
};

/// `path`: a run folder, a model.safetensors, or a checkpoint inside a run folder (then the picture's size comes from
/// the model.safetensors of that run). Error(NotFound), Error(Format), Error(Io) saying what was expected.
ModelSource open_model(const std::string& path);

/// The executors of a model that is only looked at, with its parameters: a field's coarse network is without its
/// colours.
ModelExecutor compile_to_look(const std::string& device, const Model& model, Precision precision, int n_threads);

/// What a run was trained on, from its config.toml. Error(InvalidArgument) if there is no run.
std::string data_of_run(const ModelSource& source);

/// The signal at `data`, read as the model's task and edited as the run's config.toml says. One that the user named
/// (is_own false) and that has the model's size already is taken as it is: it may be the edited one. See read_signal.
std::unique_ptr<FitSignal> read_data_of_run(const ModelSource& source, const std::string& data, bool is_own,
                                            const FitEvents& events);

}  // namespace loe
