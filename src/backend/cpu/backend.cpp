// The CPU backend: picks the instruction set at run time.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backend/check.h"
#include "backend/cpu/executor.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/isa/native_tables.h"
#include "loe/backend/backend.h"
#include "loe/base/error.h"

namespace loe {
namespace {

class CpuBackend : public Backend {
 public:
  std::string name() const override { return "cpu"; }

  std::vector<std::string> isas() const override {
    std::vector<std::string> names;
    for (const cpu::KernelTable& table : cpu::kernel_tables()) names.push_back(table.isa);
    return names;
  }

  std::unique_ptr<Executor> compile(const NetworkSpec& spec, const ExecutorOptions& options) const override {
    spec.validate();
    check_options(options);
    if (options.precision == Precision::Tf32) {
      throw Error(ErrorKind::Unsupported,
                  "[cpu] precision: expected f32, mixed or bf16, got tf32, a format of NVIDIA GPUs; f32 is as exact");
    }
    for (const cpu::KernelTable& table : cpu::kernel_tables()) {
      if (options.isa.empty() || options.isa == table.isa) {
        return std::make_unique<cpu::CpuExecutor>(spec, options, table);
      }
    }
    if (options.isa == cpu::kAmxTwinIsa) {
      return std::make_unique<cpu::CpuExecutor>(spec, options, cpu::amx_twin_table());
    }
    throw Error(ErrorKind::InvalidArgument, fmt::format("[cpu] instruction set: expected one of {}, got \"{}\"",
                                                        fmt::join(isas(), ", "), options.isa));
  }
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace loe
