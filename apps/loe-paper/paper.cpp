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
#include "fit_flags.h"
#include "fit_session.h"
#include "interrupt.h"
#include "loe/base/error.h"
#include "loe/base/version.h"
#include "loe/fitting/machine.h"
#include "loe/fitting/model_source.h"
#include "loe/fitting/pictures.h"
#include "loe/io/file.h"
#include "loe/io/image_file.h"
#include "loe/io/run_folder.h"
#include "paper_kind.h"
#include "paper_results.h"
#include "paper_rows.h"
#include "parse.h"

namespace loe::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPlanFile = "paper.json";
constexpr const char* kDataFolder = "data";

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

/// --data, absolute; "" if the table makes its own. A signal of another kind would train a network that is not the
/// table's.
std::string data_of_flags(const PaperFlags& flags, const PaperTable& table, const std::string& scale) {
  const char* kind = paper_kind(table.task).noun();
  if (flags.data.empty()) {
    if (table.analytic_views(scale) != nullptr) return "";
    throw Error(ErrorKind::InvalidArgument,
                fmt::format("[flags] --data: expected the table's {}, got none; {}", kind, table.data_hint));
  }
  std::error_code error;
  // A folder of pictures passes for a video's frames until somebody says what it is for.
  const bool is_set = table.task == "gan";
  const bool fits = is_set ? fs::is_directory(flags.data, error) : task_of_data(flags.data) == table.task;
  if (fs::exists(flags.data, error) && !fits) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[flags] --data: expected a {}{} for table {}, got {}",
                                                        is_set ? "folder of " : "", kind, table.number, flags.data));
  }
  return fs::absolute(flags.data).lexically_normal().string();
}

PaperPlan plan_of_flags(const PaperFlags& flags) {
  if (flags.table.empty()) {
    throw Error(ErrorKind::InvalidArgument, "[flags] --table: expected 1 to 5, got none");
  }
  PaperPlan plan;
  plan.table = static_cast<int>(parse_int("--table", flags.table, 1, 5));
  const PaperTable& table = paper_table(plan.table);
  plan.scale = flags.scale == "small" ? table.small_scale : flags.scale;
  plan.rows = flags.rows.empty() ? row_keys(table) : split(flags.rows);
  plan.n_seeds = static_cast<int>(parse_int("--seeds", flags.seeds, 1, 100));
  plan.set = flags.set;
  check_plan(plan);
  plan.data = data_of_flags(flags, table, plan.scale);
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
    if (!plan.data.empty() || paper_table(plan.table).analytic_views(plan.scale) != nullptr) return plan;
  } catch (const Json::exception&) {  // said below
  }
  throw Error(ErrorKind::Format, fmt::format("[resume] {}: expected what `loe paper` wrote, got something else; start "
                                             "again in another folder",
                                             path));
}

std::string repeat_command(const PaperPlan& plan) {
  std::string command = fmt::format("loe paper --table {} --scale {} --seeds {}", plan.table, plan.scale, plan.n_seeds);
  if (!plan.data.empty()) command += " --data " + shell_quote(plan.data);
  if (plan.rows.size() < paper_table(plan.table).rows.size())
    command += fmt::format(" --rows {}", fmt::join(plan.rows, ","));
  for (const std::string& assignment : plan.set) command += " --set " + shell_quote(assignment);
  return command;
}

/// Last component: "lego" for "scenes/lego/".
std::string name_of_path(const std::string& path) {
  const fs::path plain(path);
  return (plain.has_filename() ? plain : plain.parent_path()).filename().string();
}

std::string run_path(const std::string& folder, const std::string& row, int seed) {
  return fmt::format("{}/{}/seed-{}", folder, row, seed);
}

/// All runs of a plan in one folder.
class PaperSession {
 public:
  PaperSession(const PaperFlags& flags, const PaperPlan& plan, const std::string& folder, Reporter& reporter)
      : flags_(flags),
        plan_(plan),
        table_(paper_table(plan.table)),
        kind_(paper_kind(table_.task)),
        folder_(folder),
        data_(is_analytic() ? fs::absolute(folder + "/" + kDataFolder).lexically_normal().string() : plan.data),
        reporter_(reporter) {}

