// Scenes as people bring them: what other tools leave where, and names from other machines. One row is one kind.
#include <map>

#include "io/scene_wild_helpers.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

/// Moves what write_colmap() makes.
void move_model(const std::string& folder, const std::string& to) {
  fs::create_directories(fs::path(folder + "/" + to).parent_path());
  fs::rename(folder + "/sparse/0", folder + "/.model");
  fs::remove(folder + "/sparse");
  fs::create_directories(fs::path(folder + "/" + to).parent_path());
  fs::remove(folder + "/" + to);
  fs::rename(folder + "/.model", folder + "/" + to);
}

/// The pictures of transforms_json() in another folder or with another ending; all but .png are JPEGs.
void rename_pictures(const std::string& folder, const std::string& into, const std::string& ending) {
  fs::create_directories(folder + "/" + into);
  for (int n = 0; n < 4; ++n) {
    std::string from = folder + "/" + in_images(n);
    if (ending != ".png" && ending != ".PNG") {
      fs::remove(from);
      from = folder + "/.t.jpg";
      write_turned(from, kSceneWidth, kSceneHeight, 1);
    }
    fs::rename(from, folder + "/" + into + "/" + picture_name(n) + ending);
  }
}

struct Found {
  std::size_t n_views = 0;
  std::string warning;  ///< part of one of them; "": there must be none
  std::string note;     ///< part of one of them
};

struct Case {
  std::string name;
  std::function<void(const std::string& folder)> write;
  Found found;
  std::string path;  ///< below the folder
};

void expect_found(const Case& wild) {
  SCOPED_TRACE(wild.name);
  const TempFolder folder;
  wild.write(folder.path());
  const std::string path = wild.path.empty() ? folder.path() : folder.file(wild.path);
  EXPECT_TRUE(is_scene(path));
  const Scene scene = read_scene(path);
  EXPECT_EQ(scene.views.size(), wild.found.n_views);
  const std::string warnings = joined(scene.warnings);
  EXPECT_EQ(warnings.empty(), wild.found.warning.empty()) << warnings;
  EXPECT_NE(warnings.find(wild.found.warning), std::string::npos) << warnings;
  EXPECT_NE(joined(scene.notes).find(wild.found.note), std::string::npos) << joined(scene.notes);
  // Each picture has its own camera, wherever it was found.
  for (const View& view : scene.views) {
    const int n = std::stoi(view.name.substr(2));
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(view.camera_to_world.matrix[i][3], (scene_pose(n).matrix[i][3] - scene.centre[i]) * scene.scale, 1e-7)
          << view.name;
    }
    EXPECT_EQ(read_view_image(view).width(), view.intrinsics.width);
  }
}

TEST(SceneWild, ColmapModelsWhereToolsLeaveThem) {
  const auto moved = [](const std::string& to, bool is_binary = true) {
    return [=](const std::string& folder) {
      write_colmap(folder, is_binary);
      move_model(folder, to);
    };
  };
  const auto moved_with_pictures = [=](const std::string& to, const std::string& pictures) {
    return [=](const std::string& folder) {
      moved(to)(folder);
      fs::rename(folder + "/images", folder + "/" + pictures);
    };
  };
  const std::vector<Case> cases = {
      {"sparse", moved("sparse"), {10, "", "pictures in"}, ""},
      {"sparse/1 alone", moved("sparse/1"), {10, "", "sparse/1"}, ""},
      {"nerfstudio", moved("colmap/sparse/0"), {10, "", "colmap/sparse/0"}, ""},
      {"before undistortion", moved("distorted/sparse/0", false), {10, "", "distorted/sparse/0"}, ""},
      {"its pictures", moved_with_pictures("distorted/sparse/0", "input"), {10, "", "input"}, ""},
      {"dense", moved_with_pictures("dense/sparse", "dense/images"), {10, "", "dense/images"}, ""},
      {"automatic", moved_with_pictures("dense/0/sparse", "dense/0/images"), {10, "", "dense/0/images"}, ""},
      {"instant-ngp's text", moved("colmap_text", false), {10, "", "colmap_text"}, ""},
      {"any folder", moved("recon"), {10, "", "recon"}, ""},
      {"one further down", moved("recon/0"), {10, "", "recon/0"}, ""},
      {"the model itself", moved("sparse/0"), {10, "", "images"}, "sparse/0"},
      {"the folder of models", moved("sparse/0"), {10, "", "images"}, "sparse"},
      {"beside its pictures", moved_with_pictures("m", "m/images"), {10, "", "m/images"}, "m"},
      {"input/", moved_with_pictures("sparse/0", "input"), {10, "", "input"}, ""},
      {"any name", moved_with_pictures("sparse/0", "photos"), {10, "", "photos"}, ""},
      {"beside the model's folder", moved_with_pictures("sparse/0", "images_2"), {10, "", "images_2"}, ""},
  };
  for (const Case& wild : cases) expect_found(wild);
}

