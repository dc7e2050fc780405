#include "gan_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "progress.h"

namespace loe::app {

using Json = nlohmann::ordered_json;

void print_distances(const Json& result) {
  const Json& distances = result["distances"];
  std::string levels;
  for (const auto& [side, distance] : result["sliced_wasserstein_levels"].items()) {
    levels += fmt::format("{}{}: {:.1f}", levels.empty() ? "" : ", ", side, distance.get<double>());
  }
  fmt::print("sliced Wasserstein distance {:.2f} (x 1000; {})\n", distances["sliced_wasserstein"].get<double>(),
             levels);
  fmt::print("Frechet distance over a fixed random network {:.4g} (not FID)\n",
             distances["random_frechet"].get<double>());
  if (distances.contains("fid")) fmt::print("FID {:.3f}\n", distances["fid"].get<double>());
  const Json& noise = result["noise_pattern"];
  fmt::print("fixed detail: RMS {:.4f} in {} generated pictures, {:.4f} in the data\n",
             noise["pattern_rms"].get<double>(), format_integer(result["n_generated"].get<int64_t>()),
             noise["data_pattern_rms"].get<double>());
}

}  // namespace loe::app
