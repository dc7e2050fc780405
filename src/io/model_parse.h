// Models from tensors that are already in memory: the part of read_model that meets hostile content.
#pragma once

#include <string>

#include "loe/io/model_file.h"
#include "loe/io/safetensors.h"

namespace loe {

/// Error(Format) naming `path` and the field or tensor.
Model model_from_tensors(const TensorFile& file, const std::string& path);
RunState checkpoint_from_tensors(const TensorFile& file, const ModelSpec& model, const std::string& path);

/// The networks a checkpoint belongs to. Error(Format) if the file is no checkpoint.
ModelSpec checkpoint_networks(const TensorFile& file, const std::string& path);

}  // namespace loe
