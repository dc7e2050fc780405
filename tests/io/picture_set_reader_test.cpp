#include "loe/io/picture_set_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

#include "io/conditions.h"
#include "io/io_test_helpers.h"
#include "loe/io/image_edit.h"
#include "loe/io/image_file.h"
#include "test_paths.h"

namespace loe {
namespace {

namespace fs = std::filesystem;

/// Every pixel the same.
Image flat_image(int width, int height, const std::vector<float>& pixel, PixelType type = PixelType::U8) {
  Image image(width, height, static_cast<int>(pixel.size()), type);
  std::vector<float> row;
  for (int x = 0; x < width; ++x) row.insert(row.end(), pixel.begin(), pixel.end());
  for (int y = 0; y < height; ++y) image.write_row(0, y, width, row.data());
  return image;
}

float level(int value) {
  return static_cast<float>(value) / 255.0F;
}

/// A folder with pictures of one grey each, its value the number in the name; two broken ones and a small one.
void fill_folder(const TempFolder& folder) {
  fs::create_directories(folder.file("b/deep"));
  fs::create_directories(folder.file(".hidden"));
  for (const auto& [name, value] : std::vector<std::pair<std::string, int>>{
           {"10.png", 10}, {"2.png", 2}, {"b/3.png", 3}, {"b/deep/4.png", 4}, {"b/20.png", 20}, {".hidden/9.png", 9}}) {
    write_image(folder.file(name), flat_image(9, 8, {level(value)}));
  }
  write_image(folder.file("7.png"), flat_image(3, 20, {0.5F}));
  write_bytes(folder.file("b/5.png"), read_bytes(folder.file("2.png")).substr(0, 40));
  write_bytes(folder.file("1.jpg"), "");
  write_bytes(folder.file("notes.txt"), "no picture");
}

PictureSetOptions small_options() {
  PictureSetOptions options;
  options.resolution = 4;
  return options;
}

TEST(PictureSetReader, ReadsBelowTheFolderInNaturalOrderAndListsWhatItSkips) {
  const TempFolder folder;
  fill_folder(folder);
  ThreadPool pool(3);
  const PictureFolder result = read_picture_folder(folder.path(), small_options(), pool);
  const std::vector<std::string> names = {"2.png", "10.png", "b/3.png", "b/20.png", "b/deep/4.png"};
  EXPECT_EQ(result.names, names);
  ASSERT_EQ(result.pictures.size(), 5);
  const int values[] = {2, 10, 3, 20, 4};
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(std::ranges::all_of(result.pictures.picture(i), [&](uint8_t v) { return v == values[i]; })) << i;
  }
  ASSERT_EQ(result.skipped.size(), 3U);
  EXPECT_EQ(result.skipped[0].name, "1.jpg");
  EXPECT_NE(result.skipped[0].reason.find("an empty file"), std::string::npos);
  EXPECT_EQ(result.skipped[1].name, "7.png");
  EXPECT_NE(result.skipped[1].reason.find("at least 4x4 pixels, got 3x20"), std::string::npos);
  EXPECT_EQ(result.skipped[2].name, "b/5.png");
  EXPECT_FALSE(result.is_mapped);
}

TEST(PictureSetReader, ThreadsAndMemoryLimitDoNotChangeTheSet) {
  const TempFolder folder;
  fill_folder(folder);
  ThreadPool one(1);
  ThreadPool three(3);
  const uint64_t hash = read_picture_folder(folder.path(), small_options(), one).pictures.content_hash();
  EXPECT_EQ(read_picture_folder(folder.path(), small_options(), three).pictures.content_hash(), hash);
  const TempFolder temporary;
  PictureSetOptions options = small_options();
  options.max_memory_bytes = 100;
  options.temporary_folder = temporary.path();
  const PictureFolder mapped = read_picture_folder(folder.path(), options, three);
  EXPECT_TRUE(mapped.is_mapped);
  EXPECT_EQ(mapped.pictures.content_hash(), hash);
  EXPECT_TRUE(temporary.names().empty()) << "the file has no name";
  options.max_memory_bytes = 8 * 48;  // exactly what 8 files may need
  EXPECT_FALSE(read_picture_folder(folder.path(), options, three).is_mapped);
}

TEST(PictureSetReader, FullDiskIsAnErrorBeforeAnythingIsRead) {
  const TempFolder folder;
  fill_folder(folder);
  ThreadPool pool(1);
  const TempFolder temporary;
  PictureSetOptions options = small_options();
  options.max_memory_bytes = 0;
  options.temporary_folder = temporary.path();
  bool read_one = false;
  options.on_progress = [&](int64_t, int64_t) { return read_one = true; };
  const std::string full = message_on_full_disk(100, [&] { read_picture_folder(folder.path(), options, pool); });
  EXPECT_TRUE(full.starts_with("Io [file] " + temporary.path())) << full;
  EXPECT_NE(full.find("claim 384 bytes for a temporary file of pictures"), std::string::npos) << full;
  EXPECT_FALSE(read_one);
  options.temporary_folder = temporary.file("missing");
  expect_error(ErrorKind::Io, "make a temporary file", [&] { read_picture_folder(folder.path(), options, pool); });
  EXPECT_TRUE(temporary.names().empty());
}

TEST(PictureSetReader, DepthsGreyAlphaAndTheCentralSquare) {
  const TempFolder folder;
  write_image(folder.file("1.png"), flat_image(6, 6, {1.0F, 0.5F, 0.25F}, PixelType::U16));
  write_image(folder.file("2.png"), flat_image(6, 6, {level(200), level(51)}));  // grey, alpha 1/5
  write_image(folder.file("3.png"), flat_image(6, 6, {1.0F, 0.5F, 0.0F, 0.5F}, PixelType::U16));
  write_image(folder.file("4.exr"), flat_image(6, 6, {2.0F, 0.5F, -1.0F}, PixelType::F32));
  write_image(folder.file("5.exr"), flat_image(6, 6, {0.5F, 0.25F, 0.0F, 0.5F}, PixelType::F16));
  // 9 x 4: the square is columns 2..5, the extra column is on the right.
  Image wide(9, 4, 3, PixelType::U8);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 9; ++x) {
      const std::vector<float> pixel(3, level(10 * x));
      wide.write_row(x, y, 1, pixel.data());
    }
  }
  write_image(folder.file("6.png"), wide);
  ThreadPool pool(1);
  const PictureFolder result = read_picture_folder(folder.path(), small_options(), pool);
  ASSERT_TRUE(result.skipped.empty()) << result.skipped[0].reason;
  const auto expect_flat = [&](int64_t index, const std::vector<int>& colour) {
    const std::span<const uint8_t> picture = result.pictures.picture(index);
    for (std::size_t i = 0; i < picture.size(); ++i) ASSERT_EQ(picture[i], colour[i % 3]) << index << " " << i;
  };
  expect_flat(0, {255, 128, 64});
  expect_flat(1, {40, 40, 40});
  expect_flat(2, {128, 64, 0});
  expect_flat(3, {255, 128, 0});
  expect_flat(4, {128, 64, 0});  // OpenEXR's colours hold alpha already
  for (std::size_t x = 0; x < 4; ++x) EXPECT_EQ(result.pictures.picture(5)[3 * x], 20 + 10 * x);
}

