// `loe paper`: repeats a table of the paper, our numbers beside its own.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "fit_session.h"
#include "fit_settings.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/base/version.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/io/run_folder.h"
#include "machine.h"
#include "model_source.h"
#include "paper_results.h"
#include "paper_rows.h"
#include "paper_video.h"
#include "parse.h"
#include "pictures.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPlanFile = "paper.json";
constexpr const char* kSourceFramesFile = "source_frames.png";
constexpr const char* kComparisonFile = "comparison.mp4";

struct PaperFlags {
  std::string table;
  std::string rows;
  std::string scale = "small";
  std::string seeds = "1";
  std::string data;
  std::vector<std::string> set;
  std::string out;
  std::string resume;
  std::string device;
  std::string threads;
  std::string progress = "auto";
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};

/// What to run, as paper.json keeps it for --resume.
struct PaperPlan {
  int table = 5;
  std::string scale;
  std::vector<std::string> rows;
  int n_seeds = 1;
  std::string data;
  std::vector<std::string> set;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

/// Error(InvalidArgument) that lists the choices and names the nearest.
void require_choice(const char* flag, const std::string& word, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return;
  const std::string near = closest_match(word, choices);
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[flags] {}: expected one of {}, got '{}'{}", flag, fmt::join(choices, ", "), word,
                          near.empty() ? "" : fmt::format("; did you mean {}?", near)));
}

std::vector<std::string> row_keys(const PaperTable& table) {
  std::vector<std::string> keys;
  for (const TableRow& row : table.rows) keys.push_back(row.key);
  return keys;
}

/// Checks names and numbers and puts the rows in the table's order.
void check_plan(PaperPlan& plan) {
  constexpr int kMaxSeeds = 100;
  const PaperTable& table = paper_table(plan.table);
  require_choice("--scale", plan.scale, table.scales);
  const std::vector<std::string> all = row_keys(table);
  for (const std::string& key : plan.rows) require_choice("--rows", key, all);
  std::vector<std::string> ordered;
  for (const std::string& key : all) {
    if (std::find(plan.rows.begin(), plan.rows.end(), key) != plan.rows.end()) ordered.push_back(key);
  }
  plan.rows = ordered;
  if (plan.n_seeds < 1 || plan.n_seeds > kMaxSeeds) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --seeds: expected 1..{}, got {}", kMaxSeeds, plan.n_seeds));
  }
}

/// Where the table's data come from, if the user gave none.
std::string data_hint(int table) {
  if (table == 5) return "tools/fetch_picture says where it is";
  if (table == 2) return "any clip will do, the configs of the small scales say which part of it they take";
  return "any picture of Pluto with 4408x4344 pixels or the paper's own will do";
}

/// --data, absolute. A signal of the other kind would train a network that is not the table's.
std::string data_of_flags(const PaperFlags& flags, const PaperTable& table) {
  const char* kind = table.task == "video" ? "video" : "picture";
  if (flags.data.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --data: expected the table's {}, got none; {}", kind, data_hint(table.number)));
  }
  std::error_code error;
  if (fs::exists(flags.data, error) && task_of_data(flags.data) != table.task) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --data: expected a {} for table {}, got {}", kind, table.number, flags.data));
  }
  return fs::absolute(flags.data).lexically_normal().string();
}

PaperPlan plan_of_flags(const PaperFlags& flags) {
  if (flags.table.empty()) {
    throw Error(ErrorKind::InvalidArgument, "[flags] --table: expected 1, 2 or 5, got none");
  }
  PaperPlan plan;
  plan.table = static_cast<int>(parse_int("--table", flags.table, 1, 5));
  const PaperTable& table = paper_table(plan.table);
  plan.scale = flags.scale == "small" ? table.small_scale : flags.scale;
  plan.rows = flags.rows.empty() ? row_keys(table) : split(flags.rows);
  plan.n_seeds = static_cast<int>(parse_int("--seeds", flags.seeds, 1, 100));
  plan.data = data_of_flags(flags, table);
  plan.set = flags.set;
  check_plan(plan);
  return plan;
}

Json plan_to_json(const PaperPlan& plan) {
  return {{"table", plan.table},   {"scale", plan.scale}, {"rows", plan.rows},
          {"seeds", plan.n_seeds}, {"data", plan.data},   {"set", plan.set}};
}

