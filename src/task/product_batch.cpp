#include "task/product_batch.h"

#include <algorithm>
#include <limits>

#include "signal/unit_of_byte.h"

namespace loe {
namespace {

/// Pixels ahead of the one that is read: random places of a large picture come from memory one by one otherwise, which
/// took 29% of a step of a narrow network.
constexpr std::size_t kAhead = 32;

const Image& frame_of(const Image& image, const PixelPlace&) {
  return image;
}
const Image& frame_of(const Video& video, const PixelPlace& place) {
  return video.frame(place.t);
}

template <class Signal>
const uint8_t* bytes_of(const Signal& signal, const PixelPlace& place) {
  const Image& frame = frame_of(signal, place);
  return reinterpret_cast<const uint8_t*>(frame.data()) +
         (int64_t{place.y} * frame.width() + place.x) * frame.n_channels();
}

template <class Signal>
void read_bytes(const Signal& signal, std::span<const PixelPlace> places, float* targets) {
  const std::array<float, 256>& unit = unit_of_byte();
  const int n_channels = signal.n_channels();
  for (std::size_t i = 0; i < std::min(kAhead, places.size()); ++i) __builtin_prefetch(bytes_of(signal, places[i]));
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (i + kAhead < places.size()) __builtin_prefetch(bytes_of(signal, places[i + kAhead]));
    const uint8_t* bytes = bytes_of(signal, places[i]);
    for (int c = 0; c < n_channels; ++c) *targets++ = unit[bytes[c]];
  }
}

template <class Sampler, class Signal>
std::unique_ptr<PixelSource> make_source(const Signal& signal, const FitConfig& config) {
  if (config.sampling == PixelSampling::ProductChunks) {
    return std::make_unique<ProductBatch<Signal>>(signal, build_network(config.network), config.batch_size,
                                                  config.seed);
  }
  return std::make_unique<PixelBatch<Sampler>>(signal, config.sampling, config.batch_size, config.seed);
}

}  // namespace

std::unique_ptr<PixelSource> make_pixel_source(const Image& image, const FitConfig& config) {
  return make_source<ImageSampler>(image, config);
}
std::unique_ptr<PixelSource> make_pixel_source(const Video& video, const FitConfig& config) {
  return make_source<VideoSampler>(video, config);
}

std::array<int64_t, 3> size_of(const Image& image) {
  return {image.width(), image.height(), 1};
}
std::array<int64_t, 3> size_of(const Video& video) {
  return {video.width(), video.height(), video.n_frames()};
}

template <class Signal>
float ProductBatch<Signal>::largest_value() const {
  const bool is_integer = signal_->type() == PixelType::U8 || signal_->type() == PixelType::U16;
  return is_integer ? 1.0F : std::numeric_limits<float>::infinity();
}

template <class Signal>
void ProductBatch<Signal>::read(std::span<const PixelPlace> places, float* targets) const {
  if (signal_->type() == PixelType::U8) {
    read_bytes(*signal_, places, targets);
    return;
  }
  const int n_channels = signal_->n_channels();
  for (std::size_t i = 0; i < places.size(); ++i) {
    frame_of(*signal_, places[i]).read_pixel(places[i].x, places[i].y, targets + i * n_channels);
  }
}

template <class Signal>
void ProductBatch<Signal>::draw() const {
  if (drawn_step_.load(std::memory_order_acquire) == step_) return;
  const std::lock_guard lock(drawing_);
  if (drawn_step_.load(std::memory_order_relaxed) == step_) return;
  const ProductChunks::Round round = chunks_.draw_round(seed_, step_);
  places_.resize(chunks_.n_draws());
  auto end = places_.begin();
  for (int chunk = 0; chunk < chunks_.n_chunks(); ++chunk) {
    const std::span<PixelPlace> places(&*end, chunks_.chunk_samples());
    chunks_.draw_chunk(round, chunk, places);
    end = std::remove_if(end, end + chunks_.chunk_samples(),
                         [&](const PixelPlace& place) { return !chunks_.is_inside(place); });
  }
  places_.erase(end, places_.end());
  drawn_step_.store(step_, std::memory_order_release);
}

template <class Signal>
int64_t ProductBatch<Signal>::n_samples() const {
  if (chunks_.fills_signal()) return chunks_.n_draws();
  if (counted_step_ == step_) return n_inside_;
  draw();
  return static_cast<int64_t>(places_.size());
}

template <class Signal>
void ProductBatch<Signal>::note_inside(int64_t n_inside) const {
  n_inside_ = n_inside;
  counted_step_ = step_;
}

template <class Signal>
void ProductBatch<Signal>::fill(int64_t first, int64_t count, float* coords, float* targets) const {
  draw();
  const std::span<const PixelPlace> places(places_.data() + first, static_cast<std::size_t>(count));
  const auto& size = chunks_.size();
  const int n_dims = chunks_.n_dims();
  for (const PixelPlace& place : places) {
    *coords++ = pixel_coordinate(place.x, size[0]);
    *coords++ = pixel_coordinate(place.y, size[1]);
    if (n_dims == 3) *coords++ = pixel_coordinate(place.t, size[2]);
  }
  read(places, targets);
}

template class ProductBatch<Image>;
template class ProductBatch<Video>;

}  // namespace loe
