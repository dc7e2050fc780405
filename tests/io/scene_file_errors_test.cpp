#include <functional>
#include <limits>

#include "io/scene_test_helpers.h"

namespace loe {
namespace {

void expect_refused(ErrorKind kind, const std::string& part, const std::string& path,
                    const SceneOptions& options = {}) {
  SCOPED_TRACE(part);
  expect_error(kind, part, [&] { read_scene(path, options); });
}

TEST(SceneFileErrors, WhatIsNoSceneIsNamed) {
  const TempFolder folder;
  expect_refused(ErrorKind::NotFound, "got nothing; name the folder of a scene", folder.file("none"));
  expect_refused(ErrorKind::Format, "poses_bounds.npy or sparse/0/", folder.path());
  write_bytes(folder.file("x.json"), "{}");
  expect_refused(ErrorKind::Format, "got something else", folder.file("x.json"));
}

TEST(SceneFileErrors, Options) {
  const TempFolder folder;
  write_transforms(folder.path(), transforms_json(folder.path(), 2));
  const auto refused = [&](const std::string& part, const std::function<void(SceneOptions&)>& change) {
    SceneOptions options;
    change(options);
    expect_refused(ErrorKind::InvalidArgument, part, folder.path(), options);
  };
  refused("format: expected blender", [](SceneOptions& o) { o.format = "blende\x1b"; });
  refused("test_every: expected", [](SceneOptions& o) { o.test_every = -1; });
  refused("box_half_side: expected", [](SceneOptions& o) { o.box_half_side = std::nan(""); });
  refused("box_centre: expected", [](SceneOptions& o) { o.box_centre[1] = INFINITY; });
  SceneOptions options;
  options.test_every = 1;
  expect_refused(ErrorKind::Format, "at least one view to train on, got 2 held out", folder.path(), options);
  options = {};
  for (const auto& [format, part] : {std::pair{"blender", "transforms_train.json"},
                                     {"nsvf", "intrinsics.txt"},
                                     {"llff", "poses_bounds.npy"},
                                     {"colmap", "sparse/0/cameras.bin or .txt"}}) {
    options.format = format;
    expect_refused(ErrorKind::NotFound, part, folder.path(), options);
  }
}

class TransformsErrors : public testing::Test {
 protected:
  void refused(const std::string& part, const std::function<void(Json&)>& change, ErrorKind kind = ErrorKind::Format) {
    Json file = good_;
    change(file);
    write_transforms(folder_.path(), file);
    expect_refused(kind, "transforms.json: " + part, folder_.path());
  }
  void refused_text(const std::string& part, const std::string& text) {
    write_bytes(folder_.file("transforms.json"), text);
    expect_refused(ErrorKind::Format, part, folder_.path());
  }

  TempFolder folder_;
  Json good_ = transforms_json(folder_.path(), 3);
};

TEST_F(TransformsErrors, DamagedText) {
  const std::string text = good_.dump();
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, text.size() / 3, text.size() - 1}) {
    refused_text("expected JSON, got a syntax error at byte", text.substr(0, n));
  }
  refused_text("expected JSON, got a zero byte", text + std::string(1, '\0'));
  refused_text("frames: expected a list of at least one frame, got \"NaN\"", "{\"frames\": NaN}");
  refused_text("expected JSON, got a syntax error", "{\"frames\": NaNs}");
  refused_text("at most 32 nested lists", std::string(100, '['));
  refused_text("expected JSON, got a number out of range", "{\"fl_x\": 1e999}");
  refused_text("expected a JSON object", "[1, 2]");
  refused_text("frames: expected a list of at least one frame, got none", "{\"fl_x\": 1}");
}