  /// 0, or 130 after an interruption.
  int run() {
    if (is_analytic()) make_data();
    // Seeds outside, rows inside: an early look at the page shows the whole table.
    const int n_runs = plan_.n_seeds * static_cast<int>(plan_.rows.size());
    int index = 0;
    for (int seed = 0; seed < plan_.n_seeds; ++seed) {
      for (const std::string& row : plan_.rows) {
        ++index;
        const std::string path = run_path(folder_, row, seed);
        std::error_code error;
        if (fs::exists(path + "/" + kind_.last_file(), error)) continue;
        reporter_.set_label(fmt::format("{}/{} {} seed {}: ", index, n_runs, row, seed));
        const int code = run_one(row, seed, path);
        reporter_.set_label("");
        if (code != 0) return code;
        write_report();
        has_new_runs_ = true;
      }
    }
    finish_table();
    write_report();
    return 0;
  }

  const PaperReport& report() const { return report_; }

 private:
  /// Whether the table makes its data.
  bool is_analytic() const { return plan_.data.empty(); }

  void make_data() {
    const AnalyticViews& views = *table_.analytic_views(plan_.scale);
    if (has_analytic_scene(data_, views)) return;
    reporter_.info(fmt::format("rendering {} + {} views of {} x {} pixels to {}", views.n_train, views.n_test,
                               views.size, views.size, data_));
    const int n_threads =
        flags_.threads.empty() ? 0 : static_cast<int>(parse_int("--threads", flags_.threads, 0, 1024));
    const InterruptGuard guard;
    write_analytic_scene(data_, views, n_threads, [&](double done) { on_job("rendering the scene", data_, done); });
    reporter_.end_line();
  }

  /// Progress of a long job of ours, which ends in an Error if the user asked to stop.
  void on_job(const std::string& name, const std::string& file, double done) {
    if (InterruptGuard::requested().load() && done < 1) {
      throw Error(ErrorKind::Cancelled,
                  fmt::format("[paper] {}: stopped, not written; continue with: loe paper --resume {}", file,
                              shell_quote(folder_)));
    }
    reporter_.job(name, done);
  }

  FitFlags fit_flags(const std::string& row, int seed, const std::string& path) const {
    FitFlags fit;
    fit.quiet = true;  // the table comes at the end
    fit.settings = {{"--device", flags_.device}, {"--threads", flags_.threads}};
    fit.continue_with = "loe paper --resume " + shell_quote(folder_);
    if (RunFolder::is_run(path)) {
      fit.resume = path;
      if (is_analytic()) fit.data = data_;  // the folder may have moved
      return fit;
    }
    fit.base = row_settings(plan_.table, plan_.scale, row);
    fit.data = data_;
    fit.settings["--task"] = table_.task;
    fit.set = plan_.set;
    fit.settings["--seed"] = std::to_string(seed);
    fit.out = path;
    fit.settings["--name"] = row;
    return fit;
  }

  int run_one(const std::string& row, int seed, const std::string& path) {
    const FitFlags fit = fit_flags(row, seed, path);
    FitJob job = resolve_fit(request_of(fit), events_of(reporter_));
    std::error_code error;
    if (!fs::exists(path + "/result.json", error)) {
      const int code = run_and_report(job, fit, reporter_);
      if (code != 0) return code;
    }
    const ModelSource source = open_model(path);
    ModelExecutor model = compile(job.run.device, source.model.spec, Precision::F32, job.run.threads);
    model.set_params(source.model.params);
    kind_.finish_run({*job.signal, model, path, folder_, is_analytic(),
                      [this](const char* name, double done) { reporter_.job(name, done); }});
    return 0;
  }

  void finish_table() {
    FinishedTable table;
    table.folder = folder_;
    for (const TableRow& row : table_.rows) {
      if (is_planned(row)) table.runs.push_back({row.title, run_path(folder_, row.key, 0)});
    }
    table.has_new_runs = has_new_runs_;
    table.read_signal = [&] {
      FitEvents events;
      events.on_warning = [this](const std::string& text) { reporter_.detail(text); };
      return read_data_of_run(open_model(table.runs.front().folder), data_, true, events);
    };
    table.on_progress = [this](const std::string& file, double done) { on_job("writing the comparison", file, done); };
    const InterruptGuard guard;  // lets a writer remove its temporary file
    kind_.finish_table(table);
  }

