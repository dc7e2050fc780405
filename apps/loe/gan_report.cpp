#include "gan_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "progress.h"

namespace loe::app {

using Json = nlohmann::ordered_json;

Json gan_evaluation_json(const GanEvaluation& evaluation) {
  Json levels = Json::object();
  for (std::size_t k = 0; k < evaluation.sliced.resolutions.size(); ++k) {
    levels[std::to_string(evaluation.sliced.resolutions[k])] = evaluation.sliced.distances[k];
  }
  return {
      {"distances", {{"sliced_wasserstein", evaluation.sliced.mean}, {"random_frechet", evaluation.random_frechet}}},
      {"sliced_wasserstein_levels", levels},
      {"noise_pattern",
       {{"ratio", evaluation.noise.ratio},
        {"pattern_rms", evaluation.noise.pattern_rms},
        {"mean_high_pass_rms", evaluation.noise.rms},
        {"expected_rms", evaluation.noise.expected_rms},
        {"data_ratio", evaluation.noise_of_set.ratio},
        {"data_pattern_rms", evaluation.noise_of_set.pattern_rms}}},
      {"n_generated", evaluation.n_generated},
      {"seconds_generating", evaluation.seconds_generating}};
}

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
