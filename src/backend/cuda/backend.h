// The backend over a set of executors: those of the device, or in tests their twins on the CPU.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/check.h"
#include "backend/cuda/precisions.h"

namespace loe::cuda {

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::string name, const Precisions& precisions) : name_(std::move(name)), precisions_(precisions) {}

  std::string name() const override { return name_; }
  std::vector<std::string> isas() const override { return {""}; }

  std::unique_ptr<Executor> compile(const NetworkSpec& spec, const ExecutorOptions& options) const override {
    spec.validate();
    check_options(options);
    if (!options.isa.empty()) {
      throw Error(
          ErrorKind::InvalidArgument,
          "[cuda] isa: expected none, a GPU has no instruction sets to choose from, got \"" + options.isa + "\"");
    }
    return precisions_.make(spec, options);
  }

 private:
  std::string name_;
  Precisions precisions_;
};

}  // namespace loe::cuda
