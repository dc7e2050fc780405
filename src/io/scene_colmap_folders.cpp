// Where COLMAP and the tools on top of it leave their models and pictures.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "io/picture_folder.h"
#include "io/scene_colmap.h"
#include "io/text.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// Of a folder that holds models and no pictures.
bool is_named_as_model(const std::string& name) {
  constexpr std::array<const char*, 6> kBeginnings = {"sparse", "colmap", "distorted", "dense", "undistorted", "text"};
  const bool is_number =
      !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number || std::any_of(kBeginnings.begin(), kBeginnings.end(),
                                  [&](const char* beginning) { return name.starts_with(beginning); });
}

bool is_model(const fs::path& folder) {
  const auto has = [&](const char* name) {
    std::error_code ignored;
    return fs::exists(folder / (std::string(name) + ".bin"), ignored) ||
           fs::exists(folder / (std::string(name) + ".txt"), ignored);
  };
  // With half of it gone, the name tells that a model was meant.
  return has("cameras") && (has("images") || is_named_as_model(folder.filename().string()));
}

/// Folders in a folder, in natural order.
std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name[0] != '.' && entry->is_directory(ignored)) names.push_back(name);
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

/// Models side by side: in the folders of a folder, and in itself.
std::vector<fs::path> models_of(const fs::path& folder) {
  std::vector<fs::path> models;
  if (!is_folder(folder)) return models;
  for (const std::string& name : folders_in(folder)) {
    if (is_model(folder / name)) models.push_back(folder / name);
  }
  if (is_model(folder)) models.push_back(folder);
  return models;
}

/// The first group of models that there is.
std::vector<fs::path> find_models(const fs::path& path) {
  if (is_model(path)) return {path};
  constexpr std::array<const char*, 9> kUsual = {
      "sparse", "colmap/sparse", "distorted/sparse", "dense/sparse", "undistorted/sparse", "colmap_text", "sparse_txt",
      "text",   "colmap"};
  for (const char* const name : kUsual) {
    std::vector<fs::path> models = models_of(path / name);
    if (!models.empty()) return models;
  }
  for (const std::string& name : folders_in(path / "dense")) {  // dense/0/sparse
    std::vector<fs::path> models = models_of(path / "dense" / name / "sparse");
    if (!models.empty()) return models;
  }
  std::vector<fs::path> models = models_of(path);
  if (!models.empty()) return models;
  // One folder further down, if it is clear which one.
  for (const std::string& name : folders_in(path)) {
    const std::vector<fs::path> below = models_of(path / name);
    if (!below.empty() && !models.empty()) return {};
    if (!below.empty()) models = below;
  }
  return models;
}

fs::path absolute(const std::string& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error).lexically_normal();
  if (error) return path;
  return whole.has_filename() ? whole : whole.parent_path();  // no slash at the end
}

}  // namespace

bool has_colmap_model(const std::string& path) {
  return !find_models(path).empty();
}

ColmapModel find_colmap_model(const std::string& path) {
  const std::vector<fs::path> models = find_models(path);
  ColmapModel found;
  if (models.empty()) return found;
  if (models.size() == 1) return {models[0].string(), ""};
  std::vector<std::size_t> counts;
  for (const fs::path& model : models) counts.push_back(colmap_image_names(model.string()).size());
  const auto most = static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  found.folder = models[most].string();
  constexpr std::size_t kListed = 6;
  for (std::size_t i = 0; i < std::min(models.size(), kListed); ++i) {
    found.others += fmt::format("{}{} with {}", i == 0 ? "" : ", ",
                                printable(models[i].lexically_relative(path).string(), 60), counts[i]);
  }
  found.others = fmt::format("{} models, {}{}: {} is taken; name the folder of another one to fit that", models.size(),
                             found.others, models.size() > kListed ? ", ..." : " pictures",
                             printable(models[most].lexically_relative(path).string(), 60));
  return found;
}

std::vector<std::string> folders_above(const std::string& path, const std::string& model) {
  fs::path top = absolute(path);
  fs::path folder = absolute(model);
  const bool is_itself = folder == top;
  constexpr int kMostLevels = 4;
  for (int i = 0; i < kMostLevels && (is_named_as_model(top.filename().string()) || (is_itself && i == 0)); ++i) {
    top = top.parent_path();
  }
  std::vector<std::string> folders = {folder.string()};
  while (folder != top && folder.has_relative_path()) {
    folder = folder.parent_path();
    folders.push_back(folder.string());
  }
  return folders;
}

namespace {

struct PictureFolder {
  std::string path;
  std::size_t n_found = 0;
};

/// The folder below one of the roots that holds most of the names.
PictureFolder fullest_folder(const std::vector<std::string>& roots, const std::vector<std::string>& names,
                             bool input_first) {
  PictureFolder best;
  for (const std::string& root : roots) {
    PictureFinder finder(root, "");
    std::vector<std::string> folders = finder.picture_folders();
    if (input_first) {
      std::stable_partition(folders.begin(), folders.end(), [](const std::string& name) { return name == "input"; });
    }
    // Names may hold folders: the ones that hold those.
    for (std::size_t i = 0; i < folders.size(); ++i) {
      const std::string above = fs::path(folders[i]).parent_path().string();
      if (std::find(folders.begin(), folders.end(), above) == folders.end()) folders.push_back(above);
    }
    for (const std::string& name : folders) {
      const std::string folder = real_folder((fs::path(root) / name).lexically_normal().string());
      const auto n =
          static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [&](const std::string& picture) {
            return finder.find_in(folder, picture).has_value();
          }));
      if (n > best.n_found) best = {folder, n};
    }
  }
  return best;
}

}  // namespace

std::string find_colmap_pictures(const std::string& path, const std::string& model,
                                 const std::vector<StatedView>& views, const SceneOptions& options) {
  const std::vector<std::string> roots = folders_above(path, model);
  if (!options.images.empty()) return named_picture_folder(roots.back(), options.images);
  if (views.empty()) return (fs::path(path) / "images").string();
  std::vector<std::string> names;
  for (const StatedView& view : views) names.push_back(normal_name(view.picture));
  // A model before the distortion was taken out belongs to the pictures that came in.
  const bool is_distorted =
      model.find("distorted") != std::string::npos && model.find("undistorted") == std::string::npos;
  PictureFolder best = fullest_folder(roots, names, is_distorted);
  if (best.n_found == 0) {  // in another folder than the names say
    for (std::string& name : names) name = fs::path(name).filename().string();
    best = fullest_folder(roots, names, is_distorted);
  }
  if (best.n_found == 0) {
    fail_scene(ErrorKind::NotFound, path, "",
               fmt::format("a folder 'images' with the pictures, such as {}", printable(views.front().picture, 80)),
               "none; there are " + PictureFinder(roots.back(), "").contents(),
               "put the pictures there, or name their folder with data.images");
  }
  return best.path;
}

}  // namespace loe
