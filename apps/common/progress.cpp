#include "progress.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "loe/base/error.h"

namespace loe::app {
namespace {

/// Ten redraws a second are smooth to the eye; more only cost.
constexpr double kDrawInterval = 0.1;
constexpr double kPlainInterval = 5;
constexpr double kLogInterval = 5;
constexpr int kDefaultColumns = 80;

bool can_redraw() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string(term) != "dumb";
}

int terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultColumns;
}

/// One write, so that a redraw never shows half a line. A closed stderr is no reason to stop training.
void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void print_json(const nlohmann::ordered_json& object) {
  std::puts(object.dump().c_str());
  std::fflush(stdout);
}

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}", parts);
}

}  // namespace

ProgressMode progress_mode(const std::string& text) {
  if (text == "auto") return can_redraw() ? ProgressMode::Live : ProgressMode::Plain;
  if (text == "plain") return ProgressMode::Plain;
  if (text == "json") return ProgressMode::Json;
  if (text == "none") return ProgressMode::None;
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[flags] --progress: expected auto, plain, json or none, got '{}'", text));
}

Reporter::Reporter(ProgressMode mode, Verbosity verbosity)
    : mode_(verbosity == Verbosity::Quiet && mode != ProgressMode::Json ? ProgressMode::None : mode),
      verbosity_(verbosity) {}

Reporter::~Reporter() {
  end_line();
}

void Reporter::log(const std::string& text) {
  if (log_ != nullptr) log_->append(local_time() + " " + text);
}

void Reporter::show(const std::string& text) {
  end_line();
  write_stderr(text + "\n");
}

void Reporter::info(const std::string& text) {
  if (!label_.empty()) {
    detail(text);
    return;
  }
  if (verbosity_ != Verbosity::Quiet) show(text);
  log(text);
}

void Reporter::detail(const std::string& text) {
  if (verbosity_ == Verbosity::Verbose) show(text);
  log(text);
}

void Reporter::warning(const std::string& text) {
  show("loe: warning: " + text);
  log("warning: " + text);
}

void Reporter::notice(const std::string& text) {
  show("loe: " + text);
  log(text);
}

bool Reporter::is_due(Clock::time_point& last, double interval_s) const {
  const Clock::time_point now = Clock::now();
  const bool is_first = last == Clock::time_point{};
  if (!is_first && std::chrono::duration<double>(now - last).count() < interval_s) return false;
  last = now;
  return true;
}

void Reporter::end_line() {
  if (has_line_) write_stderr("\r\x1b[K");
  has_line_ = false;
}

void Reporter::draw(const std::string& line) {
  write_stderr("\r" + line + "\x1b[K");
  has_line_ = true;
}

void Reporter::progress(const Progress& progress) {
  // The last step is always shown, however soon it comes.
  const bool is_last = progress.max_steps > 0 && progress.step >= progress.max_steps;
  if (is_due(last_logged_, kLogInterval) || is_last) log(progress_line(progress, 1000));
  if (mode_ == ProgressMode::Live) {
    const int columns = terminal_columns() - 1 - static_cast<int>(label_.size());
    if (is_due(last_draw_, kDrawInterval) || is_last) draw(label_ + progress_line(progress, columns));
  } else if (mode_ == ProgressMode::Plain) {
    if (is_due(last_plain_, kPlainInterval) || is_last) write_stderr(label_ + progress_line(progress, 1000) + "\n");
  } else if (mode_ == ProgressMode::Json) {
    nlohmann::ordered_json object = {{"event", "progress"}};
    if (!label_.empty()) object["run"] = label_;
    object.update({{"step", progress.step}, {"max_steps", progress.max_steps}, {"loss", progress.loss}});
    add_measures(progress, object);
    object.update({{"learning_rate", progress.learning_rate},
                   {"samples_per_second", progress.samples_per_second},
                   {"seconds", progress.seconds},
                   {"eta_seconds", progress.eta_seconds}});
    print_json(object);
  }
}

void Reporter::evaluation(int64_t step, const nlohmann::ordered_json& measures) {
  std::string text;
  for (const auto& [name, value] : measures.items()) text += fmt::format(" {} {:.3f}", name, value.get<double>());
  detail(fmt::format("step {}: evaluation{}", format_integer(step), text));
  if (mode_ != ProgressMode::Json) return;
  nlohmann::ordered_json object = {{"event", "eval"}, {"step", step}};
  object.update(measures);
  print_json(object);
}

void Reporter::job(const std::string& name, double done) {
  const std::string line = label_ + fmt::format("{:3.0f}% {}", 100 * std::clamp(done, 0.0, 1.0), name);
  if (mode_ == ProgressMode::Live) {
    if (is_due(last_draw_, kDrawInterval)) draw(line.substr(0, static_cast<std::size_t>(terminal_columns() - 1)));
  } else if (mode_ == ProgressMode::Plain) {
    // Short jobs need no line of their own.
    if (last_job_ == Clock::time_point{}) last_job_ = Clock::now();
    if (is_due(last_job_, kPlainInterval)) write_stderr(line + "\n");
  }
}

void add_measures(const Progress& progress, nlohmann::ordered_json& object) {
  if (progress.psnr_db) object["psnr_db"] = *progress.psnr_db;
  for (const LossTerm& term : progress.terms) object[term.name] = term.value;
}

std::string progress_line(const Progress& progress, int width) {
  const double percent = progress.max_steps > 0
                             ? 100.0 * static_cast<double>(progress.step) / static_cast<double>(progress.max_steps)
                             : 0.0;
  // In order of importance: what does not fit is left out from the end.
  std::vector<std::string> fields;
  fields.push_back(fmt::format("{:3.0f}%", std::floor(percent)));
  fields.push_back(fmt::format(" step {}/{}", format_integer(progress.step), format_integer(progress.max_steps)));
  fields.push_back(fmt::format("  loss {:.2e}", progress.loss));
  if (progress.psnr_db) fields.push_back(fmt::format("  {:.2f} dB", *progress.psnr_db));
  for (const LossTerm& term : progress.terms) fields.push_back(fmt::format("  {} {:.3g}", term.name, term.value));
  const std::string rate = fmt::format("  {} samples/s", format_rate(progress.samples_per_second));
  const std::string eta = fmt::format("  ETA {}", format_duration(progress.eta_seconds));
  std::string line;
  const auto limit = static_cast<std::size_t>(std::max(width, 1));
  for (const std::string& field : fields) {
    if (line.size() + field.size() > limit) return line.substr(0, limit);
    line += field;
  }
  // The ETA is worth more than the rate when only one of them fits.
  if (line.size() + rate.size() + eta.size() <= limit) return line + rate + eta;
  return line.size() + eta.size() <= limit ? line + eta : line;
}

}  // namespace loe::app
