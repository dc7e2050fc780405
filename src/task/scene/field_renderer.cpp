#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "loe/base/thread_pool.h"
#include "loe/render/volume_rendering.h"
#include "loe/task/scene_task.h"
#include "task/scene/ray_objective.h"
#include "task/scene/ray_samples.h"

namespace loe {
namespace {

/// Samples of the larger network that are in memory at a time.
constexpr int64_t kSamplesAtOnce = 262144;
constexpr int64_t kRaysPerStrip = 8192;
/// Samples per task of what is done beside the networks.
constexpr int64_t kSamplesPerTask = 4096;

/// Raw outputs of a network for all samples.
struct FieldPass {
  SampleSet samples;
  std::vector<float> coords;
  std::vector<float> features;
  std::vector<float> outputs;
  std::vector<float> weights;
  std::vector<float> sigma;
  std::vector<float> color;
};

}  // namespace

struct FieldRenderer::Impl {
  Impl(ModelExecutor& field, const RaySettings& settings, const RaySkipping& skipping)
      : model(field), rays(settings), pool(field.main().n_threads()), sampler(settings, skipping, &pool) {}

  void evaluate(Executor& executor, const RayBatch& batch, FieldPass& pass) {
    const int64_t n = pass.samples.size();
    const bool has_colors = executor.spec().n_features() > 0;
    const std::span<const float> directions = has_colors ? encoded : std::span<const float>();
    const std::size_t width = directions.size() / static_cast<std::size_t>(std::max<int64_t>(1, batch.size()));
    pass.coords.resize(static_cast<std::size_t>(3 * n));
    pass.features.resize(width * static_cast<std::size_t>(n));
    pass.outputs.resize(static_cast<std::size_t>((has_colors ? kFieldOutputs : 1) * n));
    pass.weights.resize(static_cast<std::size_t>(n));
    for_parts(n, [&](int64_t first, int64_t count) {
      fill_ray_samples(batch, pass.samples, directions, first, count, pass.coords.data() + 3 * first,
                       pass.features.data() + static_cast<int64_t>(width) * first);
    });
    on_piece();
    if (n > 0) executor.forward({n, pass.coords, pass.features}, pass.outputs);
    activate(pass, n);
    n_samples += n;
  }

  void activate(FieldPass& pass, int64_t n) {
    pass.sigma.resize(static_cast<std::size_t>(n));
    pass.color.resize(static_cast<std::size_t>(3 * n));
    const int64_t width = n == 0 ? 0 : static_cast<int64_t>(pass.outputs.size()) / n;
    for_parts(n, [&](int64_t first, int64_t count) {
      activate_samples(rays, std::span(pass.outputs).subspan(width * first, width * count),
                       std::span(pass.sigma).subspan(first, count),
                       std::span(pass.color).subspan(3 * first, 3 * count));
    });
  }

  /// body(first, count) over all of [0, n).
  template <typename Body>
  void for_parts(int64_t n, const Body& body) {
    pool.parallel_for((n + kSamplesPerTask - 1) / kSamplesPerTask, [&](int64_t task, int) {
      const int64_t first = task * kSamplesPerTask;
      body(first, std::min(kSamplesPerTask, n - first));
    });
  }

  void composite(FieldPass& pass, std::span<float> color, std::span<float> opacity, std::span<float> depth) {
    const std::array<float, 3> background = {static_cast<float>(rays.background[0]),
                                             static_cast<float>(rays.background[1]),
                                             static_cast<float>(rays.background[2])};
    volume_render({pass.samples.offsets, pass.samples.t, pass.samples.delta, pass.sigma, pass.color}, background,
                  {color, opacity, depth, pass.weights}, &pool);
  }

  void render_some(const RayBatch& batch, std::span<float> color, std::span<float> opacity, std::span<float> depth) {
    encode_directions(encoding, batch.directions, encoded);
    sampler.draw_coarse(batch, {}, coarse.samples);
    evaluate(model[0], batch, coarse);
    composite(coarse, color, opacity, depth);
    sampler.draw_fine(batch, {}, coarse.weights, fine.samples);
    evaluate(model[1], batch, fine);
    composite(fine, color, opacity, depth);
  }

  ModelExecutor& model;
  RaySettings rays;
  ThreadPool pool;
  HierarchicalSampler sampler;
  InputSpec encoding;
  std::vector<float> encoded;
  FieldPass coarse;
  FieldPass fine;
  std::function<void()> on_piece = [] {};
  int64_t n_samples = 0;
};

FieldRenderer::FieldRenderer(ModelExecutor& model, const RaySettings& rays, const RaySkipping& skipping) {
  rays.validate();
  if (model.spec().parts.size() != 2) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[scene] model: expected a coarse and a fine network, got {}", model.spec().parts.size()));
  }
  const NetworkSpec& coarse = model.spec().parts[0].network;
  const InputSpec encoding = direction_encoding(model.spec().main());
  const bool is_density = coarse.n_dims == 3 && coarse.n_out() == 1 && coarse.n_features() == 0;
  if (!is_density && direction_encoding(coarse) != encoding) {
    throw Error(ErrorKind::InvalidArgument, "[scene] model: expected one encoding of directions in both networks");
  }
  impl_ = std::make_unique<Impl>(model, rays, skipping);
  impl_->encoding = encoding;
}