PaperPlan plan_of_folder(const std::string& folder) {
  const std::string path = folder + "/" + kPlanFile;
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw Error(ErrorKind::NotFound,
                fmt::format("[resume] {}: expected a folder with a {}, found none; give the folder "
                            "that `loe paper` printed",
                            folder, kPlanFile));
  }
  try {
    const Json json = Json::parse(read_text_file(path));
    PaperPlan plan;
    plan.table = json.at("table").get<int>();
    plan.scale = json.at("scale").get<std::string>();
    plan.rows = json.at("rows").get<std::vector<std::string>>();
    plan.n_seeds = json.at("seeds").get<int>();
    plan.data = json.at("data").get<std::string>();
    plan.set = json.at("set").get<std::vector<std::string>>();
    check_plan(plan);
    return plan;
  } catch (const Json::exception&) {
    throw Error(ErrorKind::Format,
                fmt::format("[resume] {}: expected what `loe paper` wrote, got something else; start "
                            "again in another folder",
                            path));
  }
}

std::string repeat_command(const PaperPlan& plan) {
  std::string command = fmt::format("loe paper --table {} --scale {} --seeds {} --data {}", plan.table, plan.scale,
                                    plan.n_seeds, shell_quote(plan.data));
  if (plan.rows.size() < paper_table(plan.table).rows.size())
    command += fmt::format(" --rows {}", fmt::join(plan.rows, ","));
  for (const std::string& assignment : plan.set) command += " --set " + shell_quote(assignment);
  return command;
}

std::string run_path(const std::string& folder, const std::string& row, int seed) {
  return fmt::format("{}/{}/seed-{}", folder, row, seed);
}

/// All runs of a plan in one folder.
class PaperSession {
 public:
  PaperSession(const PaperFlags& flags, const PaperPlan& plan, const std::string& folder, Reporter& reporter)
      : flags_(flags), plan_(plan), table_(paper_table(plan.table)), folder_(folder), reporter_(reporter) {}

  /// 0, or 130 after an interruption.
  int run() {
    // Seeds outside, rows inside: an early look at the page shows the whole table.
    const int n_runs = plan_.n_seeds * static_cast<int>(plan_.rows.size());
    int index = 0;
    for (int seed = 0; seed < plan_.n_seeds; ++seed) {
      for (const std::string& row : plan_.rows) {
        ++index;
        const std::string path = run_path(folder_, row, seed);
        std::error_code error;
        if (fs::exists(path + "/" + last_file(), error)) continue;
        reporter_.set_label(fmt::format("{}/{} {} seed {}: ", index, n_runs, row, seed));
        const int code = run_one(row, seed, path);
        reporter_.set_label("");
        if (code != 0) return code;
        write_report();
        has_new_runs_ = true;
      }
    }
    if (table_.task == "video") compare_videos();
    write_report();
    return 0;
  }

  const PaperReport& report() const { return report_; }

 private:
  /// What a run's folder holds once nothing is left to do in it.
  const char* last_file() const { return table_.task == "video" ? kFrameErrorsFile : "seams.json"; }

  FitFlags fit_flags(const std::string& row, int seed, const std::string& path) const {
    FitFlags fit;
    fit.quiet = true;  // the table comes at the end
    fit.device = flags_.device;
    fit.threads = flags_.threads;
    fit.continue_with = "loe paper --resume " + shell_quote(folder_);
    if (RunFolder::is_run(path)) {
      fit.resume = path;
      return fit;
    }
    fit.base = row_settings(plan_.table, plan_.scale, row);
    fit.data = plan_.data;
    fit.task = table_.task;
    fit.set = plan_.set;
    fit.seed = std::to_string(seed);
    fit.out = path;
    fit.name = row;
    return fit;
  }

  int run_one(const std::string& row, int seed, const std::string& path) {
    const FitFlags fit = fit_flags(row, seed, path);
    FitJob job = resolve_fit(fit, reporter_);
    std::error_code error;
    if (!fs::exists(path + "/result.json", error)) {
      const int code = run_fit(job, fit, reporter_);
      if (code != 0) return code;
    }
    const ModelSource source = open_model(path);
    const std::unique_ptr<Executor> executor =
        compile(job.run.device, source.model.spec.main(), Precision::F32, job.run.threads);
    executor->set_params(source.model.params);
    if (const Video* video = job.signal->video(); video != nullptr) {
      write_image(folder_ + "/" + kSourceFramesFile, stack_source_frames(*video));
      write_shown_frames(*executor, *video, path);
    } else {
      measure_seams(*executor, *job.signal->picture(), path);
    }
    return 0;
  }

  void measure_seams(Executor& executor, const Image& image, const std::string& path) {
    SeamMeter meter(image.width(), image.height(), image.n_channels(), kSeamChunks);
    const std::size_t row_size = static_cast<std::size_t>(image.width()) * image.n_channels();
    const bool clip = is_integer_picture(image.type());
    std::vector<float> clipped(row_size);
    evaluate_image(executor, image, [&](int first_row, int n_rows, const float* predicted, const float* target) {
      for (int i = 0; i < n_rows; ++i) {
        const float* row = predicted + i * row_size;
        std::transform(row, row + row_size, clipped.begin(),
                       [clip](float value) { return clip ? std::clamp(value, 0.0F, 1.0F) : value; });
        meter.add_row(clipped.data(), target + i * row_size);
      }
      reporter_.job("measuring seams", static_cast<double>(first_row + n_rows) / image.height());
    });
    write_seams(path, meter.stats());
  }

