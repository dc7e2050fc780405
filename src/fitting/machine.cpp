#include "loe/fitting/machine.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "loe/base/version.h"

namespace loe {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

int64_t installed_memory_bytes() {
  const long n_pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  return n_pages > 0 && page > 0 ? int64_t{n_pages} * page : 0;
}

int64_t peak_resident_bytes() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? int64_t{usage.ru_maxrss} * 1024 : 0;
}

std::string system_name() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string forced_isa() {
  const char* isa = std::getenv("LOE_ISA");
  return isa == nullptr ? "" : isa;
}

const Backend& backend_of_flag(const std::string& device) {
  std::vector<std::string> devices = available_devices();
  devices.insert(devices.begin(), "auto");
  if (device == "cuda") return cuda_backend();  // or why it cannot run
  if (std::find(devices.begin(), devices.end(), device) == devices.end()) {
    std::string list;
    for (const std::string& name : devices) list += (list.empty() ? "" : ", ") + name;
    throw Error(ErrorKind::InvalidArgument, fmt::format("[flags] --device: this build has {}, got '{}'", list, device));
  }
  return find_backend(device);
}

namespace {

ExecutorOptions executor_options(const Backend& backend, Precision precision, int n_threads) {
  ExecutorOptions options;
  options.precision = precision;
  options.n_threads = n_threads;
  // LOE_ISA speaks to backends that have instruction sets; the reference has none.
  const std::vector<std::string> isas = backend.isas();
  const bool has_isas = !isas.empty() && !isas[0].empty();
  if (has_isas) options.isa = forced_isa();
  return options;
}

}  // namespace

std::unique_ptr<Executor> compile(const std::string& device, const NetworkSpec& spec, Precision precision,
                                  int n_threads) {
  const Backend& backend = backend_of_flag(device);
  return backend.compile(spec, executor_options(backend, precision, n_threads));
}

ModelExecutor compile(const std::string& device, const ModelSpec& spec, Precision precision, int n_threads,
                      int max_group) {
  const Backend& backend = backend_of_flag(device);
  ExecutorOptions options = executor_options(backend, precision, n_threads);
  options.max_group = max_group;
  return compile(backend, spec, options);
}

Facts machine_facts() {
  Facts machine = {{"version", version()},
                   {"commit", build_commit()},
                   {"compiler", build_compiler()},
                   {"system", system_name()},
                   {"cpu", cpu_name()},
                   {"usable_cores", n_usable_cores()},
                   {"memory_bytes", installed_memory_bytes()}};
  if (!forced_isa().empty()) machine.set({"forced_isa", forced_isa()});
  return machine;
}

}  // namespace loe
