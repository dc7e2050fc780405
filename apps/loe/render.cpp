// `loe render`: a model back to a picture or video: whole, a part, at another size or frame rate, along a camera path.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#include "loe/fitting/model_source.h"
#include "loe/fitting/pictures.h"
#include "loe/io/image_file.h"
#include "loe/task/image_task.h"
#include "progress.h"
#include "render.h"

namespace loe::app {
namespace {

/// The depth that the user did not choose: the source's, or the nearest that this kind of file can hold.
PixelType default_depth(const std::string& path, PixelType source) {
  const std::string extension = extension_of(path);
  const bool is_integer = source == PixelType::U8 || source == PixelType::U16;
  if (extension == ".jpg" || extension == ".jpeg" || extension == ".webp") return PixelType::U8;
  if (extension == ".png") return is_integer ? source : PixelType::U16;
  if (extension == ".exr") return is_integer ? PixelType::F16 : source;
  if (extension == ".hdr") return PixelType::F32;
  return source;
}

void render_picture(const RenderFlags& flags, const SignalInfo& signal, Executor& executor, Reporter& reporter) {
  refuse_flags({{"--frames", flags.frames}, {"--fps", flags.fps}, {"--quality", flags.quality}}, "videos", "a picture");
  refuse_flags(scene_flags(flags), "scenes", "a picture");
  const Region region = chosen_region(flags, signal);
  const PictureSize size = chosen_size(flags, region);
  const PixelType depth = chosen_picture_depth(flags, signal);
  write_picture(flags, size, executor.spec().n_out(), depth, signal.tags, reporter, [&](const OnPictureRows& on_rows) {
    decode_image(executor, signal.width, signal.height, region, size.width, size.height, on_rows);
  });
  print_picture(flags, size, depth);
}

int render(const RenderFlags& flags) {
  const Precision precision = precision_from_string(flags.precision);
  const int threads = flags.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags.threads, 0, 1024));
  backend_of_flag(flags.device);
  Reporter reporter(progress_mode(flags.progress), flags.quiet ? Verbosity::Quiet : Verbosity::Normal);
  const ModelSource source = open_model(flags.source);
  const SignalInfo& signal = source.model.signal;
  if (signal.task != "image" && signal.task != "video" && signal.task != "scene" && signal.task != "gan") {
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("[render] {}: expected a model of a picture, video or scene or a generator, got one of task "
                    "'{}'",
                    source.model_path, signal.task));
  }
  ModelExecutor model = compile_to_look(flags.device, source.model, precision, threads);
  // The guard lets the writers remove their temporary files when the user stops a long rendering.
  const InterruptGuard guard;
  if (signal.task != "gan") refuse_flags(gan_flags(flags), "generators", "a signal");
  if (signal.task == "gan") {
    render_gan(flags, signal, model.main(), reporter);
  } else if (signal.task == "scene") {
    render_scene(flags, signal.field, model, reporter);
  } else if (signal.task == "video") {
    render_video(flags, signal, model.main(), reporter);
  } else {
    render_picture(flags, signal, model.main(), reporter);
  }
  return 0;
}

}  // namespace

void write_picture(const RenderFlags& flags, const PictureSize& size, int n_channels, PixelType depth,
                   const PictureTags& tags, Reporter& reporter,
                   const std::function<void(const OnPictureRows& on_rows)>& decode) {
  ImageWriter writer(flags.out, size.width, size.height, n_channels, depth, tags);
  if (const std::string lost = lost_tags(flags.out, tags); !lost.empty()) {
    reporter.warning(fmt::format("{}: {} of the source cannot be kept in such a file", flags.out, lost));
  }
  if (tags.range != PictureTags{}.range && is_integer_picture(depth)) {
    reporter.warning(
        fmt::format("{}: values from {:.6g} to {:.6g} are cut to 0 to 1 in a file of {}; write an .exr, or a "
                    ".tif with --depth f32",
                    flags.out, tags.range[0], tags.range[1], to_string(depth)));
  }
  decode([&](int first_row, int n_rows, const float* values) {
    check_not_stopped(flags);
    writer.write_rows(n_rows, values);
    reporter.job("rendering", static_cast<double>(first_row + n_rows) / size.height);
  });
  writer.close();
  reporter.end_line();
}

void print_picture(const RenderFlags& flags, const PictureSize& size, PixelType depth, const std::string& remark) {
  if (flags.quiet) return;
  fmt::print("{}  {} x {}, {}{}\n", flags.out, size.width, size.height, to_string(depth), remark);
}

void refuse_flags(const std::vector<NamedFlag>& flags, const char* right, const char* found) {
  for (const auto& [name, text] : flags) {
    if (text.empty()) continue;
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] {}: is for models of {}, got one of {}; leave it out", name, right, found));
  }
}

std::vector<NamedFlag> scene_flags(const RenderFlags& flags) {
  return {{"--camera-path", flags.camera_path},
          {"--view", flags.view},
          {"--map", flags.map},
          {"--occupancy", flags.occupancy},
          {"--min-transmittance", flags.min_transmittance}};
}