TEST(SceneWild, OfSeveralModelsTheOneWithMostPictures) {
  const TempFolder folder;
  write_colmap(folder.path(), false);
  fs::copy(folder.file("sparse/0"), folder.file("sparse/1"));
  const std::string images = read_bytes(folder.file("sparse/1/images.txt"));
  // The smaller one comes first; its two pictures are the file's first.
  std::size_t end = 0;
  for (int line = 0; line < 5; ++line) end = images.find('\n', end) + 1;
  write_bytes(folder.file("sparse/0/images.txt"), images.substr(0, end));
  const Scene scene = read_scene(folder.path());
  EXPECT_EQ(scene.views.size(), 10U);
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_EQ(
      scene.warnings[0],
      "2 models, sparse/0 with 2, sparse/1 with 10 pictures: sparse/1 is taken; name the folder of another one to "
      "fit that");
  const Scene other = read_scene(folder.file("sparse/0"));
  EXPECT_EQ(other.views.size(), 2U);
  EXPECT_TRUE(other.warnings.empty());
}

TEST(SceneWild, TextWithoutLinesOfPoints) {
  const TempFolder folder;
  write_colmap(folder.path(), false);
  const std::string path = folder.file("sparse/0/images.txt");
  std::string lines;
  std::string spaced = "# two\n";
  for (int n = 0; n < kSceneViews; ++n) {
    const std::string line =
        fmt::format("{} {} 3 {}.png\n", n + 1, fmt::join(colmap_pose(scene_pose(n)), " "), picture_name(n));
    lines += line;
    spaced += line + "1.5 2.5 -1 3.5 4.5 12\n" + (n % 2 == 0 ? "# between\n" : "");
  }
  for (const std::string& text : {lines, spaced}) {
    write_bytes(path, text);
    EXPECT_EQ(read_scene(folder.path()).views.size(), 10U);
  }
}

TEST(SceneWild, NamesInModelsOfOtherSystems) {
  for (const std::string before : {"images\\", "C:\\scan\\images\\", "/data/scan/", "cam0/"}) {
    SCOPED_TRACE(before);
    const TempFolder folder;
    write_colmap(folder.path(), false);
    std::string text = "\xEF\xBB\xBF# by an editor\r\n";
    for (int n = 0; n < kSceneViews; ++n) {
      text += fmt::format("{} {} 3 {}{}.png\r\n\r\n", n + 1, fmt::join(colmap_pose(scene_pose(n)), " "), before,
                          picture_name(n));
    }
    write_bytes(folder.file("sparse/0/images.txt"), text);
    EXPECT_EQ(read_scene(folder.path()).views.size(), 10U);
  }
}

TEST(SceneWild, PicturesInFoldersByCamera) {
  const TempFolder folder;
  Json file = transforms_json(folder.path(), 4);
  fs::remove_all(folder.file("images"));
  for (int n = 0; n < 4; ++n) {
    const std::string name = fmt::format("cam{}/{}.png", n % 2, n / 2);
    write_picture(folder.file("images/" + name));
    file["frames"][static_cast<std::size_t>(n)]["file_path"] = "D:\\rig\\images\\" + name;
  }
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path());
  ASSERT_EQ(scene.views.size(), 4U);
  // In order of paths: cam0/0, cam0/1, cam1/0, cam1/1 are frames 0, 2, 1, 3.
  for (const auto& [view, frame] : {std::pair<std::size_t, int>{1, 2}, {2, 1}}) {
    EXPECT_NEAR(scene.views[view].camera_to_world.matrix[0][0], scene_pose(frame).matrix[0][0], 1e-9);
  }
}

