// The analytic scene as a data set on disk: what Table 3 is repeated on where no other data are given.
#pragma once

#include <functional>
#include <string>

namespace loe::app {

/// Views of the analytic scene, as many and as large as a scale of Table 3 takes.
struct AnalyticViews {
  int n_train = 0;
  int n_test = 0;
  int size = 0;  ///< of the square pictures, in pixels
  bool operator==(const AnalyticViews&) const = default;
};

/// Writes analytic_views() and what they see (1,024 samples a ray) as a Blender-style data set into `folder`, which is
/// made if need be:
///
///   train/train_000.png ...    RGBA, 8 bits: alpha is the opacity, the colour such that the pixel over white is the
///   test/test_000.png ...      rendered one to half a grey level
///   transforms_test.json, transforms_train.json
///
/// read_scene() gives back the same cameras, scale 1 and centre 0: the JSON files hold the focal length to the last bit
/// and state the box [-0.5, 0.5]^3 (aabb_scale, scale, offset). transforms_train.json comes last, so a folder that has
/// it was finished. Same bits for any number of threads. Cost: 0.1 s of one core per view of 128 x 128. on_share(share
/// done) may throw to give up. Errors of write_image and write_text_file.
void write_analytic_scene(const std::string& folder, const AnalyticViews& views, int n_threads,
                          const std::function<void(double)>& on_share);

/// Whether write_analytic_scene(folder, views) was here and its files still are.
bool has_analytic_scene(const std::string& folder, const AnalyticViews& views);

}  // namespace loe::app