TEST_F(TransformsErrors, Fields) {
  refused("frames: expected a list of at least one frame", [](Json& f) { f["frames"] = Json::array(); });
  refused("frames: expected a list of at least one frame, got 3", [](Json& f) { f["frames"] = 3; });
  refused("frames[1]: expected an object, got 7", [](Json& f) { f["frames"][1] = 7; });
  refused("frames[1].file_path: expected the name of a file, got none",
          [](Json& f) { f["frames"][1].erase("file_path"); });
  refused("frames[1].file_path: expected the name of a file, got \"\"",
          [](Json& f) { f["frames"][1]["file_path"] = ""; });
  refused("frames[0].file_path", [](Json& f) { f["frames"][0]["file_path"] = std::string("a\0b", 3); });
  refused("frames[0].mask_path: expected the name", [](Json& f) { f["frames"][0]["mask_path"] = 1; });
  refused("fl_x: expected a finite number, got \"wide\"", [](Json& f) { f["fl_x"] = "wide"; });
  refused("fl_x: expected a focal length above 0, got -1", [](Json& f) { f["fl_x"] = -1; });
  refused("frames[2].fl_y: expected a focal length above 0", [](Json& f) { f["frames"][2]["fl_y"] = 0; });
  refused("frames[0]: expected a focal length in 0..", [](Json& f) { f["fl_x"] = 1e300; });
  refused("frames[0]: expected a focal length (fl_x) or an angle", [](Json& f) { f.erase("fl_x"); });
  refused("frames[0]: expected an angle of view in 0..pi", [](Json& f) { f.erase("fl_x"), f["camera_angle_x"] = 3.2; });
  refused("camera_angle_x: expected an angle above 0", [](Json& f) { f.erase("fl_x"), f["camera_angle_x"] = -1; });
  refused("frames[0]: expected a width and height of 1..65536", [](Json& f) { f["w"] = 40.5; });
  refused("frames[0]: expected a width and height of 1..65536", [](Json& f) { f["h"] = 1e12; });
  refused("frames[0]: expected pictures of 80x30, or resized from that, got one of 40x30",
          [](Json& f) { f["w"] = 80; });
  refused("frames[0]: expected a principal point", [](Json& f) { f["cx"] = 1e300; });
  refused("frames[1]: expected distortion coefficients", [](Json& f) { f["frames"][1]["p2"] = -1e300; });
  refused("is_fisheye: expected true or false", [](Json& f) { f["is_fisheye"] = "yes"; });
  refused("aabb_scale: expected a side above 0", [](Json& f) { f["aabb_scale"] = 0; });
  refused("scale: expected a scale above 0", [](Json& f) { f["aabb_scale"] = 1, f["scale"] = -1; });
  refused("offset: expected 3 numbers", [](Json& f) { f["aabb_scale"] = 1, f["offset"] = {1, 2}; });
  refused("train_filenames: expected a list of names", [](Json& f) { f["train_filenames"] = "all"; });
  refused("train_filenames[1]: expected the name", [](Json& f) { f["train_filenames"] = {"a", 2}; });
  refused("test_filenames[1]: expected no view that trains too, got 'a'", [](Json& f) {
    f["train_filenames"] = {"a"}, f["test_filenames"] = {"b", "a"};
  });
}

TEST_F(TransformsErrors, Lenses) {
  const auto unsupported = [&](const std::string& part, const std::function<void(Json&)>& change) {
    refused(part, change, ErrorKind::Unsupported);
  };
  unsupported("frames[0].camera_model: expected PINHOLE", [](Json& f) { f["camera_model"] = "EQUIRECTANGULAR"; });
  unsupported("frames[1].k4", [](Json& f) { f["frames"][1]["k4"] = 0.1; });
  unsupported("k6", [](Json& f) { f["k6"] = 0.1; });
  unsupported("ftheta_p0", [](Json& f) { f["ftheta_p0"] = 0.1; });
  unsupported("frames[0].p1: expected", [](Json& f) { f["is_fisheye"] = true, f["p1"] = 0.1; });
}

