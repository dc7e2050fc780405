#include "loe/render/ray_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "loe/base/error.h"
#include "loe/base/random.h"
#include "render/check.h"
#include "render/ray_loop.h"

namespace loe {
namespace {

constexpr const char* kPart = "ray_sampler";
constexpr double kWeightFloor = 1e-5;  ///< published NeRF's: keeps rays that meet nothing sampled everywhere

void require_count(const char* thing, int n, int64_t n_rays, const SampleJitter& jitter) {
  if (n < 1 || n > 65536) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[{}] {}: expected 1..65536 per ray, got {}; 64 to 256 are usual", kPart, thing, n));
  }
  // One lane is four numbers, and lanes have 32 bits.
  const int64_t n_lanes = (jitter.first_ray + n_rays) * ((int64_t{n} + 3) / 4);
  if (jitter.enabled && (jitter.first_ray < 0 || n_lanes > (int64_t{1} << 32))) {
    throw Error(
        ErrorKind::InvalidArgument,
        fmt::format("[{}] {}: expected at most 2^34 in a step, got rays {}..{} of {} each; take smaller batches", kPart,
                    thing, jitter.first_ray, jitter.first_ray + n_rays - 1, n));
  }
}

/// out[k] in [0, 1) for the n samples of a ray.
void uniform_numbers(RandomStream stream, const SampleJitter& jitter, int64_t ray, int n, float* out) {
  const int64_t n_blocks = (n + 3) / 4;
  const int64_t first_lane = (jitter.first_ray + ray) * n_blocks;
  for (int64_t block = 0; block < n_blocks; ++block) {
    const std::array<uint32_t, 4> words =
        random_words(jitter.seed, stream, jitter.step, static_cast<uint32_t>(first_lane + block));
    const int64_t end = std::min<int64_t>(4, n - block * 4);
    for (int64_t i = 0; i < end; ++i) {
      out[block * 4 + i] = to_unit_float(words[i]);
    }
  }
}

/// u_k, ascending.
void importance_positions(ImportanceDraw draw, const SampleJitter& jitter, int64_t ray, int n, float* u) {
  if (jitter.enabled) {
    uniform_numbers(RandomStream::ImportanceSamples, jitter, ray, n, u);
    if (draw == ImportanceDraw::Independent) {
      std::sort(u, u + n);
      return;
    }
    for (int k = 0; k < n; ++k) {
      u[k] = (static_cast<float>(k) + u[k]) / static_cast<float>(n);
    }
    return;
  }
  for (int k = 0; k < n; ++k) {
    u[k] = draw == ImportanceDraw::Independent && n > 1 ? static_cast<float>(k) / static_cast<float>(n - 1)
                                                        : (static_cast<float>(k) + 0.5F) / static_cast<float>(n);
  }
}

/// Replaces ascending u by the places where the distribution function reaches them.
void invert_distribution(const float* t, const float* weights, int n_coarse, float* u, int n_fine) {
  const auto probability = [weights](int i) { return static_cast<double>(weights[i]) + kWeightFloor; };
  const auto border = [t](int i) { return 0.5 * (static_cast<double>(t[i]) + static_cast<double>(t[i + 1])); };
  double total = 0;
  for (int i = 1; i <= n_coarse - 2; ++i) {
    total += probability(i);
  }
  int i = 1;  // interval from border(i - 1) to border(i)
  double before = 0;
  for (int k = 0; k < n_fine; ++k) {
    const double target = static_cast<double>(u[k]) * total;
    while (i < n_coarse - 2 && target >= before + probability(i)) {
      before += probability(i);
      ++i;
    }
    const double left = border(i - 1);
    const double share = std::clamp((target - before) / probability(i), 0.0, 1.0);
    u[k] = static_cast<float>(left + share * (border(i) - left));
  }
}

}  // namespace

void stratified_samples(std::span<const float> near, std::span<const float> far, int n, const SampleJitter& jitter,
                        std::span<float> t, ThreadPool* pool) {
  const int64_t n_rays = static_cast<int64_t>(near.size());
  require_count("samples", n, n_rays, jitter);
  require_size(kPart, "far", far.size(), n_rays);
  require_size(kPart, "t", t.size(), n_rays * n);
  for_each_ray(pool, n_rays, [&](int64_t ray) {
    float* out = t.data() + ray * n;
    if (jitter.enabled) {
      uniform_numbers(RandomStream::RayJitter, jitter, ray, n, out);
    } else {
      std::fill_n(out, n, 0.5F);
    }
    const float length = near[ray] < far[ray] ? far[ray] - near[ray] : 0.0F;
    const float bin = length / static_cast<float>(n);
    for (int k = 0; k < n; ++k) {
      out[k] = near[ray] + (static_cast<float>(k) + out[k]) * bin;
    }
  });
}

void importance_samples(std::span<const float> near, std::span<const float> far, std::span<const float> t,
                        std::span<const float> weights, int n_coarse, int n_fine, ImportanceDraw draw,
                        const SampleJitter& jitter, std::span<float> t_fine, ThreadPool* pool) {
  const int64_t n_rays = static_cast<int64_t>(near.size());
  require_count("coarse samples", n_coarse, n_rays, jitter);
  require_count("fine samples", n_fine, n_rays, jitter);
  require_size(kPart, "far", far.size(), n_rays);
  require_size(kPart, "t", t.size(), n_rays * n_coarse);
  require_size(kPart, "weights", weights.size(), n_rays * n_coarse);
  require_size(kPart, "t_fine", t_fine.size(), n_rays * n_fine);
  for_each_ray(pool, n_rays, [&](int64_t ray) {
    float* u = t_fine.data() + ray * n_fine;
    importance_positions(draw, jitter, ray, n_fine, u);
    if (n_coarse >= 3) {
      invert_distribution(t.data() + ray * n_coarse, weights.data() + ray * n_coarse, n_coarse, u, n_fine);
      return;
    }
    const float length = near[ray] < far[ray] ? far[ray] - near[ray] : 0.0F;
    for (int k = 0; k < n_fine; ++k) {
      u[k] = near[ray] + u[k] * length;
    }
  });
}

void merge_samples(std::span<const float> coarse, int n_coarse, std::span<const float> fine, int n_fine,
                   std::span<float> t, ThreadPool* pool) {
  const int64_t n_rays = n_coarse > 0 ? static_cast<int64_t>(coarse.size()) / n_coarse : 0;
  if (n_coarse < 1 || n_fine < 1) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[{}] samples per ray: expected at least 1 of each, got {} and "
                                                        "{}; without fine samples there is nothing to merge",
                                                        kPart, n_coarse, n_fine));
  }
  require_size(kPart, "coarse", coarse.size(), n_rays * n_coarse);
  require_size(kPart, "fine", fine.size(), n_rays * n_fine);
  require_size(kPart, "t", t.size(), n_rays * (int64_t{n_coarse} + n_fine));
  for_each_ray(pool, n_rays, [&](int64_t ray) {
    const float* a = coarse.data() + ray * n_coarse;
    const float* b = fine.data() + ray * n_fine;
    std::merge(a, a + n_coarse, b, b + n_fine, t.data() + ray * (int64_t{n_coarse} + n_fine));
  });
}

}  // namespace loe
