// Batches that never see the host: drawn from a signal on the device, and prepared a step ahead.
#pragma once

#include <optional>
#include <string>

#include "backend/cuda/network_pass.h"
#include "backend/cuda/pixel_drawer.h"
#include "backend/cuda/second_batch.h"
#include "loe/backend/backend.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// A batch of one piece is drawn, routed and encoded in the second of two places while a step runs on the first, then
/// they change places. It is the same batch whether it was drawn ahead or not: a function of (seed, step).
template <typename FM, typename BM>
class DrawnBatches {
 public:
  using Pass = NetworkPass<FM, BM>;
  using Memory = typename Pass::Memory;

  DrawnBatches(const NetworkPlan& plan, Memory& memory, Pass& pass) : plan_(plan), memory_(memory), pass_(pass) {}

  int64_t n_bytes() const { return drawer_.n_bytes() + second_.n_bytes(); }
  KernelInfo info() const;

  /// Whether batches of these (valid) pixels are drawn here: the signal is on the device, or has found room there now.
  /// After memory was made for training.
  bool take_signal(const Stream& stream, const PixelSamples& pixels);
  /// Another number whenever what is recorded has old addresses.
  int64_t version() const { return version_; }
  /// Which of the two places memory has now.
  int side() const { return side_; }
  bool has_memory() const { return n_bytes() > 0; }

  /// memory's batch becomes that of pixels.step, prepared.
  void take(const Stream& stream, const PixelSamples& pixels);
  /// To be recorded, from fork() to join(), unless every_pixel, whose batch stays: the next batch is prepared in a
  /// stream of its own, beside what `stream` is given in between.
  void fork(const Stream& stream);
  void join(const Stream& stream) { joined_.hold(stream); }
  /// Before what was recorded runs: which batch is the next.
  void announce_next(const Stream& stream, const PixelSamples& pixels);
  /// After the last launch that reads memory's batch.
  void leave(const PixelSamples& pixels);

  /// Batches of several pieces are not prepared ahead: all of it is drawn, then a piece at a time goes to memory.
  void draw_all(const Stream& stream, const PixelSamples& pixels) {
    drawer_.set_step(stream, pixels.step);
    drawer_.draw(stream);
  }
  void take_piece(const Stream& stream, int64_t first, int64_t n) {
    drawer_.fill(stream, first, n, memory_.coords, memory_.targets);
  }

  /// After memory's sizes have changed.
  void forget_second(const Stream& stream) {
    finish(stream);
    ahead_.reset();
    second_.release();
    ++version_;
  }
  /// Gives its memory back; from now on the host fills the batches of this signal, for that reason.
  void refuse(const Stream& stream, std::string why) {
    forget_second(stream);
    drawer_.release();
    refused_ = signal_;
    why_refused_ = std::move(why);
  }

 private:
  struct BatchId {
    uint64_t signal;
    uint64_t seed;
    bool every_pixel;
    int64_t n_samples;
    int64_t step;
    bool operator==(const BatchId&) const = default;
  };
  static BatchId id_of(const PixelSamples& p, int64_t step) {
    return {p.signal, p.seed, p.every_pixel, p.n_samples, p.every_pixel ? 0 : step};
  }
  void prepare(const Stream& stream) {
    drawer_.draw(stream);
    drawer_.fill(stream, 0, n_samples_, memory_.coords, memory_.targets);
    pass_.prepare(stream, n_samples_);
  }
  void change_places() {
    second_.swap(memory_);
    side_ = 1 - side_;
  }

  const NetworkPlan& plan_;
  Memory& memory_;
  Pass& pass_;
  OwnStream beside_;
  Event forked_;
  Event joined_;
  PixelDrawer drawer_;
  SecondBatch<typename Pass::F, typename Pass::B> second_;
  int64_t n_samples_ = 0;
  int side_ = 0;
  int64_t version_ = 0;
  std::optional<BatchId> ahead_;  ///< what lies prepared in the second place
  uint64_t signal_ = 0;           ///< last seen
  uint64_t refused_ = 0;
  std::string why_refused_;
};

template <typename FM, typename BM>
KernelInfo DrawnBatches<FM, BM>::info() const {
  if (!drawer_.is_empty()) {
    return {"sampling", "cuda pixels drawn, radix sorted and gathered on the device, a step ahead",
            "the signal is on the device"};
  }
  if (!why_refused_.empty()) return {"sampling", "host threads, copied every step", why_refused_};
  return {"sampling", "cuda for pictures and videos that fit on the device, else host threads",
          "decided at the first step"};
}

template <typename FM, typename BM>
bool DrawnBatches<FM, BM>::take_signal(const Stream& stream, const PixelSamples& pixels) {
  signal_ = pixels.signal;
  if (signal_ == refused_) return false;
  const bool needs_signal = !drawer_.holds(pixels);
  const bool needs_second = pixels.n_samples <= plan_.piece_rows && second_.is_empty();
  if (!needs_signal && !needs_second) return true;
  finish(stream);  // the step before may still be running
  ahead_.reset();
  ++version_;
  if (needs_signal) drawer_.release();
  const int64_t n_bytes =
      (needs_signal ? PixelDrawer::planned_bytes(pixels) : 0) + (needs_second ? second_.planned_bytes(memory_) : 0);
  const int64_t n_free = free_bytes();
  if (n_bytes > n_free) {
    refuse(stream, "expected " + std::to_string(n_bytes >> 20) +
                       " MiB for the signal and its batches, the device has " + std::to_string(n_free >> 20) +
                       " MiB free");
    return false;
  }
  n_samples_ = pixels.n_samples;
  if (needs_second) second_.make(plan_, memory_);
  if (needs_signal) drawer_.upload(stream, pixels);
  return true;
}

template <typename FM, typename BM>
void DrawnBatches<FM, BM>::take(const Stream& stream, const PixelSamples& pixels) {
  if (ahead_ == id_of(pixels, pixels.step)) {
    change_places();
  } else {
    drawer_.set_step(stream, pixels.step);
    prepare(stream);
  }
  ahead_.reset();
}

template <typename FM, typename BM>
void DrawnBatches<FM, BM>::fork(const Stream& stream) {
  forked_.record(stream);
  forked_.hold(beside_.get());
  second_.swap(memory_);
  prepare(beside_.get());
  second_.swap(memory_);
  joined_.record(beside_.get());
}

template <typename FM, typename BM>
void DrawnBatches<FM, BM>::announce_next(const Stream& stream, const PixelSamples& pixels) {
  drawer_.set_step(stream, pixels.step + 1);
}

template <typename FM, typename BM>
void DrawnBatches<FM, BM>::leave(const PixelSamples& pixels) {
  if (pixels.every_pixel) change_places();  // where evaluations in between do not reach it
  ahead_ = id_of(pixels, pixels.step + 1);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
