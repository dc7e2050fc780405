#include "backend/onednn/one_thread.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <dnnl.hpp>

#include "loe/base/error.h"

namespace loe::onednn {
namespace {

// The functions of the OpenMP runtime that oneDNN itself was linked with (GCC's or LLVM's), found where it brought
// them: linking a runtime of our own choice could start a second one, which would bound nothing.
struct OpenMp {
  int (*get_max_threads)() = nullptr;
  void (*set_num_threads)(int) = nullptr;

  OpenMp() {
    get_max_threads = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    set_num_threads = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  }
  bool is_there() const { return get_max_threads != nullptr && set_num_threads != nullptr; }
};

const OpenMp& open_mp() {
  static const OpenMp functions;
  return functions;
}

}  // namespace

OneThread::OneThread() : n_before_(open_mp().is_there() ? open_mp().get_max_threads() : 1) {
  if (n_before_ != 1) {
    open_mp().set_num_threads(1);
  }
}

OneThread::~OneThread() {
  if (n_before_ != 1) {
    open_mp().set_num_threads(n_before_);
  }
}

void check_runtime() {
  const unsigned runtime = dnnl::version()->cpu_runtime;
  if (runtime == DNNL_RUNTIME_SEQ || (runtime == DNNL_RUNTIME_OMP && open_mp().is_there())) {
    return;
  }
  throw Error(ErrorKind::Unsupported,
              fmt::format("[onednn] runtime: expected a oneDNN for OpenMP or one thread, got runtime {}; install one "
                          "(Debian: libdnnl2) or use --device reference",
                          runtime));
}

}  // namespace loe::onednn
