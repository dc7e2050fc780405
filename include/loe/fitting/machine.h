// What can be found out about the machine, and executors by the name of a device.
#pragma once

#include <cstdint>
#include <string>

#include "loe/backend/backend.h"
#include "loe/base/facts.h"
#include "loe/nn/model.h"

namespace loe {

/// "AMD EPYC 9554", from /proc/cpuinfo; "unknown" if that says nothing.
std::string cpu_name();
/// Installed memory in bytes; 0 if unknown.
int64_t installed_memory_bytes();
/// Largest resident size of this process so far.
int64_t peak_resident_bytes();
/// Operating system and kernel, "Linux 6.1.0 x86_64".
std::string system_name();

/// The instruction set that LOE_ISA forces; "" picks the best of the machine.
std::string forced_isa();
/// find_backend for a flag: Error(InvalidArgument) lists the devices of this build.
const Backend& backend_of_flag(const std::string& device);
/// Compiles with the instruction set of LOE_ISA.
std::unique_ptr<Executor> compile(const std::string& device, const NetworkSpec& spec, Precision precision,
                                  int n_threads);
/// max_group: see ExecutorOptions.
ModelExecutor compile(const std::string& device, const ModelSpec& spec, Precision precision, int n_threads,
                      int max_group = 1);

/// Version, commit, compiler, CPU, cores, memory, system.
Facts machine_facts();

}  // namespace loe
