// What `train.precision = "auto"` means.
#pragma once

#include <string>

#include "loe/backend/backend.h"
#include "loe/task/fit_config.h"

namespace loe {

struct PrecisionChoice {
  Precision precision = Precision::F32;
  std::string reason;  ///< half a line: "amx: ..."
};

/// The fastest precision whose fits are as good as those of f32: final PSNR within 0.05 dB on the pictures, video and
/// scene of docs/performance.md ("Precision auto"). A function of its arguments alone, never of a timing, so that a
/// command chooses the same on every machine of a kind.
///
/// device: Backend::name(); isa: the instruction set that runs there, of Backend::isas(). config.precision is ignored.
/// Error(InvalidArgument) as build_model.
PrecisionChoice choose_precision(const FitConfig& config, const std::string& device, const std::string& isa);

}  // namespace loe
