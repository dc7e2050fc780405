// Which format a scene has, and its pictures: include/loe/io/scene_file.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "io/picture_folder.h"
#include "io/scene_builder.h"
#include "io/scene_colmap.h"
#include "io/text.h"
#include "loe/io/image_edit.h"
#include "loe/io/image_file.h"
#include "loe/signal/no_data.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

bool is_transforms_file(const std::string& path) {
  std::error_code ignored;
  const fs::path name = fs::path(path).filename();
  return name.string().starts_with("transforms") && name.extension() == ".json" && fs::is_regular_file(path, ignored);
}

/// "" if it is none.
std::string format_of(const std::string& path) {
  const fs::path folder(path);
  std::error_code ignored;
  if (is_transforms_file(path)) {
    return "transforms";
  }
  if (!fs::is_directory(folder, ignored)) {
    return "";
  }
  const auto has = [&](const char* name) {
    std::error_code unreadable;
    return fs::exists(folder / name, unreadable);
  };
  if (has("transforms_train.json")) return "blender";
  if (has("transforms.json")) return "transforms";
  if (has("intrinsics.txt") && has("pose")) return "nsvf";
  if (has("poses_bounds.npy")) return "llff";
  return has_colmap_model(path) ? "colmap" : "";
}

/// Scenes one folder further down, of a folder that is none and holds no pictures: what unpacking often makes.
std::vector<std::string> scenes_below(const std::string& path) {
  std::vector<std::string> found;
  std::error_code error;
  if (!fs::is_directory(path, error) || !format_of(path).empty() || has_pictures(path)) return found;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name[0] != '.' && entry->is_directory(ignored) && !format_of(entry->path().string()).empty()) {
      found.push_back(name);
    }
  }
  std::sort(found.begin(), found.end(), natural_less);
  return found;
}

/// What a folder holds, for a message that it is no scene.
std::string contents_of(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return "nothing";
  if (!fs::is_directory(path, ignored)) return "something else";
  return "a folder with " + PictureFinder(path, "").contents();
}

Scene read_scene_below(const std::string& path, const SceneOptions& options) {
  const std::vector<std::string> below = scenes_below(path);
  if (below.size() == 1) {
    Scene scene = read_scene((fs::path(path) / below[0]).string(), options);
    scene.notes.insert(scene.notes.begin(), fmt::format("scene in {}/, one folder further down", printable(below[0])));
    return scene;
  }
  std::error_code ignored;
  const bool is_there = fs::exists(path, ignored);
  if (below.empty()) {
    fail_scene(is_there ? ErrorKind::Format : ErrorKind::NotFound, path, "",
               "a folder with transforms*.json, intrinsics.txt and pose/, poses_bounds.npy or sparse/0/, or a "
               "transforms.json",
               contents_of(path), "name the folder of a scene");
  }
  constexpr std::size_t kListed = 6;
  std::string list;
  for (std::size_t i = 0; i < std::min(kListed, below.size()); ++i) {
    list += fmt::format("{}{}/", i == 0 ? "" : ", ", printable(below[i], 40));
  }
  fail_scene(ErrorKind::Format, path, "", "one scene",
             fmt::format("{}: {}{}", below.size(), list, below.size() > kListed ? ", ..." : ""), "name one of them");
}

void check_options(const SceneOptions& options) {
  const auto fail = [](const std::string& field, const std::string& expected, const std::string& found) {
    fail_scene(ErrorKind::InvalidArgument, "options", field, expected, found, "choose another value");
  };
  if (options.test_every < 0) {
    fail("test_every", "0 (none) or more", fmt::format("{}", options.test_every));
  }
  if (!(options.box_half_side >= 0 && std::isfinite(options.box_half_side))) {
    fail("box_half_side", "0 (the format's rule) or more", fmt::format("{}", options.box_half_side));
  }
  for (const double x : options.box_centre) {
    if (!std::isfinite(x)) fail("box_centre", "finite numbers", fmt::format("{}", x));
  }
}

