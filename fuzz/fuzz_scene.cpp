// The readers of scenes. The first byte says which: the rest is the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "io/scene_colmap.h"
#include "io/scene_llff.h"
#include "io/scene_nsvf.h"
#include "io/scene_pictures.h"
#include "io/scene_transforms.h"
#include "loe/base/error.h"
#include "loe/signal/camera.h"

namespace {

/// What has been read is a camera: a rotation, and numbers.
void check_pose(const loe::Pose& pose) {
  const auto& m = pose.matrix;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      const double product = m[i][0] * m[j][0] + m[i][1] * m[j][1] + m[i][2] * m[j][2];
      if (!(std::abs(product - (i == j ? 1 : 0)) < 1e-9)) std::abort();
    }
    if (!std::isfinite(m[i][3])) std::abort();
  }
}

/// Any lens must answer with a point that it bends to the one asked for, or with NaN.
void check_lens(const loe::Lens& lens) {
  for (const double x : {0.0, 0.1, 0.7, 3.0}) {
    const auto found = loe::undistort(lens, x, 0.5 * x);
    if (std::isnan(found[0]) != std::isnan(found[1])) std::abort();
    if (std::isnan(found[0])) continue;
    const auto back = loe::distort(lens, found[0], found[1]);
    if (!(std::hypot(back[0] - x, back[1] - 0.5 * x) <= 1e-6 * (1 + x))) std::abort();
  }
}

void read_array(const uint8_t* data, std::size_t size) {
  const int fd = ::memfd_create("array", 0);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    for (const loe::LlffView& view : loe::read_poses_bounds("/proc/self/fd/" + std::to_string(fd))) {
      check_pose(view.pose);
    }
  } catch (const loe::Error&) {
  }
  ::close(fd);
}

/// The same text as key poses, which need less of it.
void read_tour(const std::string& content, const std::string& path) {
  try {
    for (const loe::Pose& pose : loe::parse_camera_path(content, path)) check_pose(pose);
  } catch (const loe::Error&) {
  }
}

void parse(int which, const std::string& content) {
  const auto encoding = which % 2 == 0 ? loe::ColmapEncoding::Binary : loe::ColmapEncoding::Text;
  const std::string path = "fuzz";
  switch (which) {
    case 0:
    case 1:
      for (const auto& [id, camera] : loe::parse_colmap_cameras(content, encoding, path)) check_lens(camera.lens);
      break;
    case 2:
    case 3:
      for (const loe::ColmapImage& image : loe::parse_colmap_images(content, encoding, path)) check_pose(image.pose);
      break;
    case 4:
    case 5:
      loe::parse_colmap_points(content, encoding, path);
      break;
    case 6:
      read_tour(content, path);
      for (const loe::TransformsFrame& frame : loe::parse_transforms(content, path).frames) {
        check_pose(frame.pose);
        check_lens(frame.intrinsics.lens);
      }
      break;
    case 7:
      loe::parse_nsvf_intrinsics(content, path);
      break;
    case 8:
      check_pose(loe::parse_nsvf_pose(content, path));
      break;
    case 9:
      loe::parse_nsvf_box(content, path);
      break;
    default:
      if (loe::normal_name(content).find('\\') != std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr int kReaders = 12;
  constexpr int kArray = 10;
  const int which = (data[0] - '0' + 256) % 256 % kReaders;  // seeds begin with '0', '1', ..., ';'
  if (which == kArray) {
    read_array(data + 1, size - 1);
    return 0;
  }
  try {
    parse(which, std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  } catch (const loe::Error&) {
  }
  return 0;
}