TEST(SceneWild, NamesInTransforms) {
  const auto named = [](const std::function<std::string(int)>& name) {
    return [name](const std::string& folder) { write_transforms_named(folder, name); };
  };
  const auto lying = [](const std::string& into, const std::string& ending, bool has_ending = true) {
    return [=](const std::string& folder) {
      write_transforms_named(folder, [&](int n) { return has_ending ? in_images(n) : "images/" + picture_name(n); });
      rename_pictures(folder, into, ending);
    };
  };
  const std::vector<Case> cases = {
      {"./", named([](int n) { return "./" + in_images(n); }), {4, "", ""}, ""},
      {"detour", named([](int n) { return "images/x/../" + picture_name(n) + ".png"; }), {4, "", ""}, ""},
      {"back slashes", named([](int n) { return "images\\" + picture_name(n) + ".png"; }), {4, "", "another way"}, ""},
      {"drive",
       named([](int n) { return "C:\\scan\\images\\" + picture_name(n) + ".png"; }),
       {4, "ends of their", ""},
       ""},
      {"absolute", named([](int n) { return "/data/scan/" + in_images(n); }), {4, "ends of their paths", ""}, ""},
      {"URL",
       named([](int n) { return "https://host.org/a%20b/" + in_images(n) + "?v=1"; }),
       {4, "ends of their", ""},
       ""},
      {"file URL", named([](int n) { return "file:///data/" + in_images(n); }), {4, "ends of their paths", ""}, ""},
      {"name alone", named([](int n) { return picture_name(n) + ".png"; }), {4, "ends of their paths", ""}, ""},
      {"parent", named([](int n) { return "../scan/" + in_images(n); }), {4, "ends of their paths", ""}, ""},
      {"capital ending", lying("images", ".PNG"), {4, "", "another way"}, ""},
      {"no ending, capitals", lying("images", ".JPG", false), {4, "", ""}, ""},
      {"no ending, jpe", lying("images", ".jpe", false), {4, "", ""}, ""},
      {"another format", lying("images", ".jpg"), {4, "have another ending", ""}, ""},
      {"another folder", lying("photos", ".png"), {4, "ends of their paths", ""}, ""},
      {"beside the file", lying(".", ".png"), {4, "ends of their paths", ""}, ""},
  };
  for (const Case& wild : cases) expect_found(wild);
}

TEST(SceneWild, ReducedFoldersCarryTheirScale) {
  // No width and height: what fl_x and cx count is only in the folders' names.
  const TempFolder folder;
  write_transforms_named(folder.path(), in_images, [](Json& file) {
    file.erase("w");
    file.erase("h");
  });
  fs::remove_all(folder.file("images"));
  for (int n = 0; n < 4; ++n) write_picture(folder.file("images_4/" + picture_name(n) + ".png"), 10, 8);
  for (int n = 0; n < 4; ++n) write_picture(folder.file("images_2/" + picture_name(n) + ".png"), 20, 15);
  const Scene scene = read_scene(folder.path());
  EXPECT_EQ(scene.views[1].intrinsics, (Intrinsics{20, 15, 25, 25, 10, 7.5, {}}));
  SceneOptions options;
  options.images = "images_4";
  const Scene quarter = read_scene(folder.path(), options);
  EXPECT_EQ(quarter.views[1].intrinsics, (Intrinsics{10, 8, 12.5, 12.5, 5, 3.75, {}}));
  EXPECT_TRUE(quarter.warnings.empty()) << quarter.warnings[0];
}

TEST(SceneWild, OnePictureForTwoNamesIsRefused) {
  const TempFolder folder;
  write_transforms_named(folder.path(), [](int n) {
    return n == 3 ? "/b/" + picture_name(0) + ".png" : "/a/" + picture_name(n) + ".png";
  });
  expect_error(ErrorKind::Format, "frames[3]: expected a picture of its own, got only",
               [&] { read_scene(folder.path()); });
}

TEST(SceneWild, FramesListedTwiceCountOnce) {
  const TempFolder folder;
  write_transforms_named(folder.path(), in_images, [](Json& file) {
    file["frames"].push_back(file["frames"][0]);
    Json moved = file["frames"][1];
    moved["transform_matrix"] = matrix_json(scene_pose(7));
    file["frames"].push_back(moved);
  });
  const Scene scene = read_scene(folder.path());
  EXPECT_EQ(scene.views.size(), 4U);
  ASSERT_EQ(scene.warnings.size(), 2U);
  EXPECT_EQ(scene.warnings[0], "1 views are listed twice and count once, first images/c_000.png");
  EXPECT_NE(scene.warnings[1].find("with different poses, of which the first is taken, first images/c_001.png"),
            std::string::npos);
}

