// `loe mesh`: the surface of a fitted scene as triangles.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <vector>

#include "commands.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/fitting/machine.h"
#include "loe/fitting/model_source.h"
#include "loe/io/mesh_file.h"
#include "loe/render/marching_cubes.h"
#include "loe/task/scene_task.h"
#include "parse.h"
#include "progress.h"
#include "render.h"

namespace loe::app {
namespace {

constexpr int kDefaultResolution = 256;
constexpr int kMaxResolution = 1024;
/// Tried on a short fit of the synthetic lego scene, whose densities end at 55: crumbs of haze at 3, holes at 20.
constexpr double kDefaultLevel = 10;

struct MeshFlags {
  std::string source;
  std::string out;
  std::string resolution;
  std::string level;
  std::string device = "auto";
  std::string threads;
  std::string precision = "f32";
  std::string progress = "auto";
  bool quiet = false;
};

/// Before minutes are spent on what cannot be written.
void check_out(const std::string& path) {
  const std::string extension = extension_of(path);
  if (extension != ".ply" && extension != ".obj") {
    throw Error(ErrorKind::Unsupported,
                fmt::format("[flags] --out: expected a name that ends in .ply or .obj, got {}", path));
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
    throw Error(
        ErrorKind::Io,
        fmt::format("[flags] --out: expected a folder {} to write to, found none; create it first", folder.string()));
  }
}

/// `resolution` nodes along the box's longest side, cells that are nearly cubes.
FieldSpec lattice(const FieldInfo& field, int resolution) {
  FieldSpec spec;
  spec.box = {field.box_min, field.box_max};
  std::array<double, 3> sides{};
  for (std::size_t a = 0; a < 3; ++a) sides[a] = field.box_max[a] - field.box_min[a];
  const double longest = *std::max_element(sides.begin(), sides.end());
  for (std::size_t a = 0; a < 3; ++a) {
    spec.size[a] = std::max(2, 1 + static_cast<int>(std::lround((resolution - 1) * sides[a] / longest)));
  }
  return spec;
}

/// Work in batches that shows its progress and stops when the user asks.
class Job {
 public:
  Job(const MeshFlags& flags, Reporter& reporter, const char* name, int64_t n_points)
      : flags_(flags), reporter_(reporter), name_(name), n_points_(n_points) {}

  void add(std::size_t n_points) {
    if (InterruptGuard::requested().load()) {
      throw Error(ErrorKind::Cancelled, fmt::format("[mesh] {}: stopped, nothing written", flags_.out));
    }
    n_done_ += static_cast<int64_t>(n_points);
    reporter_.job(name_, static_cast<double>(n_done_) / static_cast<double>(n_points_));
  }

 private:
  const MeshFlags& flags_;
  Reporter& reporter_;
  const char* name_;
  int64_t n_points_;
  int64_t n_done_ = 0;
};

Mesh surface(const MeshFlags& flags, const FieldSpec& spec, float level, FieldRenderer& renderer, Reporter& reporter) {
  const int64_t n_nodes = int64_t{spec.size[0]} * spec.size[1] * spec.size[2];
  Job sampling(flags, reporter, "sampling the density", n_nodes);
  const std::vector<float> density = sample_field(spec, [&](std::span<const float> points, std::span<float> sigma) {
    sampling.add(sigma.size());
    renderer.density(points, sigma);
  });
  Mesh mesh = marching_cubes(spec, density, level);
  if (mesh.n_triangles() == 0) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[mesh] --level: expected a density that the scene reaches, which is {:.4g} at most here, "
                            "got {:.4g}; give a smaller --level",
                            *std::max_element(density.begin(), density.end()), level));
  }
  Job coloring(flags, reporter, "colouring", mesh.n_vertices());
  std::vector<float> directions;
  color_vertices(mesh, [&](std::span<const float> positions, std::span<const float> normals, std::span<float> colors) {
    coloring.add(positions.size() / 3);
    directions.resize(normals.size());
    std::transform(normals.begin(), normals.end(), directions.begin(), [](float n) { return -n; });
    renderer.color(positions, directions, colors);
  });
  return mesh;
}

/// From normalised coordinates to the scene's own; the scale is the same along all axes, so normals stay.
void move_to_world(Mesh& mesh, const FieldInfo& field) {
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    mesh.positions[i] = static_cast<float>(mesh.positions[i] / field.scale + field.centre[i % 3]);
  }
}

int mesh(const MeshFlags& flags) {
  const Precision precision = precision_from_string(flags.precision);
  const int threads = flags.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags.threads, 0, 1024));
  const int resolution = flags.resolution.empty()
                             ? kDefaultResolution
                             : static_cast<int>(parse_int("--resolution", flags.resolution, 2, kMaxResolution));
  const double level = flags.level.empty() ? kDefaultLevel : parse_double("--level", flags.level, 1e-6, 1e12);
  backend_of_flag(flags.device);
  check_out(flags.out);
  Reporter reporter(progress_mode(flags.progress), flags.quiet ? Verbosity::Quiet : Verbosity::Normal);
  const ModelSource source = open_model(flags.source);
  if (source.model.signal.task != "scene") {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[mesh] {}: expected a model of a scene, got one of task '{}'",
                                                        source.model_path, source.model.signal.task));
  }
  const FieldInfo& field = source.model.signal.field;
  ModelExecutor model = compile(flags.device, source.model.spec, precision, threads);
  model.set_params(source.model.params);
  const InterruptGuard guard;
  const auto start = std::chrono::steady_clock::now();
  FieldRenderer renderer(model, field.rays);
  Mesh result = surface(flags, lattice(field, resolution), static_cast<float>(level), renderer, reporter);
  move_to_world(result, field);
  write_mesh(flags.out, result);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  reporter.end_line();
  if (!flags.quiet) {
    fmt::print("{}  {} vertices, {} triangles, {:.1f} seconds\n", flags.out, format_integer(result.n_vertices()),
               format_integer(result.n_triangles()), seconds);
  }
  return 0;
}

}  // namespace

void add_mesh_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("mesh", "the surface of a fitted scene as a triangle mesh");
  auto flags = std::make_shared<MeshFlags>();
  command->add_option("RUN", flags->source, "a run folder, model.safetensors, or a run's checkpoint")->required();
  command->add_option("-o,--out", flags->out, "file to write: .ply or .obj, in the scene's own coordinates")
      ->required()
      ->type_name("FILE");
  command->add_option("--resolution", flags->resolution, "nodes along the box's longest side (default 256)")
      ->type_name("N");
  command
      ->add_option("--level", flags->level,
                   "density of the surface, per side of the normalised cube (default 10); more: less haze, more holes")
      ->type_name("X");
  command->add_option("--device", flags->device, kDeviceNames)->type_name("NAME")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: all usable cores")->type_name("N");
  command->add_option("--precision", flags->precision, "f32, bf16")->type_name("NAME")->capture_default_str();
  command->add_option("--progress", flags->progress, "auto, plain, none")->type_name("MODE")->capture_default_str();
  command->add_flag("-q,--quiet", flags->quiet, "print errors only");
  command->callback([flags, &invocation] { invocation.run = [flags] { return mesh(*flags); }; });
}

}  // namespace loe::app