  /// Source and the first seed of every row side by side, unless that is there already.
  void compare_videos() {
    const std::string path = folder_ + "/" + kComparisonFile;
    std::error_code error;
    if (!has_new_runs_ && fs::exists(path, error)) return;
    std::vector<ComparisonColumn> columns;
    std::string first;
    for (const TableRow& row : table_.rows) {
      const std::string run = run_path(folder_, row.key, 0);
      if (std::find(plan_.rows.begin(), plan_.rows.end(), row.key) == plan_.rows.end()) continue;
      columns.push_back({row.title, run + "/reconstruction.mp4"});
      if (first.empty()) first = run;
    }
    const ModelSource model = open_model(first);
    const auto signal =
        read_data_of_run(model, plan_.data, true, [&](const std::string& text) { reporter_.detail(text); });
    const InterruptGuard guard;  // lets the writer remove its temporary file
    write_comparison(*signal->video(), columns, path, [&](double done) {
      if (InterruptGuard::requested().load() && done < 1) {
        throw Error(ErrorKind::Cancelled, fmt::format("[paper] {}: stopped, not written; all rows are done, for this "
                                                      "video continue with: loe paper --resume {}",
                                                      path, shell_quote(folder_)));
      }
      reporter_.job("writing the comparison", done);
    });
  }

  /// result.json and index.html of what is there.
  void write_report() {
    report_ = PaperReport();
    report_.table = plan_.table;
    report_.task = table_.task;
    report_.scale = plan_.scale;
    report_.title = table_.title;
    report_.notes = table_.notes;
    report_.command = repeat_command(plan_);
    for (const TableRow& row : table_.rows) {
      if (std::find(plan_.rows.begin(), plan_.rows.end(), row.key) != plan_.rows.end()) add_row(row);
    }
    if (table_.task == "video") describe_videos();
    write_text_file(folder_ + "/result.json",
                    report_to_json(report_).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    write_paper_page(report_, folder_ + "/index.html");
  }

  void describe_videos() {
    std::error_code error;
    const std::string source = folder_ + "/" + kSourceFramesFile;
    if (fs::exists(source, error)) report_.source_frames = source;
    if (!fs::exists(folder_ + "/" + kComparisonFile, error)) return;
    report_.comparison = kComparisonFile;
    report_.comparison_columns = {"source"};
    for (const PaperRow& row : report_.rows) report_.comparison_columns.push_back(row.title);
  }

  void add_row(const TableRow& table_row) {
    PaperRow row;
    row.key = table_row.key;
    row.title = table_row.title;
    row.about = table_row.about;
    row.paper_psnr = table_row.psnr;
    row.paper_ssim = table_row.ssim;
    row.paper_params = table_row.params;
    row.paper_macs = table_row.macs;
    for (int seed = 0; seed < plan_.n_seeds; ++seed) {
      const std::string path = run_path(folder_, row.key, seed);
      const std::optional<PaperRun> run = read_paper_run(path);
      if (!run) continue;
      if (row.runs.empty()) describe(path, row);
      row.runs.push_back(*run);
    }
    if (row.runs.empty()) row.network = planned_network(row.key);
    report_.rows.push_back(std::move(row));
  }

  /// Network of a finished run, and what all runs share.
  void describe(const std::string& path, PaperRow& row) {
    const Model model = open_model(path).model;
    row.network = model.spec.main();
    const Json result = Json::parse(read_text_file(path + "/result.json"));
    report_.width = model.signal.width;
    report_.height = model.signal.height;
    report_.n_frames = model.signal.n_frames;
    report_.max_steps = result.value("max_steps", int64_t{0});
    report_.picture = fmt::format("{}, {} channels", fs::path(plan_.data).filename().string(), row.network.n_out());
    report_.machine = fmt::format("{}, {} threads, {}, loe {} ({})", cpu_name(), result.value("threads", 0),
                                  result.value("precision", ""), version(), result.value("commit", ""));
  }

  /// For a row that has no run yet; the channels are those of the rows that have one.
  NetworkSpec planned_network(const std::string& row) const {
    int n_channels = table_.task == "video" ? 3 : 1;
    for (const PaperRow& other : report_.rows) {
      if (!other.runs.empty()) n_channels = other.network.n_out();
    }
    return row_network(plan_.table, plan_.scale, row, n_channels);
  }

  const PaperFlags& flags_;
  const PaperPlan& plan_;
  const PaperTable& table_;
  const std::string folder_;
  Reporter& reporter_;
  PaperReport report_;
  bool has_new_runs_ = false;
};

std::string make_folder(const PaperFlags& flags, const PaperPlan& plan) {
  if (flags.out.empty()) return create_dated_folder("runs", fmt::format("table{}-{}", plan.table, plan.scale));
  std::error_code error;
  if (fs::exists(flags.out, error) && !fs::is_empty(flags.out, error)) {
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[paper] {}: expected a new or empty folder, found files in it; choose another --out or "
                            "continue with: loe paper --resume {}",
                            flags.out, shell_quote(flags.out)));
  }
  fs::create_directories(flags.out, error);
  if (error) {
    throw Error(ErrorKind::Io, fmt::format("[paper] {}: cannot create this folder: {}", flags.out, error.message()));
  }
  return flags.out;
}