  bool is_planned(const TableRow& row) const {
    return std::find(plan_.rows.begin(), plan_.rows.end(), row.key) != plan_.rows.end();
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
      if (is_planned(row)) add_row(row);
    }
    kind_.find_files(folder_, report_);
    write_text_file(folder_ + "/result.json",
                    report_to_json(report_).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    write_paper_page(report_, folder_ + "/index.html");
  }

  void add_row(const TableRow& table_row) {
    PaperRow row;
    row.key = table_row.key;
    row.title = table_row.title;
    row.about = table_row.about;
    row.paper_headline = table_row.headline;
    row.paper_ssim = table_row.ssim;
    row.paper_params = table_row.params;
    row.paper_macs = table_row.macs;
    for (int seed = 0; seed < plan_.n_seeds; ++seed) {
      const std::string path = run_path(folder_, row.key, seed);
      const std::optional<PaperRun> run = read_paper_run(path, table_.task);
      if (!run) continue;
      if (row.runs.empty()) describe(path, *run, row);
      row.runs.push_back(*run);
    }
    if (row.runs.empty()) row.network = planned_network(row.key);
    report_.rows.push_back(std::move(row));
  }

  /// Network of a finished run, and what all runs share.
  void describe(const std::string& path, const PaperRun& run, PaperRow& row) {
    const Model model = open_model(path).model;
    row.network = model.spec.main();
    const Json result = Json::parse(read_text_file(path + "/result.json"));
    report_.width = model.signal.width;
    report_.height = model.signal.height;
    report_.n_parts = std::max(1, static_cast<int>(run.part_psnr_db.size()));
    report_.part_names = run.part_names;
    report_.max_steps = result.value("max_steps", int64_t{0});
    report_.picture = describe_data(result);
    report_.machine = fmt::format("{}, {} threads, {}, loe {} ({})", cpu_name(), result.value("threads", 0),
                                  result.value("precision", ""), version(), result.value("commit", ""));
  }

  std::string describe_data(const Json& result) const {
    const std::string name = is_analytic() ? "analytic scene" : name_of_path(plan_.data);
    if (result.contains("n_views")) return fmt::format("{}, {} views to fit", name, result.value("n_views", 0));
    return fmt::format("{}, {} channels", name, result.value("channels", kind_.n_channels()));
  }

  /// For a row that has no run yet; the channels are those of the rows that have one.
  NetworkSpec planned_network(const std::string& row) const {
    int n_channels = kind_.n_channels();
    for (const PaperRow& other : report_.rows) {
      if (!other.runs.empty()) n_channels = other.network.n_out();
    }
    return row_network(plan_.table, plan_.scale, row, n_channels);
  }

  const PaperFlags& flags_;
  const PaperPlan& plan_;
  const PaperTable& table_;
  const PaperKind& kind_;
  const std::string folder_;
  const std::string data_;  ///< absolute
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
  command
      ->add_option("--table", flags->table,
                   "1 (a picture of Pluto), 2 (a video), 3 (a radiance field), 4 (a generator of faces) or 5 (layouts)")
      ->type_name("N");
  command
      ->add_option("--data", flags->data,
                   "the picture; for table 2 the video, for 3 the scene, for 4 the folder of faces")
      ->type_name("PATH");
  command
      ->add_option(
          "--scale", flags->scale,
          "full, small, or a name: pluto-2048, pluto-1024, video-128, nerf-mini, lego-mini, faces-64, toy-256, "
          "toy-128, tiny")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--rows", flags->rows, "only these rows: pe_mlp,ours (default: all)")->type_name("LIST");
  command->add_option("--seeds", flags->seeds, "runs per row, seeds 0, 1, ...")->type_name("N")->capture_default_str();
  command->add_option("--set", flags->set, "one setting for all rows, key=value; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--out", flags->out, "folder (default runs/tableN-SCALE-DATE-TIME)")->type_name("FOLDER");
  command->add_option("--resume", flags->resume, "go on with the folder of an earlier call")->type_name("FOLDER");
  command->add_option("--device", flags->device, kDeviceNames)->type_name("NAME");
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
