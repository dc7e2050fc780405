// A library of NVIDIA's that is looked for when it is first needed, not when the program starts: a program linked with
// it would not start at all on a machine without it.
#pragma once

#include <dlfcn.h>

#include <string>

namespace loe::cuda {

/// Loaded until the program ends.
class SharedLibrary {
 public:
  /// By name where the loader looks (LD_LIBRARY_PATH, ld.so.conf), then as `folder`/name: where it was when this was
  /// built.
  SharedLibrary(const std::string& name, const std::string& folder) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      obstacle_ = words_of_loader(name);
      handle_ = folder.empty() ? nullptr : dlopen((folder + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle_ != nullptr) obstacle_.clear();
    }
  }

  /// Why it cannot be used, or "".
  const std::string& obstacle() const { return obstacle_; }

  /// Sets `function` to the symbol, or obstacle() if there is none.
  template <typename Function>
  void find(const char* symbol, Function& function) {
    if (!obstacle_.empty()) return;
    function = reinterpret_cast<Function>(dlsym(handle_, symbol));
    if (function == nullptr) obstacle_ = words_of_loader(symbol);
  }

 private:
  /// "libcudnn.so.9: cannot open shared object file: No such file or directory"
  static std::string words_of_loader(const std::string& what) {
    const char* words = dlerror();
    return words == nullptr ? what + ": not found" : words;
  }

  void* handle_ = nullptr;
  std::string obstacle_;
};

}  // namespace loe::cuda