void check_resume_flags(const PaperFlags& flags) {
  if (!flags.table.empty() || !flags.rows.empty() || !flags.data.empty() || !flags.set.empty() || !flags.out.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                "[flags] --resume: goes on with the folder's own table, rows, data and settings; leave out --table, "
                "--rows, --data, --set and --out");
  }
}

int paper(const PaperFlags& flags) {
  const Verbosity verbosity = flags.quiet ? Verbosity::Quiet : flags.verbose ? Verbosity::Verbose : Verbosity::Normal;
  Reporter reporter(progress_mode(flags.progress), verbosity);
  if (!flags.resume.empty()) check_resume_flags(flags);
  const PaperPlan plan = flags.resume.empty() ? plan_of_flags(flags) : plan_of_folder(flags.resume);
  const std::string folder = flags.resume.empty() ? make_folder(flags, plan) : flags.resume;
  if (flags.resume.empty()) write_text_file(folder + "/" + kPlanFile, plan_to_json(plan).dump(2) + "\n");
  reporter.info(fmt::format("table {} at scale {}, {} rows, {} seeds, in {}", plan.table, plan.scale, plan.rows.size(),
                            plan.n_seeds, folder));
  PaperSession session(flags, plan, folder, reporter);
  const int code = session.run();
  reporter.end_line();
  if (code != 0) return code;
  if (flags.json) {
    std::puts(report_to_json(session.report()).dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else if (!flags.quiet) {
    fmt::print("{}page         {}/index.html\nall results  {}/result.json\n", report_to_text(session.report()), folder,
               folder);
    const std::string& comparison = session.report().comparison;
    if (!comparison.empty()) fmt::print("comparison   {}/{}\n", folder, comparison);
  }
  return 0;
}

}  // namespace

void add_paper_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("paper", "repeat a table of the paper");
  auto flags = std::make_shared<PaperFlags>();
  command->add_option("--table", flags->table, "1 (a picture of Pluto), 2 (a video) or 5 (layouts)")->type_name("N");
  command->add_option("--data", flags->data, "the picture; for table 2 the video")->type_name("FILE");
  command
      ->add_option("--scale", flags->scale,
                   "full, small, or a name: pluto-2048, pluto-1024, video-128, toy-256, toy-128, tiny")

      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--rows", flags->rows, "only these rows: pe_mlp,ours (default: all)")->type_name("LIST");
  command->add_option("--seeds", flags->seeds, "runs per row, seeds 0, 1, ...")->type_name("N")->capture_default_str();
  command->add_option("--set", flags->set, "one setting for all rows, key=value; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--out", flags->out, "folder (default runs/tableN-SCALE-DATE-TIME)")->type_name("FOLDER");
  command->add_option("--resume", flags->resume, "go on with the folder of an earlier call")->type_name("FOLDER");
  command->add_option("--device", flags->device, "auto, cpu, reference")->type_name("NAME");
  command->add_option("--threads", flags->threads, "0: all usable cores; never changes a result")->type_name("N");
  command->add_option("--progress", flags->progress, "auto, plain, json (lines on stdout), none")
      ->type_name("MODE")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "print the results as one line of JSON");
  command->add_flag("-q,--quiet", flags->quiet, "print errors only (and --json's result)");
  command->add_flag("-v,--verbose", flags->verbose, "print kernels, evaluations, saves");
  command->footer(
      "Every run is an ordinary run folder, FOLDER/ROW/seed-N. Ctrl-C saves and exits with 130; --resume goes on.\n"
      "FOLDER/index.html shows what is done so far.");
  command->callback([flags, &invocation] { invocation.run = [flags] { return paper(*flags); }; });
}

}  // namespace loe::app