std::vector<NamedFlag> gan_flags(const RenderFlags& flags) {
  return {{"--samples", flags.samples}, {"--seed", flags.seed}, {"--latent-path", flags.latent_path}};
}

std::string extension_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

Region chosen_region(const RenderFlags& flags, const SignalInfo& signal) {
  if (flags.region.empty()) return {0, 0, signal.width, signal.height};
  const Region region = parse_region("--region", flags.region);
  // 64 bits: x + width of a hostile flag must not wrap.
  if (int64_t{region.x} + region.width > signal.width || int64_t{region.y} + region.height > signal.height) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --region: expected a rectangle inside {} x {} pixels, got {}", signal.width,
                            signal.height, flags.region));
  }
  return region;
}

PictureSize chosen_size(const RenderFlags& flags, const Region& region) {
  return flags.size.empty() ? PictureSize{region.width, region.height} : parse_size("--size", flags.size);
}

PixelType chosen_picture_depth(const RenderFlags& flags, const SignalInfo& signal) {
  return flags.depth.empty() ? default_depth(flags.out, pixel_type_from_string(signal.pixel_type))
                             : pixel_type_from_string(flags.depth);
}

void check_not_stopped(const RenderFlags& flags) {
  if (!InterruptGuard::requested().load()) return;
  throw Error(ErrorKind::Cancelled, fmt::format("[render] {}: stopped, nothing written", flags.out));
}

namespace {

void add_scene_flags(CLI::App& command, RenderFlags& flags) {
  const std::string group = "Of a scene";
  command
      .add_option("--camera-path", flags.camera_path,
                  "orbit, spiral, or a JSON file of key poses (transforms.json): --frames poses of it as a video")
      ->type_name("PATH")
      ->group(group);
  command.add_option("--view", flags.view, "a picture from one of the model's stored cameras (default 0)")
      ->type_name("K")
      ->group(group);
  command.add_option("--map", flags.map, "color (default), depth, opacity")->type_name("NAME")->group(group);
  command
      .add_option("--occupancy", flags.occupancy,
                  "cells along each axis of the grid that skips empty space (default 64); 0: none, as loe eval")
      ->type_name("N")
      ->group(group);
  command
      .add_option("--min-transmittance", flags.min_transmittance,
                  "leave out what less light gets through to (default 0.001); 0: nothing, as loe eval")
      ->type_name("X")
      ->group(group);
}

void add_gan_flags(CLI::App& command, RenderFlags& flags) {
  const std::string group = "Of a generator";
  command
      .add_option("--samples", flags.samples,
                  "pictures side by side (default 64; with --latent-path 8 rows of a sheet, 16 in a video)")
      ->type_name("N")
      ->group(group);
  command.add_option("--seed", flags.seed, "of the latents (default 0)")->type_name("N")->group(group);
  command
      .add_option("--latent-path", flags.latent_path,
                  "linear or spherical: each sample on a closed path through random latents, --frames places of it "
                  "as the columns of a sheet (default 8) or as a video (default 120)")
      ->type_name("NAME")
      ->group(group);
}

}  // namespace

void add_render_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("render", "turn a model back into a picture or video, or a scene into views");
  auto flags = std::make_shared<RenderFlags>();
  command->add_option("RUN", flags->source, "a run folder, model.safetensors, or a run's checkpoint")->required();
  command
      ->add_option("-o,--out", flags->out,
                   "file to write; its extension is the format (a video may be a folder of frames: NAME/)")
      ->required()
      ->type_name("FILE");
  command->add_option("--region", flags->region, "x,y,width,height in pixels of the source")->type_name("X,Y,W,H");
  command->add_option("--size", flags->size, "size of the output (default: the region's or views' own)")
      ->type_name("WxH");
  command
      ->add_option(
          "--frames", flags->frames,
          "of a video: a:b, or one frame T for a picture file, 12.5 lies between; of a scene: how many (default 120)")
      ->type_name("A:B");
  command
      ->add_option(
          "--fps", flags->fps,
          "frames per second to write (default: the source's, of a scene 30); of a video, more give frames in between")
      ->type_name("RATE");
  command->add_option("--quality", flags->quality, "of a compressed video: 0 (best) to 51 (default 12)")
      ->type_name("Q");
  command->add_option("--depth", flags->depth, "u8, u16, f16, f32 (default: the source's)")->type_name("TYPE");
  add_scene_flags(*command, *flags);
  add_gan_flags(*command, *flags);
  command->add_option("--device", flags->device, kDeviceNames)->type_name("NAME")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: all usable cores")->type_name("N");
  command->add_option("--precision", flags->precision, "f32, bf16")->type_name("NAME")->capture_default_str();
  command->add_option("--progress", flags->progress, "auto, plain, none")->type_name("MODE")->capture_default_str();
  command->add_flag("-q,--quiet", flags->quiet, "print errors only");
  command->callback([flags, &invocation] { invocation.run = [flags] { return render(*flags); }; });
}

}  // namespace loe::app
