// `loe render` of a generator: samples as a sheet, or on their way through latents as a sheet or video.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "loe/base/error.h"
#include "loe/fitting/sample_sheet.h"
#include "loe/io/image_file.h"
#include "loe/io/video_file.h"
#include "loe/task/gan_task.h"
#include "render.h"

namespace loe::app {
namespace {

constexpr int kSheetSamples = 64;
constexpr int kVideoSamples = 16;
constexpr int kPathSamples = 8;  ///< of a sheet with a path: one per row
constexpr int kPathColumns = 8;
constexpr int kVideoFrames = 120;
/// Random latents that a path leads through before it comes back to the first.
constexpr int kKeyLatents = 5;
constexpr FrameRate kDefaultRate = {30, 1};
constexpr int64_t kMaxSamples = 65536;
constexpr int64_t kMaxFrames = 1000000;
constexpr int64_t kMaxSeed = int64_t{1} << 62;

int count_of(const char* flag, const std::string& text, int fallback, int64_t max) {
  return text.empty() ? fallback : static_cast<int>(parse_int(flag, text, 1, max));
}

struct Path {
  uint64_t seed = 0;
  LatentPath kind = LatentPath::Spherical;
  int n_samples = 0;
  int n_latents = 0;

  /// Latents of all samples at `place` in [0, 1) of their closed paths.
  std::vector<float> at(double place) const {
    const double on_path = place * kKeyLatents;
    const int64_t key = static_cast<int64_t>(on_path) % kKeyLatents;
    std::vector<float> latents(static_cast<std::size_t>(n_samples) * static_cast<std::size_t>(n_latents));
    for (int64_t i = 0; i < n_samples; ++i) {
      const auto key_latent = [&](int64_t k) {
        return shown_latents(seed, i * kKeyLatents + k % kKeyLatents, 1, n_latents);
      };
      interpolate_latents(
          kind, key_latent(key), key_latent(key + 1), on_path - static_cast<double>(key),
          std::span(latents).subspan(static_cast<std::size_t>(i * n_latents), static_cast<std::size_t>(n_latents)));
    }
    return latents;
  }
};

/// A row per sample, a column per place of its path.
std::vector<float> path_sheet(const Path& path, int n_columns) {
  const auto n_latents = static_cast<std::size_t>(path.n_latents);
  std::vector<float> latents(n_latents * static_cast<std::size_t>(path.n_samples) *
                             static_cast<std::size_t>(n_columns));
  for (int column = 0; column < n_columns; ++column) {
    const std::vector<float> found = path.at(static_cast<double>(column) / n_columns);
    for (std::size_t row = 0; row < static_cast<std::size_t>(path.n_samples); ++row) {
      const std::size_t to = row * static_cast<std::size_t>(n_columns) + static_cast<std::size_t>(column);
      std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(row * n_latents), n_latents,
                  latents.begin() + static_cast<std::ptrdiff_t>(to * n_latents));
    }
  }
  return latents;
}

void write_samples(const RenderFlags& flags, Executor& generator, const SampleSheet& sheet, Reporter& reporter) {
  const PixelType depth = flags.depth.empty() ? PixelType::U8 : pixel_type_from_string(flags.depth);
  ImageWriter writer(flags.out, sheet.width(), sheet.height(), 3, depth);
  int n_done = 0;
  generate_sheet(generator, sheet, [&](int n_rows, const float* values) {
    check_not_stopped(flags);
    writer.write_rows(n_rows, values);
    n_done += n_rows;
    reporter.job("rendering", static_cast<double>(n_done) / sheet.height());
  });
  writer.close();
  reporter.end_line();
  if (flags.quiet) return;
  fmt::print("{}  {} pictures of {} x {}, {}\n", flags.out, sheet.n_pictures(), sheet.region.width, sheet.region.height,
             to_string(depth));
}

void write_path(const RenderFlags& flags, Executor& generator, SampleSheet sheet, const Path& path,
                Reporter& reporter) {
  const int n_frames = count_of("--frames", flags.frames, kVideoFrames, kMaxFrames);
  VideoOptions options;
  options.rate = flags.fps.empty() ? kDefaultRate : parse_frame_rate("--fps", flags.fps);
  if (!flags.depth.empty()) options.type = pixel_type_from_string(flags.depth);
  if (!flags.quality.empty()) options.quality = parse_double("--quality", flags.quality, 0, 51);
  VideoWriter writer(flags.out, sheet.width(), sheet.height(), 3, options);
  std::vector<float> frame(static_cast<std::size_t>(3 * sheet.width()) * static_cast<std::size_t>(sheet.height()));
  for (int t = 0; t < n_frames; ++t) {
    sheet.latents = path.at(static_cast<double>(t) / n_frames);
    auto to = frame.begin();
    generate_sheet(generator, sheet, [&](int n_rows, const float* values) {
      check_not_stopped(flags);
      to = std::copy_n(values, 3 * sheet.width() * n_rows, to);
    });
    writer.write_frame(frame.data());
    reporter.job("rendering", static_cast<double>(t + 1) / n_frames);
  }
  writer.close();
  reporter.end_line();
  if (flags.quiet) return;
  fmt::print("{}  {} pictures of {} x {}, {} frames at {:.4g} a second\n", flags.out, path.n_samples,
             sheet.region.width, sheet.region.height, n_frames, options.rate.value());
}

}  // namespace

void render_gan(const RenderFlags& flags, const SignalInfo& signal, Executor& generator, Reporter& reporter) {
  refuse_flags(scene_flags(flags), "scenes", "pictures");
  const bool has_path = !flags.latent_path.empty();
  const bool is_picture = is_image_name(flags.out);
  if (!has_path) {
    refuse_flags({{"--frames", flags.frames}}, "videos (or goes with --latent-path)", "pictures");
  }
  if (is_picture || !has_path) {
    refuse_flags({{"--fps", flags.fps}, {"--quality", flags.quality}}, "videos", "pictures");
  }
  SampleSheet sheet;
  sheet.n_latents = generator.spec().n_features();
  sheet.size = flags.size.empty() ? PictureSize{signal.width, signal.height} : parse_size("--size", flags.size);
  SignalInfo sized = signal;
  sized.width = sheet.size.width;
  sized.height = sheet.size.height;
  sheet.region = chosen_region(flags, sized);
  Path path;
  path.seed = flags.seed.empty() ? 0 : static_cast<uint64_t>(parse_int("--seed", flags.seed, 0, kMaxSeed));
  path.n_latents = sheet.n_latents;
  if (!has_path) {
    const int n = count_of("--samples", flags.samples, kSheetSamples, kMaxSamples);
    sheet.latents = shown_latents(path.seed, 0, n, sheet.n_latents);
    sheet.n_columns = columns_of(n);
    return write_samples(flags, generator, sheet, reporter);
  }
  path.kind = latent_path_from_string(flags.latent_path);
  path.n_samples = count_of("--samples", flags.samples, is_picture ? kPathSamples : kVideoSamples, kMaxSamples);
  if (is_picture) {
    sheet.n_columns = count_of("--frames", flags.frames, kPathColumns, kMaxSamples);
    sheet.latents = path_sheet(path, sheet.n_columns);
    return write_samples(flags, generator, sheet, reporter);
  }
  sheet.n_columns = columns_of(path.n_samples);
  sheet.latents = path.at(0);
  write_path(flags, generator, sheet, path, reporter);
}

}  // namespace loe::app
