#include "quality_methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loe/base/error.h"
#include "loe/nn/network.h"

namespace loe::app {
namespace {

/// Ends by time whatever the method's own number of steps.
constexpr int64_t kStepsWithoutEnd = 1'000'000'000;
constexpr const char* kOrigin = "bench quality";

/// Hidden layers of the plain networks, and the least and greatest width tried.
constexpr int kPlainLayers = 4;
constexpr int kMinWidth = 4;
constexpr int kMaxWidth = 4096;

/// Levels that the tables are dealt to. instant-ngp has 16.
constexpr int kMinGridLevels = 12;
constexpr int kMaxGridLevels = 24;
constexpr int kMinLog2Entries = 4;
constexpr int kMaxLog2Entries = 22;

int64_t n_params_of(const Settings& settings, const FitSignal& signal) {
  return build_network(fit_config_from_settings(settings, signal.kind(), signal.n_channels()).network).n_params();
}

[[noreturn]] void fail_too_small(const std::string& method, int64_t max_params) {
  throw Error(ErrorKind::InvalidArgument,
              fmt::format("[quality] --params: expected more for the method {}, got {}; raise it or leave the method "
                          "out of --methods",
                          method, max_params));
}

/// Of plain layers of equal width, the widest with at most so many parameters.
Settings plain_settings(const std::string& method, Settings settings, const FitSignal& signal, int64_t max_params) {
  settings.set("model.tiles", int64_t{1}, kOrigin);
  settings.set("model.resolutions", std::vector<double>(kPlainLayers, 1), kOrigin);
  settings.set("model.output_range", std::vector<double>{-1, 1}, kOrigin);
  settings.set("data.sampling", std::string("random_pixels"), kOrigin);
  settings.set("data.batch_size", std::min<int64_t>(4096, signal.n_pixels()), kOrigin);
  settings.set("train.schedule", std::string("cosine"), kOrigin);
  settings.set("train.final_factor", 0.0, kOrigin);
  settings.set("train.beta2", 0.99, kOrigin);
  settings.set("train.max_steps", kStepsWithoutEnd, kOrigin);
  const auto with_width = [&](int width) {
    settings.set("model.widths", std::vector<double>(kPlainLayers, width), kOrigin);
    return n_params_of(settings, signal);
  };
  if (with_width(kMinWidth) > max_params) fail_too_small(method, max_params);
  int low = kMinWidth;
  for (int high = kMaxWidth; high - low > 1;) {
    const int middle = (low + high) / 2;
    (with_width(middle) <= max_params ? low : high) = middle;
  }
  with_width(low);
  return settings;
}

/// "Implicit Neural Representations with Periodic Activation Functions": sines of omega 30 on coordinates in [-1, 1].
Settings siren_settings(const FitSignal& signal, int64_t max_params) {
  Settings settings;
  settings.set("model.activation", std::string("sine"), kOrigin);
  settings.set("model.omega", 30.0, kOrigin);
  settings.set("model.n_frequencies", int64_t{0}, kOrigin);
  settings.set("model.coordinate_range", std::vector<double>{-1, 1}, kOrigin);
  settings.set("train.learning_rate", 0.001, kOrigin);
  return plain_settings("siren", settings, signal, max_params);
}

/// A plain network behind a frequency encoding whose finest waves are two pixels long.
Settings pe_settings(const FitSignal& signal, int64_t max_params) {
  const int longest = std::max(signal.picture()->width(), signal.picture()->height());
  const int n_frequencies = std::clamp(static_cast<int>(std::lround(std::log2(longest))), 1, 13);
  Settings settings;
  settings.set("model.n_frequencies", int64_t{n_frequencies}, kOrigin);
  settings.set("train.learning_rate", 0.005, kOrigin);
  return plain_settings("pe_mlp", settings, signal, max_params);
}

/// The preset hash_grid with as many levels and entries as come closest to the budget; of equals more entries.
Settings hash_grid_settings(const FitSignal& signal, int64_t max_params) {
  Settings preset = signal.preset("hash_grid");
  int64_t most = 0;
  Settings best;
  for (int log2_entries = kMaxLog2Entries; log2_entries >= kMinLog2Entries; --log2_entries) {
    for (int n_levels = kMinGridLevels; n_levels <= kMaxGridLevels; ++n_levels) {
      Settings found;
      found.set("model.grid_levels", int64_t{n_levels}, kOrigin);
      found.set("model.grid_log2_entries", int64_t{log2_entries}, kOrigin);
      found.set("train.max_steps", kStepsWithoutEnd, kOrigin);
      Settings merged = preset;
      merged.merge(found);
      const int64_t n_params = n_params_of(merged, signal);
      if (n_params > max_params) break;  // more levels are larger still
      if (n_params > most) {
        most = n_params;
        best = found;
      }
    }
  }
  if (most == 0) fail_too_small("hash_grid", max_params);
  return best;
}

}  // namespace

const std::vector<QualityMethod>& quality_methods() {
  static const std::vector<QualityMethod> methods = {
      {"best", "levels of experts, on a grid of features where that gains (preset auto)"},
      {"experts", "levels of experts alone (preset auto, --model experts)"},
      {"hash_grid", "hashed grid of features and a plain network, as in instant-ngp (preset hash_grid)"},
      {"siren", "plain network of 4 layers of sines"},
      {"pe_mlp", "plain network of 4 layers behind a frequency encoding"},
  };
  return methods;
}

FitRequest quality_request(const std::string& method, const FitSignal& signal, int64_t max_params, double seconds) {
  FitRequest request;
  Settings& settings = request.settings;
  if (method == "best" || method == "experts") {
    if (method == "experts") request.family = AutoFamily::Experts;
    request.n_params = max_params;
  } else if (method == "hash_grid") {
    settings = hash_grid_settings(signal, max_params);
    settings.set("preset", std::string("hash_grid"), kOrigin);
  } else if (method == "siren") {
    settings = siren_settings(signal, max_params);
    settings.set("preset", std::string("none"), kOrigin);
  } else if (method == "pe_mlp") {
    settings = pe_settings(signal, max_params);
    settings.set("preset", std::string("none"), kOrigin);
  } else {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[quality] method: expected one of best, experts, hash_grid, "
                                                        "siren and pe_mlp, got '{}'; correct --methods",
                                                        method));
  }
  settings.set("train.max_seconds", seconds, kOrigin);
  settings.set("run.device", std::string("cpu"), kOrigin);
  return request;
}

}  // namespace loe::app