TEST_F(TransformsErrors, Matrices) {
  const auto matrix = [&](const std::string& part, const std::function<void(Json&)>& change) {
    refused("frames[1].transform_matrix" + part, [&](Json& f) { change(f["frames"][1]["transform_matrix"]); });
  };
  refused("frames[1].transform_matrix: expected 4 rows", [](Json& f) { f["frames"][1].erase("transform_matrix"); });
  matrix(": expected 4 rows of 4 numbers, got 1", [](Json& m) { m = 1; });
  matrix(": expected 4 rows of 4 numbers, got a list or object of 2", [](Json& m) { m.erase(3), m.erase(2); });
  matrix("[2]: expected 4 numbers", [](Json& m) { m[2].erase(0); });
  matrix("[2][1]: expected a finite number, got null", [](Json& m) { m[2][1] = nullptr; });
  matrix("[3]: expected 0, 0, 0, 1, got 2 at 3", [](Json& m) { m[3][3] = 2; });
  matrix(": expected a number of at most", [](Json& m) { m[0][3] = 1e200; });
  matrix(": expected a rotation (times a scale), got a matrix without an inverse", [](Json& m) { m[1] = m[0]; });
  matrix(": expected a rotation (times a scale), got a matrix without an inverse", [](Json& m) {
    for (int i = 0; i < 3; ++i) m[i] = {0, 0, 0, 1};
  });
  matrix(": expected a rotation (times a scale), got a matrix that mirrors", [](Json& m) {
    for (int i = 0; i < 3; ++i) m[i][0] = -m[i][0].get<double>();
  });
  matrix(": expected a rotation (times a scale), to 0.005, got axes that are off",
         [](Json& m) { m[0][0] = m[0][0].get<double>() + 0.05; });
  // Far away in units of the box.
  SceneOptions options;
  options.box_half_side = 1e-9;
  write_transforms(folder_.path(), good_);
  expect_refused(ErrorKind::Format, "a camera at a distance", folder_.path(), options);
}

TEST_F(TransformsErrors, Pictures) {
  write_transforms(folder_.path(), good_);
  write_bytes(folder_.file("images/c_001.png"), "no picture");
  expect_refused(ErrorKind::Format, "c_001.png", folder_.path());
  std::filesystem::remove_all(folder_.file("images"));
  expect_refused(ErrorKind::NotFound, "at least one picture, got none of 3, such as", folder_.path());
}

TEST_F(TransformsErrors, Masks) {
  good_["frames"][0]["mask_path"] = "mask.png";
  write_transforms(folder_.path(), good_);
  expect_refused(ErrorKind::NotFound, "mask.png", folder_.path());
  write_picture(folder_.file("mask.png"), 20, 20, 1);
  expect_refused(ErrorKind::Format, "expected a mask of its picture's 40x30, or resized from that, got 20x20",
                 folder_.path());
}

TEST(SceneFileErrors, Nsvf) {
  const TempFolder folder;
  write_nsvf(folder.path());
  const auto refused = [&](const std::string& name, const std::string& text, const std::string& part) {
    const std::string before = read_bytes(folder.file(name));
    write_bytes(folder.file(name), text);
    expect_refused(ErrorKind::Format, name + ": " + part, folder.path());
    write_bytes(folder.file(name), before);
  };
  refused("intrinsics.txt", "", "expected a 4 x 4 matrix, or 'f cx cy 0.' in the first line, got nothing");
  refused("intrinsics.txt", "1 2\n", "expected a 4 x 4 matrix, or 'f cx cy 0.' in the first line, got lines of 2");
  refused("intrinsics.txt", "50 0 20 x\n", "line 1: expected a finite number, got 'x'");
  refused("intrinsics.txt", "50 0 nan 0\n", "line 1: expected a finite number, got 'nan'");
  refused("intrinsics.txt", "1e999 0 1 0\n", "line 1: expected a finite number");
  refused("intrinsics.txt", "0 20 15 0\n", "focal length: expected more than 0");
  refused("intrinsics.txt", "50 1 20\n0 50 15\n0 0 1\n", "matrix: expected fx 0 cx");
  refused("intrinsics.txt", std::string(1000, '7') + "\n", "line 1: expected a finite number, got '77");
  std::string many;
  for (int i = 0; i < 65; ++i) many += "1 ";
  refused("intrinsics.txt", many, "line 1: expected at most 64 lines of at most 64 numbers");
  refused("pose/0_c_001.txt", "1 0 0 0\n0 1 0 0\n", "expected 4 lines of 4 numbers, got lines of 4, 4 numbers");
  refused("pose/0_c_001.txt", "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 1 1\n", "last line: expected 0 0 0 1");
  refused("pose/0_c_001.txt", "1 0 0 0\n0 1 0 0\n0 0 0 0\n0 0 0 1\n", "expected a rotation");
  refused("bbox.txt", "1 2 3 4 5", "expected xmin ymin zmin xmax ymax zmax and a voxel size, got 5 numbers");
  refused("bbox.txt", "0 0 0 1 0 1 0.1", "axis y: expected a smallest below a largest coordinate, got 0 and 0");
  std::filesystem::remove(folder.file("pose/0_c_001.txt"));
  expect_refused(ErrorKind::NotFound, "0_c_001.txt", folder.path());
}

