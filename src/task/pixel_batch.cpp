#include "task/pixel_batch.h"

namespace loe {
namespace {

ValueFormat format_of(PixelType type) {
  switch (type) {
    case PixelType::U8:
      return ValueFormat::U8;
    case PixelType::U16:
      return ValueFormat::U16;
    case PixelType::F16:
      return ValueFormat::F16;
    case PixelType::F32:
      return ValueFormat::F32;
  }
  return ValueFormat::F32;
}

/// Of a picture or a video: what both call by the same name.
template <class Signal, class Sampler>
PixelSamples describe(const Signal& signal, const Sampler& sampler, uint64_t seed) {
  PixelSamples pixels;
  pixels.signal = new_signal_id();
  pixels.size = {signal.width(), signal.height(), 1};
  pixels.n_channels = signal.n_channels();
  pixels.format = format_of(signal.type());
  pixels.every_pixel = sampler.sampling() == PixelSampling::AllPixels;
  pixels.n_samples = sampler.n_samples();
  pixels.seed = seed;
  return pixels;
}

}  // namespace

PixelSamples describe_pixels(const Image& image, const ImageSampler& sampler, uint64_t seed) {
  PixelSamples pixels = describe(image, sampler, seed);
  pixels.frames = {image.data()};
  return pixels;
}

PixelSamples describe_pixels(const Video& video, const VideoSampler& sampler, uint64_t seed) {
  PixelSamples pixels = describe(video, sampler, seed);
  pixels.n_dims = 3;
  pixels.size[2] = video.n_frames();
  for (int t = 0; t < video.n_frames(); ++t) pixels.frames.push_back(video.frame(t).data());
  return pixels;
}

}  // namespace loe