TEST(SceneWild, SplitsKnowFramesBySpellingAndLastPart) {
  const auto splits = [](const std::function<std::string(int)>& listed) {
    const TempFolder folder;
    write_transforms_named(
        folder.path(), [](int n) { return "./" + in_images(n); },
        [&](Json& file) {
          file["train_filenames"] = {listed(0), listed(1), listed(2)};
          file["test_filenames"] = {listed(3), listed(9)};
        });
    std::string found;
    const Scene scene = read_scene(folder.path());
    EXPECT_NE(joined(scene.notes).find("1 names in train_filenames, val_filenames, test_filenames belong to no frame"),
              std::string::npos);
    for (const View& view : scene.views) found += to_string(view.split) + std::string(" ");
    return found;
  };
  EXPECT_EQ(splits(in_images), "train train train test ");
  EXPECT_EQ(splits([](int n) { return "images\\" + picture_name(n) + ".png"; }), "train train train test ");
  EXPECT_EQ(splits([](int n) { return "/data/scan/" + in_images(n); }), "train train train test ");
  expect_error(ErrorKind::Format, "train_filenames: expected names of frames, got '0', where frames are named like",
               [&] { splits([](int n) { return std::to_string(n); }); });
}

TEST(SceneWild, LlffsRowsAreInPlainOrderOfNames) {
  const TempFolder folder;
  std::vector<std::string> names;
  for (int n = 0; n < 12; ++n) names.push_back(std::to_string(n) + ".png");
  for (const std::string& name : names) write_picture(folder.file("images/" + name));
  std::sort(names.begin(), names.end());  // 0, 1, 10, 11, 2, ...
  std::vector<double> values;
  for (int k = 0; k < 12; ++k) {
    values.insert(values.end(), {0, 1, 0, 0.1 * k, 30, -1, 0, 0, 0, 40, 0, 0, 1, 4, 50, 1, 8});
  }
  write_bytes(folder.file("poses_bounds.npy"), llff_array(values));
  const Scene scene = read_scene(folder.path());
  ASSERT_EQ(scene.views.size(), 12U);
  for (std::size_t k = 0; k < 12; ++k) {
    EXPECT_EQ(scene.views[k].name, names[k]);
    const double x = scene.views[k].camera_to_world.matrix[0][3] / scene.scale + scene.centre[0];
    EXPECT_NEAR(x, 0.1 * static_cast<double>(k), 1e-12) << names[k];
    EXPECT_EQ(scene.views[k].split, k % 8 == 0 ? Split::Test : Split::Train);
  }
}

TEST(SceneWild, LlffsRowsWithoutThePicturesThatColmapLeftOut) {
  const TempFolder folder;
  write_colmap(folder.path(), true);
  write_llff(folder.path());
  write_picture(folder.file("images/a_000.png"));  // first in every order, and without a row
  const Scene scene = read_scene(folder.path());
  ASSERT_EQ(scene.views.size(), 10U);
  EXPECT_EQ(scene.format, "llff");
  EXPECT_EQ(scene.views[3].name, "c_003.png");
  fs::remove_all(folder.file("sparse"));
  expect_error(ErrorKind::Format, "expected one row for each of the 11 pictures in",
               [&] { read_scene(folder.path()); });
}

TEST(SceneWild, OneFarPointAmongFew) {
  const auto box_side = [](int n_points, const std::string& more) {
    const TempFolder folder;
    write_colmap(folder.path(), false);
    std::string text;
    for (int i = 0; i < n_points; ++i) {
      text += fmt::format("{} {} {} {} 1 2 3 0.5 1 2\n", i, 0.1 * i, 0.05 * i, 0.5);
    }
    write_bytes(folder.file("sparse/0/points3D.txt"), text + more);
    const Scene scene = read_scene(folder.path());
    const bool is_told = joined(scene.notes).find("without 1 points that are more than 30 times") != std::string::npos;
    EXPECT_EQ(is_told, !more.empty());
    return 1 / scene.scale;
  };
  EXPECT_NEAR(box_side(20, ""), 1.9 * 1.1, 1e-9);
  EXPECT_NEAR(box_side(20, "99 1e6 1e6 1e6 9 9 9 0.5 1 0\n"), 1.9 * 1.1, 1e-9);
}

