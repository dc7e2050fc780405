#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/enum_names.h"
#include "loe/base/error.h"
#include "loe/task/gan_task.h"

namespace loe {
namespace {

/// Samples that are generated at a time: the features of 256 latents are 16 MB.
constexpr int64_t kPiece = 16384;

constexpr detail::EnumNames<LatentPath, 2> kPathNames = {
    {{LatentPath::Linear, "linear"}, {LatentPath::Spherical, "spherical"}}};

/// Two uniform words to two independent standard normal numbers. The first is moved off 0.
std::pair<float, float> normal_pair(uint32_t a, uint32_t b) {
  const double radius = std::sqrt(-2 * std::log((static_cast<double>(a) + 0.5) * 0x1p-32));
  const double angle = 2 * std::numbers::pi * (static_cast<double>(b) + 0.5) * 0x1p-32;
  return {static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle))};
}

}  // namespace

std::vector<float> draw_latents(uint64_t seed, RandomStream stream, uint64_t counter, int64_t n, int n_latents) {
  const int blocks = (n_latents + 3) / 4;
  std::vector<float> latents(n * n_latents);
  for (int64_t picture = 0; picture < n; ++picture) {
    for (int block = 0; block < blocks; ++block) {
      const auto words = random_words(seed, stream, counter, static_cast<uint32_t>(picture * blocks + block));
      const auto [z0, z1] = normal_pair(words[0], words[1]);
      const auto [z2, z3] = normal_pair(words[2], words[3]);
      const float values[] = {z0, z1, z2, z3};
      const int count = std::min(4, n_latents - 4 * block);
      std::copy_n(values, count, latents.data() + picture * n_latents + 4 * block);
    }
  }
  return latents;
}

std::vector<float> shown_latents(uint64_t seed, int64_t first, int64_t n, int n_latents) {
  std::vector<float> latents;
  for (int64_t i = first; i < first + n; ++i) {
    const auto one = draw_latents(seed, RandomStream::ShownLatents, static_cast<uint64_t>(i), 1, n_latents);
    latents.insert(latents.end(), one.begin(), one.end());
  }
  return latents;
}

const char* to_string(LatentPath path) {
  return detail::enum_name(kPathNames, path);
}

LatentPath latent_path_from_string(const std::string& text) {
  return detail::enum_value(kPathNames, text, "[gan] latent path");
}

void interpolate_latents(LatentPath path, std::span<const float> a, std::span<const float> b, double t,
                         std::span<float> out) {
  double of_a = 1 - t;
  double of_b = t;
  if (path == LatentPath::Spherical) {
    double aa = 0;
    double bb = 0;
    double ab = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
      ab += static_cast<double>(a[i]) * b[i];
    }
    const double lengths = std::sqrt(aa * bb);
    const double angle = lengths > 0 ? std::acos(std::clamp(ab / lengths, -1.0, 1.0)) : 0;
    // Directions that (nearly) agree or oppose each other have no great circle between them.
    if (std::sin(angle) > 1e-6) {
      const double length = (1 - t) * std::sqrt(aa) + t * std::sqrt(bb);
      of_a = std::sin((1 - t) * angle) / std::sin(angle) * length / std::sqrt(aa);
      of_b = std::sin(t * angle) / std::sin(angle) * length / std::sqrt(bb);
    }
  }
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = static_cast<float>(of_a * a[i] + of_b * b[i]);
}

GeneratedSamples::GeneratedSamples(int width, int height, const Region& region, std::span<const float> latents,
                                   int n_latents)
    : width_(width),
      height_(height),
      region_(region),
      latents_(latents),
      n_latents_(n_latents),
      n_pictures_(static_cast<int64_t>(latents.size()) / n_latents) {}

void GeneratedSamples::fill(int64_t first, int64_t count, float* coords, float* features) const {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t pixel = (first + i) / n_pictures_;
    const int64_t picture = (first + i) % n_pictures_;
    const int64_t x = region_.x + pixel % region_.width;
    const int64_t y = region_.y + pixel / region_.width;
    coords[2 * i] = static_cast<float>((static_cast<double>(x) + 0.5) / width_);
    coords[2 * i + 1] = static_cast<float>((static_cast<double>(y) + 0.5) / height_);
    std::copy_n(latents_.data() + picture * n_latents_, n_latents_, features + i * n_latents_);
  }
}

void generate_pictures(Executor& generator, const GeneratedSamples& samples, std::span<float> pictures) {
  const NetworkSpec& spec = generator.spec();
  const int n_out = spec.n_out();
  const int64_t n_pixels = samples.n_pixels();
  if (static_cast<int64_t>(pictures.size()) != samples.n_samples() * n_out) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[gan] pictures: expected {} numbers, got {}",
                                                        samples.n_samples() * n_out, pictures.size()));
  }
  std::vector<float> coords(kPiece * spec.n_dims);
  std::vector<float> features(kPiece * spec.n_features());
  std::vector<float> values(kPiece * n_out);
  for (int64_t first = 0; first < samples.n_samples(); first += kPiece) {
    const int64_t count = std::min(kPiece, samples.n_samples() - first);
    samples.fill(first, count, coords.data(), features.data());
    const auto used = static_cast<std::size_t>(count);
    generator.forward(
        {count, std::span(coords).first(used * spec.n_dims), std::span(features).first(used * spec.n_features())},
        std::span(values).first(used * n_out));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t pixel = (first + i) / samples.n_pictures();
      const int64_t picture = (first + i) % samples.n_pictures();
      for (int c = 0; c < n_out; ++c) {
        pictures[(picture * n_out + c) * n_pixels + pixel] = values[i * n_out + c];
      }
    }
  }
}

}  // namespace loe