FieldRenderer::~FieldRenderer() = default;

void FieldRenderer::set_on_piece(std::function<void()> on_piece) {
  impl_->on_piece = std::move(on_piece);
}

void FieldRenderer::render(const RayBatch& rays, FieldPixels& pixels) {
  const int64_t n_rays = rays.size();
  pixels.color.resize(static_cast<std::size_t>(3 * n_rays));
  pixels.opacity.resize(static_cast<std::size_t>(n_rays));
  pixels.depth.resize(static_cast<std::size_t>(n_rays));
  const int64_t at_once = std::max<int64_t>(1, kSamplesAtOnce / max_ray_samples(impl_->rays));
  RayBatch some;
  for (int64_t first = 0; first < n_rays; first += at_once) {
    const int64_t count = std::min(at_once, n_rays - first);
    some.resize(count);
    for (int64_t i = 0; i < count; ++i) {
      some.set(i, rays.get(first + i));
    }
    const auto part = [&](std::vector<float>& values, int64_t width) {
      return std::span(values).subspan(static_cast<std::size_t>(first * width),
                                       static_cast<std::size_t>(count * width));
    };
    impl_->render_some(some, part(pixels.color, 3), part(pixels.opacity, 1), part(pixels.depth, 1));
  }
}

void FieldRenderer::density(std::span<const float> points, std::span<float> sigma) {
  Impl& impl = *impl_;
  impl.on_piece();
  const std::size_t n = sigma.size();
  FieldPass& pass = impl.fine;
  pass.coords.resize(3 * n);
  std::transform(points.begin(), points.end(), pass.coords.begin(), field_coordinate);
  // Density does not read the direction.
  pass.features.assign(n * static_cast<std::size_t>(impl.encoding.width(3)), 0.0F);
  pass.outputs.resize(kFieldOutputs * n);
  impl.model[1].forward({static_cast<int64_t>(n), pass.coords, pass.features}, pass.outputs);
  impl.activate(pass, static_cast<int64_t>(n));
  std::copy(pass.sigma.begin(), pass.sigma.end(), sigma.begin());
  impl.n_samples += static_cast<int64_t>(n);
}

void FieldRenderer::color(std::span<const float> points, std::span<const float> directions, std::span<float> colors) {
  Impl& impl = *impl_;
  impl.on_piece();
  FieldPass& pass = impl.fine;
  pass.coords.resize(points.size());
  std::transform(points.begin(), points.end(), pass.coords.begin(), field_coordinate);
  encode_directions(impl.encoding, directions, pass.features);
  const int64_t n = static_cast<int64_t>(points.size() / 3);
  pass.outputs.resize(static_cast<std::size_t>(kFieldOutputs * n));
  impl.model[1].forward({n, pass.coords, pass.features}, pass.outputs);
  impl.activate(pass, n);
  std::copy(pass.color.begin(), pass.color.end(), colors.begin());
  impl.n_samples += n;
}

void FieldRenderer::render_view(const View& view, const Box& box,
                                const std::function<void(int first_row, int n_rows, const FieldPixels&)>& on_rows) {
  const int width = view.intrinsics.width;
  const int height = view.intrinsics.height;
  const int n_rows = static_cast<int>(std::max<int64_t>(1, kRaysPerStrip / width));
  RayBatch rays;
  FieldPixels pixels;
  for (int row = 0; row < height; row += n_rows) {
    const int count = std::min(n_rows, height - row);
    rays_of_rows(view, row, count, box, rays);
    render(rays, pixels);
    on_rows(row, count, pixels);
  }
}

int64_t FieldRenderer::n_samples() const {
  return impl_->n_samples;
}

OccupancyGrid occupancy_of(FieldRenderer& renderer, const SceneSettings& settings, int n_updates) {
  OccupancySpec spec;
  spec.resolution = settings.occupancy_resolution;
  spec.threshold = settings.occupancy_threshold;
  spec.decay = 1;
  OccupancyGrid grid(spec);
  for (int i = 0; i < n_updates; ++i) {
    grid.update([&](std::span<const float> points, std::span<float> sigma) { renderer.density(points, sigma); }, 0,
                static_cast<uint64_t>(i));
  }
  return grid;
}

Box box_of(const Scene& scene) {
  return {scene.box_min, scene.box_max};
}

}  // namespace loe