void require_size(const Image& image, const View& view, const std::string& path) {
  if (image.width() != view.intrinsics.width || image.height() != view.intrinsics.height) {
    fail_scene_format(path, "", fmt::format("{}x{} as before", view.intrinsics.width, view.intrinsics.height),
                      fmt::format("{}x{}", image.width(), image.height()));
  }
}

}  // namespace

bool is_scene(const std::string& path) {
  try {
    return !format_of(path).empty() || !scenes_below(path).empty();
  } catch (const Error&) {
    return false;  // a folder that cannot be listed
  }
}

Scene read_scene(const std::string& path, const SceneOptions& options) {
  check_options(options);
  const std::string format = options.format.empty() ? format_of(path) : options.format;
  std::error_code ignored;
  if (format == "blender") return read_blender_scene(path, options);
  if (format == "transforms") {
    const bool is_folder = fs::is_directory(path, ignored);
    return read_transforms_scene(is_folder ? (fs::path(path) / "transforms.json").string() : path, options);
  }
  if (format == "nsvf") return read_nsvf_scene(path, options);
  if (format == "llff") return read_llff_scene(path, options);
  if (format == "colmap") return read_colmap_scene(path, options);
  if (!options.format.empty()) {
    fail_scene(ErrorKind::InvalidArgument, "options", "format", "blender, transforms, nsvf, llff or colmap",
               fmt::format("'{}'", printable(options.format)), "choose one of them");
  }
  return read_scene_below(path, options);
}

namespace {

Image one_channel(const Image& image, int channel) {
  Image grey(image.width(), image.height(), 1, image.type());
  const auto value = static_cast<std::size_t>(bytes_per_value(image.type()));
  const std::size_t stride = value * static_cast<std::size_t>(image.n_channels());
  for (std::size_t i = 0; i < static_cast<std::size_t>(image.n_pixels()); ++i) {
    std::copy_n(image.data() + i * stride + static_cast<std::size_t>(channel) * value, value, grey.data() + i * value);
  }
  return grey;
}

/// Tools that cut things out leave the mask in alpha, over one colour; else it is the first channel.
int mask_channel(const Image& mask) {
  const int n = mask.n_channels();
  if (!mask.has_alpha()) return 0;
  std::array<float, 4> first{};
  std::array<float, 4> pixel{};
  mask.read_pixel(0, 0, first.data());
  bool has_alpha = false;
  for (int y = 0; y < mask.height(); ++y) {
    for (int x = 0; x < mask.width(); ++x) {
      mask.read_pixel(x, y, pixel.data());
      if (!std::equal(pixel.begin(), pixel.begin() + n - 1, first.begin())) return 0;
      has_alpha |= pixel[static_cast<std::size_t>(n - 1)] != first[static_cast<std::size_t>(n - 1)];
    }
  }
  return has_alpha ? n - 1 : 0;
}

ImageTurn turn_of(const View& view) {
  return view.is_turned ? ImageTurn::AsShown : ImageTurn::AsStored;
}

}  // namespace

Image read_view_image(const View& view) {
  Image image = read_image(view.image_path, kMaxImageBytes, turn_of(view));
  require_size(image, view, view.image_path);
  return image;
}

Image read_view_mask(const View& view) {
  if (view.mask_path.empty()) {
    fail_scene(ErrorKind::NotFound, view.image_path, "", "a view with a mask", "one without",
               "look at mask_path first");
  }
  Image mask = read_image(view.mask_path, kMaxImageBytes, turn_of(view));
  if (mask.n_channels() > 1) mask = one_channel(mask, mask_channel(mask));
  const Intrinsics& picture = view.intrinsics;
  StatedIntrinsics stated;
  stated.width = picture.width;
  stated.height = picture.height;
  if (fits_size(stated, mask.width(), mask.height()) &&
      (mask.width() != picture.width || mask.height() != picture.height)) {
    mask = resize_image(mask, picture.width, picture.height);
  }
  require_size(mask, view, view.mask_path);
  return mask;
}