TEST(SceneFileErrors, Llff) {
  const TempFolder folder;
  write_llff(folder.path());
  const std::vector<double> good = llff_values();
  const auto refused = [&](const std::string& part, const std::string& bytes, ErrorKind kind = ErrorKind::Format) {
    write_bytes(folder.file("poses_bounds.npy"), bytes);
    expect_refused(kind, part, folder.path());
  };
  const auto changed = [&](const std::string& part, std::size_t at, double value) {
    std::vector<double> values = good;
    values[17 + at] = value;
    refused("poses_bounds.npy: view 1: expected " + part, llff_array(values));
  };
  refused("[scene] ", "");
  refused("expected a NumPy array (.npy), got something else", "no array, but something longer than a header");
  refused("bytes of values, as its shape says", llff_array(good).substr(0, 500));
  refused("array: expected [N, 17] of float64, got [17, 10] of <f8", llff_array(good, 10));
  refused("array: expected [N, 17] of float64, got [1, 17] of u1", npy_header("|u1", {1, 17}) + std::string(17, 'x'));
  refused("got an empty array", npy_header("<f8", {0, 17}));
  refused("in C order", npy_header("<i8", {1, 17}) + std::string(136, 'x'), ErrorKind::Unsupported);
  refused("expected one row for each of the 10 pictures", llff_array(llff_values(9)));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  changed("a number of at most", 0, nan);
  changed("a rotation", 0, 3);
  changed("a width and height", 4, nan);
  changed("a width and height", 9, 0);
  changed("a focal length", 14, -5);
  changed("bounds with 0 < near < far", 15, 0);
  changed("bounds with 0 < near < far", 15, 100);
  changed("bounds with 0 < near < far", 16, nan);
  write_llff(folder.path());
  SceneOptions options;
  options.images = "images_4";
  expect_refused(ErrorKind::NotFound, "a folder 'images_4' with the pictures", folder.path(), options);
  std::filesystem::remove_all(folder.file("images"));
  expect_refused(ErrorKind::NotFound, "a folder 'images' with the pictures", folder.path());
}

class ColmapErrors : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { write_colmap(folder_.path(), GetParam()); }
  std::string file(const std::string& name) const {
    return folder_.file("sparse/0/" + name + (GetParam() ? ".bin" : ".txt"));
  }
  void refused(const std::string& name, const std::string& content, const std::string& part,
               ErrorKind kind = ErrorKind::Format) {
    const std::string before = read_bytes(file(name));
    write_bytes(file(name), content);
    expect_refused(kind, part, folder_.path());
    write_bytes(file(name), before);
  }

  TempFolder folder_;
};

TEST_P(ColmapErrors, FilesAndCutOffFiles) {
  for (const char* name : {"cameras", "images"}) {
    const std::string good = read_bytes(file(name));
    if (GetParam()) {
      for (std::size_t n = 0; n < good.size(); n += 1 + good.size() / 40) {
        refused(name, good.substr(0, n), std::string(name) + ".bin: ");
      }
      refused(name, good + "x", "bytes, got");
      refused(name, std::string(8, '\xFF') + good.substr(8), "a number of things that fit");
    }
    std::filesystem::remove(file(name));
    SceneOptions options;
    options.format = "colmap";
    expect_refused(ErrorKind::NotFound, name == std::string("cameras") ? "cameras.bin or .txt" : "images.txt",
                   folder_.path(), options);
    write_bytes(file(name), good);
  }
  EXPECT_EQ(read_scene(folder_.path()).views.size(), 10U);
}

INSTANTIATE_TEST_SUITE_P(Encodings, ColmapErrors, testing::Bool(),
                         [](const auto& param) { return param.param ? "Binary" : "Text"; });