TEST(SceneWild, OneFarCamera) {
  const TempFolder folder;
  Json file = transforms_json(folder.path());
  file["frames"][3]["transform_matrix"][0][3] = 5000;
  write_transforms(folder.path(), file);
  const Scene scene = read_scene(folder.path());
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_NE(scene.warnings[0].find("1 of 10 cameras are more than 30 times as far"), std::string::npos);
  EXPECT_NEAR(1 / scene.scale, 4 * 4.45, 1e-9) << "as without it";
}

TEST(SceneWild, CamerasThatMakeNoSense) {
  const auto warning = [](const std::function<void(Json&)>& change) {
    const TempFolder folder;
    write_transforms_named(folder.path(), in_images, change);
    return joined(read_scene(folder.path()).warnings);
  };
  const auto has = [&](const std::string& part, const std::function<void(Json&)>& change) {
    const std::string found = warning(change);
    EXPECT_NE(found.find(part), std::string::npos) << found << "\n  lacks: " << part;
  };
  EXPECT_EQ(warning([](Json&) {}), "");
  has("c_000.png: 1.25 for 40 pixels, 172.", [](Json& f) { f["fl_x"] = 1.25; });
  has("4 of 4 cameras have an angle of view above 140 degrees", [](Json& f) { f["fl_x"] = 5; });
  has("0.5, 0.5 in 40x30", [](Json& f) { f["cx"] = 0.5, f["cy"] = 0.5; });
  has("a principal point outside the picture", [](Json& f) { f["cy"] = 31; });
  has("focal lengths along x and y that differ", [](Json& f) { f["fl_y"] = 80; });
  EXPECT_EQ(warning([](Json& f) { f["camera_model"] = "OPENCV_FISHEYE", f["fl_x"] = 12; }), "") << "a fisheye's";
  const TempFolder folder;
  write_transforms_named(folder.path(), in_images, [](Json& f) { f["w"] = 30, f["h"] = 40; });
  expect_error(ErrorKind::Format, "expected pictures of 30x40, or resized from that, got one of 40x30; swap the width",
               [&] { read_scene(folder.path()); });
}

TEST(SceneWild, NanIsNamedWithItsFrame) {
  for (const std::string word : {"NaN", "Infinity", "-Infinity"}) {
    const TempFolder folder;
    Json file = transforms_json(folder.path(), 4);
    file["frames"][2]["transform_matrix"][1][3] = 12345.5;
    file["foreign"] = "a \"NaN\" in a text";
    std::string text = file.dump();
    text.replace(text.find("12345.5"), 7, word);
    write_bytes(folder.file("transforms.json"), text);
    expect_error(ErrorKind::Format, "frames[2].transform_matrix[1][3]: expected a finite number, got \"" + word + "\"",
                 [&] { read_scene(folder.path()); });
  }
}

TEST(SceneWild, WhatIsNotThereIsSaidWithWhatIs) {
  const auto refused = [](ErrorKind kind, const std::string& part, const TempFolder& folder,
                          const SceneOptions& options = {}) {
    SCOPED_TRACE(part);
    expect_error(kind, part, [&] { read_scene(folder.path(), options); });
  };
  const TempFolder colmap;
  write_colmap(colmap.path(), true);
  fs::rename(colmap.file("images"), colmap.file("elsewhere"));
  for (int n = 0; n < kSceneViews; ++n) {
    fs::rename(colmap.file("elsewhere/" + picture_name(n) + ".png"),
               colmap.file("elsewhere/x" + std::to_string(n) + ".png"));
  }
  refused(ErrorKind::NotFound,
          "a folder 'images' with the pictures, such as c_009.png, got none; there are 10 pictures in elsewhere/; put "
          "the pictures there, or name their folder with data.images",
          colmap);
  SceneOptions named;
  named.images = "input";
  refused(ErrorKind::NotFound,
          "expected a folder 'input' with the pictures, got none; there are 10 pictures in elsewhere/", colmap, named);
  const TempFolder frames;
  write_transforms_named(frames.path(), [](int n) { return "rgb/y" + std::to_string(n) + ".png"; });
  refused(ErrorKind::NotFound,
          "expected at least one picture, got none of 4, such as rgb/y0.png; there are 4 pictures in images/", frames);
  const TempFolder link;
  write_transforms(link.path(), transforms_json(link.path(), 2));
  fs::remove_all(link.file("images"));
  write_bytes(link.file("images"), "../img");
  refused(ErrorKind::NotFound, "there are no pictures; images is a file, perhaps a link that was copied as a text; put",
          link);
  const TempFolder one;
  write_transforms(one.path(), transforms_json(one.path(), 1));
  refused(ErrorKind::Format, "hold out fewer, or none with data.test_every = 0", one);
  SceneOptions all;
  all.test_every = 0;
  EXPECT_EQ(read_scene(one.path(), all).views.size(), 1U);
}

