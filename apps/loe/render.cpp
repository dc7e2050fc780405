// `loe render`: a model back to a picture, whole, cropped or at another size.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/io/image_file.h"
#include "loe/task/image_task.h"
#include "machine.h"
#include "model_source.h"
#include "parse.h"
#include "progress.h"

namespace loe::app {
namespace {

struct RenderFlags {
  std::string source;
  std::string out;
  std::string region;
  std::string size;
  std::string depth;
  std::string device = "auto";
  std::string threads;
  std::string precision = "f32";
  std::string progress = "auto";
  bool quiet = false;
};

/// The depth that the user did not choose: the source's, or the nearest that this kind of file can hold.
PixelType default_depth(const std::string& path, PixelType source) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool is_integer = source == PixelType::U8 || source == PixelType::U16;
  if (extension == ".jpg" || extension == ".jpeg" || extension == ".webp") return PixelType::U8;
  if (extension == ".png") return is_integer ? source : PixelType::U16;
  if (extension == ".exr") return is_integer ? PixelType::F16 : source;
  if (extension == ".hdr") return PixelType::F32;
  return source;
}

int render(const RenderFlags& flags) {
  const Precision precision = precision_from_string(flags.precision);
  const int threads = flags.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags.threads, 0, 1024));
  backend_of_flag(flags.device);
  Reporter reporter(progress_mode(flags.progress), flags.quiet ? Verbosity::Quiet : Verbosity::Normal);
  const ModelSource source = open_model(flags.source);
  const SignalInfo& signal = source.model.signal;
  if (signal.task != "image") {
    throw Error(ErrorKind::Unsupported, fmt::format("[render] {}: expected a model of a picture, got one of task '{}'",
                                                    source.model_path, signal.task));
  }
  Region region{0, 0, signal.width, signal.height};
  if (!flags.region.empty()) region = parse_region("--region", flags.region);
  // 64 bits: x + width of a hostile flag must not wrap.
  if (int64_t{region.x} + region.width > signal.width || int64_t{region.y} + region.height > signal.height) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --region: expected a rectangle inside {} x {} pixels, got {}", signal.width,
                            signal.height, flags.region));
  }
  PictureSize size{region.width, region.height};
  if (!flags.size.empty()) size = parse_size("--size", flags.size);
  const PixelType depth = flags.depth.empty() ? default_depth(flags.out, pixel_type_from_string(signal.pixel_type))
                                              : pixel_type_from_string(flags.depth);

  const std::unique_ptr<Executor> executor = compile(flags.device, source.model.network, precision, threads);
  executor->set_params(source.model.params);
  ImageWriter writer(flags.out, size.width, size.height, source.model.network.n_out(), depth, signal.color_space);
  // The guard lets the writer remove its temporary file when the user stops a long rendering.
  const InterruptGuard guard;
  decode_image(*executor, signal.width, signal.height, region, size.width, size.height,
               [&](int first_row, int n_rows, const float* values) {
                 if (InterruptGuard::requested().load()) {
                   throw Error(ErrorKind::Cancelled, fmt::format("[render] {}: stopped, nothing written", flags.out));
                 }
                 writer.write_rows(n_rows, values);
                 reporter.job("rendering", static_cast<double>(first_row + n_rows) / size.height);
               });
  writer.close();
  reporter.end_line();
  if (!flags.quiet) fmt::print("{}  {} x {}, {}\n", flags.out, size.width, size.height, to_string(depth));
  return 0;
}

}  // namespace

void add_render_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("render", "turn a model back into a picture");
  auto flags = std::make_shared<RenderFlags>();
  command->add_option("RUN", flags->source, "a run folder, model.safetensors, or a run's checkpoint")->required();
  command->add_option("-o,--out", flags->out, "picture to write; its extension is the format")
      ->required()
      ->type_name("FILE");
  command->add_option("--region", flags->region, "x,y,width,height in pixels of the source")->type_name("X,Y,W,H");
  command->add_option("--size", flags->size, "size of the output (default: the region's own)")->type_name("WxH");
  command->add_option("--depth", flags->depth, "u8, u16, f16, f32 (default: the source's)")->type_name("TYPE");
  command->add_option("--device", flags->device, "auto, cpu, reference")->type_name("NAME")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: all usable cores")->type_name("N");
  command->add_option("--precision", flags->precision, "f32, bf16")->type_name("NAME")->capture_default_str();
  command->add_option("--progress", flags->progress, "auto, plain, none")->type_name("MODE")->capture_default_str();
  command->add_flag("-q,--quiet", flags->quiet, "print errors only");
  command->callback([flags, &invocation] { invocation.run = [flags] { return render(*flags); }; });
}

}  // namespace loe::app