namespace {

/// Whether a fit has a use for the view: nothing is measured on a validation split beside a test split.
std::vector<View> views_to_read(const std::vector<View>& all, int n_test) {
  const auto count = [&](Split split) {
    return std::count_if(all.begin(), all.end(), [&](const View& view) { return view.split == split; });
  };
  const Split measured = count(Split::Test) > 0 ? Split::Test : Split::Validation;
  const int64_t n_measured = count(measured);
  const int64_t n_kept = n_test > 0 ? std::min<int64_t>(n_test, n_measured) : n_measured;
  std::vector<View> views;
  int64_t index = 0;
  for (const View& view : all) {
    if (view.split == measured) {
      // Kept where floor(index n_kept / n_measured) has just grown: the first view, then evenly spaced ones.
      const int64_t before = index == 0 ? -1 : (index - 1) * n_kept / n_measured;
      const bool is_kept = index * n_kept / n_measured > before;
      ++index;
      if (!is_kept) continue;
    }
    if (view.split == Split::Train || view.split == measured) views.push_back(view);
  }
  return views;
}

/// Rays through pixels without values are left out like those that a mask leaves out. Returns how many there are.
int64_t mask_no_data(View& view, Image& image, Image& mask) {
  const int64_t n_missing = image.n_pixels() - n_measured(image);
  if (n_missing == 0) return 0;
  if (n_missing == image.n_pixels()) {
    fail_scene(ErrorKind::Format, view.image_path, "", "a picture with values", "one of NaN alone",
               "take another copy, or take it out of the scene");
  }
  if (mask.width() == 0) {
    mask = Image(image.width(), image.height(), 1, PixelType::U8);
    std::fill_n(mask.data(), mask.n_bytes(), std::byte{255});
    view.mask_keeps_white = true;
  }
  const float left_out = view.mask_keeps_white ? 0.0F : 1.0F;
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x) {
      if (!image.is_measured(x, y)) mask.write_row(x, y, 1, &left_out);
    }
  }
  fill_no_data(image);
  return n_missing;
}

void reduce(View& view, Image& image, Image& mask, int max_side) {
  const int longest = std::max(image.width(), image.height());
  if (max_side == 0 || longest <= max_side) return;
  const double share = static_cast<double>(max_side) / longest;
  const int width = std::max(1, static_cast<int>(std::lround(image.width() * share)));
  const int height = std::max(1, static_cast<int>(std::lround(image.height() * share)));
  view.intrinsics = resized(view.intrinsics, width, height);
  image = resize_image(image, width, height);
  if (mask.width() > 0) mask = resize_image(mask, width, height);
}

}  // namespace

void widen_range(const Image& image, std::array<double, 2>& range) {
  if (image.type() == PixelType::U8 || image.type() == PixelType::U16) return;
  const int n = image.n_channels();
  const int n_colors = n < 3 ? 1 : 3;
  std::vector<float> row(static_cast<std::size_t>(image.width()) * static_cast<std::size_t>(n));
  for (int y = 0; y < image.height(); ++y) {
    image.read_row(0, y, image.width(), row.data());
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (static_cast<int>(i % static_cast<std::size_t>(n)) >= n_colors || !std::isfinite(row[i])) continue;
      range[0] = std::min(range[0], static_cast<double>(row[i]));
      range[1] = std::max(range[1], static_cast<double>(row[i]));
    }
  }
}

ScenePictures read_scene_pictures(Scene scene, int max_side, int n_test, const std::function<void(double)>& on_share) {
  ScenePictures pictures;
  pictures.scene = std::move(scene);
  std::vector<View>& views = pictures.scene.views;
  views = views_to_read(views, n_test);
  int64_t n_missing = 0;
  for (View& view : views) {
    Image image = read_view_image(view);
    Image mask = view.mask_path.empty() ? Image() : read_view_mask(view);
    n_missing += mask_no_data(view, image, mask);
    reduce(view, image, mask, max_side);
    widen_range(image, pictures.range);
    pictures.images.push_back(std::move(image));
    pictures.masks.push_back(std::move(mask));
    on_share(static_cast<double>(pictures.images.size()) / static_cast<double>(views.size()));
  }
  if (n_missing > 0) {
    pictures.scene.warnings.push_back(fmt::format(
        "{} pixels of the pictures have no values (NaN): they are not trained on, and are filled from their "
        "neighbours where views are measured",
        n_missing));
  }
  return pictures;
}

}  // namespace loe