TEST(ColmapBinaryErrors, Values) {
  const TempFolder folder;
  write_colmap(folder.path(), true);
  const auto patched = [&](const std::string& name, std::size_t at, const std::string& bytes, const std::string& part,
                           ErrorKind kind = ErrorKind::Format) {
    const std::string path = folder.file("sparse/0/" + name);
    const std::string good = read_bytes(path);
    std::string bad = good;
    bad.replace(at, bytes.size(), bytes);
    write_bytes(path, bad);
    expect_refused(kind, part, folder.path());
    write_bytes(path, good);
  };
  patched("cameras.bin", 12, bytes_of<int32_t>(6),
          "cameras.bin: camera 3: expected SIMPLE_PINHOLE, PINHOLE, "
          "SIMPLE_RADIAL, RADIAL, OPENCV or OPENCV_FISHEYE, got FULL_OPENCV",
          ErrorKind::Unsupported);
  patched("cameras.bin", 12, bytes_of(std::numeric_limits<int32_t>::min()), "got model -2147483648",
          ErrorKind::Unsupported);
  patched("cameras.bin", 16, bytes_of<uint64_t>(0), "camera 3: expected a size and focal lengths above 0");
  patched("cameras.bin", 16, bytes_of<uint64_t>(~uint64_t{0}), "camera 3: expected a width and height of 1..65536");
  patched("cameras.bin", 32, bytes_of(-2.0), "camera 3: expected a size and focal lengths above 0");
  patched("cameras.bin", 40, bytes_of(std::nan("")), "camera 3: expected a principal point");
  patched("images.bin", 12, bytes_of(3.0), "images.bin: image 10: expected a quaternion of length 1");
  patched("images.bin", 12, bytes_of(std::nan("")), "image 10: expected a quaternion of length 1, got nan");
  patched("images.bin", 44, bytes_of(std::numeric_limits<double>::infinity()),
          "image 10: expected a number of at most");
  patched("images.bin", 68, bytes_of<uint32_t>(4), "image 10: expected one of 1 cameras, got camera 4");
  patched("images.bin", 72, std::string(1, '\0'), "image 10: expected a name");
  patched("images.bin", 82, bytes_of(~uint64_t{0}), "image 10: expected a number of things");
  write_bytes(folder.file("sparse/0/points3D.bin"), bytes_of(uint64_t{1}) + std::string(8, 'i') + bytes_of(1.0) +
                                                        bytes_of(std::nan("")) + bytes_of(1.0) + "rgb" + bytes_of(0.5) +
                                                        bytes_of(uint64_t{0}));
  expect_refused(ErrorKind::Format, "points3D.bin: a point: expected coordinates of at most", folder.path());
}

TEST(ColmapTextErrors, Lines) {
  const TempFolder folder;
  write_colmap(folder.path(), false);
  const auto refused = [&](const std::string& name, const std::string& text, const std::string& part,
                           ErrorKind kind = ErrorKind::Format) {
    const std::string path = folder.file("sparse/0/" + name);
    const std::string good = read_bytes(path);
    write_bytes(path, text);
    expect_refused(kind, part, folder.path());
    write_bytes(path, good);
  };
  refused("cameras.txt", "", "expected one of 0 cameras, got camera 3");
  refused("cameras.txt", "#\n3 PINHOLE\n", "cameras.txt: line 2: expected id, model");
  refused("cameras.txt", "3 FOV 40 30 50 50 20 15 1\n",
          "camera 3: expected SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, "
          "RADIAL, OPENCV or OPENCV_FISHEYE, got 'FOV'",
          ErrorKind::Unsupported);
  refused("cameras.txt", "3 PINHOLE 40 30 50 20 15\n", "line 1: expected 4 parameters of PINHOLE, got 3");
  refused("cameras.txt", "-3 PINHOLE 40 30 50 50 20 15\n", "line 1: expected a whole number, got '-3'");
  refused("cameras.txt", "3 PINHOLE 40 30 50 5O 20 15\n", "line 1: expected a finite number, got '5O'");
  refused("images.txt", "1 1 0 0 0 1 2 3 3\n", "images.txt: line 1: expected id, quaternion");
  refused("images.txt", "1 1 1 0 0 1 2 3 3 a.png\n", "image 1: expected a quaternion of length 1");
  refused("images.txt", "# none\n", "expected at least one picture, got none", ErrorKind::NotFound);
  write_bytes(folder.file("sparse/0/points3D.txt"), "1 2 3\n");
  expect_refused(ErrorKind::Format, "points3D.txt: line 1: expected id and x, y, z", folder.path());
}

}  // namespace
}  // namespace loe