TEST(SceneWild, LinksThatWereCopiedAsTexts) {
  const auto as_text = [](const TempFolder& folder, const std::string& text) {
    fs::rename(folder.file("images"), folder.file("elsewhere"));
    fs::create_directories(folder.file("scene"));
    for (const std::string& name : folder.names()) {
      if (name != "elsewhere" && name != "scene") fs::rename(folder.file(name), folder.file("scene/" + name));
    }
    write_bytes(folder.file("scene/images"), text);
    return folder.file("scene");
  };
  const std::map<std::string, std::function<void(const std::string&)>> writers = {
      {"transforms", [](const std::string& folder) { write_transforms(folder, transforms_json(folder)); }},
      {"llff", write_llff},
      {"colmap", [](const std::string& folder) { write_colmap(folder, true); }}};
  for (const auto& [name, write] : writers) {
    SCOPED_TRACE(name);
    const TempFolder folder;
    write(folder.path());
    const Scene scene = read_scene(as_text(folder, name == "llff" ? "../elsewhere" : "../elsewhere\r\n"));
    EXPECT_EQ(scene.views.size(), 10U);
    EXPECT_TRUE(scene.warnings.empty()) << joined(scene.warnings);
    EXPECT_NE(joined(scene.notes).find(name == "transforms" ? "taken as a link" : "elsewhere"), std::string::npos)
        << joined(scene.notes);
    EXPECT_EQ(read_view_image(scene.views[3]).width(), kSceneWidth);
    SceneOptions named;
    named.images = "images";
    EXPECT_EQ(read_scene(folder.file("scene"), named).views.size(), 10U);
  }
  for (const std::string& text :
       {std::string("../nowhere"), std::string("/tmp"), std::string("../elsewhere\nand more")}) {
    const TempFolder folder;
    write_transforms(folder.path(), transforms_json(folder.path()));
    const std::string scene = as_text(folder, text);
    expect_error(ErrorKind::NotFound, "images is a file, perhaps a link that was copied as a text",
                 [&] { read_scene(scene); });
  }
}

TEST(SceneWild, OneFolderFurtherDown) {
  const TempFolder folder;
  write_transforms(folder.file("unpacked"), transforms_json(folder.file("unpacked"), 4));
  EXPECT_TRUE(is_scene(folder.path()));
  const Scene scene = read_scene(folder.path());
  EXPECT_EQ(scene.views.size(), 4U);
  EXPECT_EQ(scene.notes.at(0), "scene in unpacked/, one folder further down");
  write_colmap(folder.file("another"), true);
  EXPECT_TRUE(is_scene(folder.path()));
  expect_error(ErrorKind::Format, "expected one scene, got 2: another/, unpacked/; name one of them",
               [&] { read_scene(folder.path()); });
  write_picture(folder.file("frame.png"));
  EXPECT_FALSE(is_scene(folder.path())) << "a folder of frames";
}

TEST(SceneWild, SplitsThatShareAPictureAreSaid) {
  const TempFolder folder;
  write_blender(folder.path());
  fs::copy_file(folder.file("transforms_train.json"), folder.file("transforms_test.json"),
                fs::copy_options::overwrite_existing);
  const Scene scene = read_scene(folder.path());
  EXPECT_EQ(scene.views.size(), 16U);
  ASSERT_EQ(scene.warnings.size(), 1U);
  EXPECT_NE(scene.warnings[0].find("8 pictures are both to train on and to test with"), std::string::npos);
}

}  // namespace
}  // namespace loe
