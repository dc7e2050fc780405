// oneDNN on one thread: the pool of this project runs the pieces of a batch side by side.
#pragma once

namespace loe::onednn {

/// While it lives, what this thread creates and runs in oneDNN stays on this thread. Needed when a primitive is
/// created, too: how a convolution splits its sums depends on the number of threads that it expects.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int n_before_;
};

/// Error(Unsupported) if this oneDNN was built for a way of threading that OneThread cannot bound.
void check_runtime();

}  // namespace loe::onednn