TEST(PictureSetReader, ProgressAndCancelling) {
  const TempFolder folder;
  fill_folder(folder);
  ThreadPool pool(3);
  PictureSetOptions options = small_options();
  std::vector<int64_t> seen;
  options.on_progress = [&](int64_t n_done, int64_t n_total) {
    EXPECT_EQ(n_total, 8);
    seen.push_back(n_done);
    return true;
  };
  read_picture_folder(folder.path(), options, pool);
  EXPECT_EQ(seen, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  options.on_progress = [](int64_t n_done, int64_t) { return n_done < 3; };
  expect_error(ErrorKind::Cancelled, "of 8 pictures", [&] { read_picture_folder(folder.path(), options, pool); });
}

TEST(PictureSetReader, Refuses) {
  const TempFolder folder;
  fill_folder(folder);
  ThreadPool pool(1);
  const auto refused = [&](ErrorKind kind, const std::string& part, const std::string& path,
                           const PictureSetOptions& options) {
    expect_error(kind, part, [&] { read_picture_folder(path, options, pool); });
  };
  PictureSetOptions options = small_options();
  refused(ErrorKind::NotFound, "nothing of that name", folder.file("missing"), options);
  refused(ErrorKind::NotFound, "a file", folder.file("2.png"), options);
  options.min_pictures = 6;
  refused(ErrorKind::InvalidArgument, "at least 6 pictures of 4x4 or more pixels, got 5 of 8 files", folder.path(),
          options);
  options.min_pictures = 9;
  refused(ErrorKind::InvalidArgument, "got 8 of 8 files", folder.path(), options);
  options.min_pictures = 0;
  refused(ErrorKind::InvalidArgument, "min_pictures", folder.path(), options);
  options = small_options();
  options.resolution = 0;
  refused(ErrorKind::InvalidArgument, "1..4096, got 0", folder.path(), options);
  const TempFolder empty;
  refused(ErrorKind::InvalidArgument, "got 0 of 0 files", empty.path(), small_options());
}

TEST(PictureSetReader, RealFaces) {
  const std::string faces = std::string(kSharedData) + "/faces_synthetic_128/images";
  if (!fs::exists(faces)) GTEST_SKIP() << faces << " is not on this machine";
  ThreadPool pool;
  PictureSetOptions options;
  options.resolution = 48;
  const PictureFolder result = read_picture_folder(faces, options, pool);
  EXPECT_EQ(result.pictures.size(), 901);
  EXPECT_TRUE(result.skipped.empty());
  EXPECT_EQ(result.names.front(), "0001.jpg");
}

/// The definition, pixel by pixel: source pixel s covers [s, s + 1), output pixel i covers [i, i + 1) side / size.
double plain_average(const Image& image, int x, int y, int side, int size, int i, int j, int c) {
  const double ratio = static_cast<double>(side) / size;
  double sum = 0;
  for (int v = 0; v < side; ++v) {
    const double height = std::max(0.0, std::min(v + 1.0, (j + 1) * ratio) - std::max<double>(v, j * ratio));
    for (int u = 0; u < side; ++u) {
      const double width = std::max(0.0, std::min(u + 1.0, (i + 1) * ratio) - std::max<double>(u, i * ratio));
      std::vector<float> pixel(static_cast<std::size_t>(image.n_channels()));
      image.read_pixel(x + u, y + v, pixel.data());
      sum += width * height * pixel[static_cast<std::size_t>(c)];
    }
  }
  return sum / (ratio * ratio) * 255;
}

TEST(AreaAverage, HasExactBoxWeights) {
  Image image(21, 19, 3, PixelType::U8);
  for (int y = 0; y < 19; ++y) {
    for (int x = 0; x < 21; ++x) {
      const std::vector<float> pixel = {level(x * 37 % 256), level(y * 91 % 256), level((x * y * 7) % 256)};
      image.write_row(x, y, 1, pixel.data());
    }
  }
  for (const int size : {1, 3, 5, 7, 11, 12, 17}) {
    std::vector<uint8_t> out(static_cast<std::size_t>(size * size * 3));
    area_average_to_u8(image, 3, 1, 17, size, out.data());
    for (int j = 0; j < size; ++j) {
      for (int i = 0; i < size; ++i) {
        for (int c = 0; c < 3; ++c) {
          // Half a step, and the 1e-4 by which ties round up.
          ASSERT_NEAR(out[static_cast<std::size_t>((j * size + i) * 3 + c)],
                      plain_average(image, 3, 1, 17, size, i, j, c), 0.5 + 2e-4)
              << size << " " << i << " " << j;
        }
      }
    }
  }
  // Whole factors: the same as resize_image.
  const Image square = crop_image(image, 2, 2, 16, 16);
  const Image quarter = resize_image(square, 4, 4);
  std::vector<uint8_t> out(48);
  area_average_to_u8(square, 0, 0, 16, 4, out.data());
  for (std::size_t i = 0; i < 48; ++i) EXPECT_NEAR(out[i], static_cast<int>(quarter.data()[i]), 1) << i;  // ties
}

TEST(AreaAverage, NanIsBlackAndSquaresOutsideAreRefused) {
  const Image nan = flat_image(2, 2, {std::numeric_limits<float>::quiet_NaN(), 0.5F, 2.0F}, PixelType::F32);
  std::vector<uint8_t> out(12);
  area_average_to_u8(nan, 0, 0, 2, 1, out.data());
  EXPECT_EQ((std::vector<int>{out[0], out[1], out[2]}), (std::vector<int>{0, 128, 255}));
  for (const auto& [x, y, side, size] : std::vector<std::array<int, 4>>{{1, 0, 2, 1},
                                                                        {0, 1, 2, 1},
                                                                        {-1, 0, 2, 1},
                                                                        {0, 0, 2, 3},
                                                                        {0, 0, 2, 0},
                                                                        {0, 0, 3, 1},
                                                                        {0, 0, 0, 0},
                                                                        {2147483647, 0, 1, 1}}) {
    expect_error(ErrorKind::InvalidArgument, "a square inside 2x2", [&, x = x, y = y, side = side, size = size] {
      area_average_to_u8(nan, x, y, side, size, out.data());
    });
  }
}

}  // namespace
}  // namespace loe
