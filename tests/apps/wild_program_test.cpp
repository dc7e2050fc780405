// The program with files as people bring them (tests/io/wild).
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "apps/run_loe.h"
#include "io/tiff_bytes.h"
#include "loe/io/file.h"
#include "loe/io/model_file.h"
#include "loe/io/video_file.h"

namespace loe::test {
namespace {

const std::string kWild = std::string(kConfigs) + "/../tests/io/wild/";

/// PSNR in dB of grey floats against a range of this size, over pixels that have a value (-9999: none).
double psnr_of_known(const Image& back, const Image& truth, double range) {
  double sum = 0;
  int n = 0;
  for (int y = 0; y < truth.height(); ++y) {
    for (int x = 0; x < truth.width(); ++x) {
      float a = 0;
      float b = 0;
      back.read_pixel(x, y, &a);
      truth.read_pixel(x, y, &b);
      if (b == -9999) continue;
      sum += (double{a} - b) * (double{a} - b);
      ++n;
    }
  }
  return 10 * std::log10(range * range * n / sum);
}

class Wild : public LoeTest {
 protected:
  void take(const std::string& file, const std::string& name) { fs::copy_file(kWild + file, folder_ / name); }
  Outcome fit(const std::string& input, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"fit", "--threads", "1", "--progress", "none"};
    if (std::find(more.begin(), more.end(), "--max-steps") == more.end())
      words.insert(words.end(), {"--max-steps", "2"});
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"--", input});
    return run(words);
  }
  nlohmann::json result(const std::string& run) const {
    return nlohmann::json::parse(read_all(folder_ / run / "result.json"));
  }
};

TEST_F(Wild, AnyNameOfAFileIsFitted) {
  struct Case {
    std::string name;
    std::string run;  ///< start of the run folder's name
  };
  const Case cases[] = {{"latin1-\xE9.png", "latin1-_"},
                        {std::string(250, 'n') + ".png", std::string(200, 'n')},
                        {".hidden.png", "hidden"},
                        {"-dash.png", "-dash"},
                        {"new\nline.png", "new_line"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    take("icc-p3.png", c.name);
    const Outcome outcome = fit(c.name);
    ASSERT_EQ(outcome.code, 0) << outcome;
    std::string found;
    for (const auto& entry : fs::directory_iterator(folder_ / "runs")) found = entry.path().filename().string();
    EXPECT_TRUE(found.starts_with(c.run + "-20")) << found;
    // The config leads back to the file, whatever its name.
    const Outcome again = run({"eval", "runs/" + found, "--threads", "1"});
    EXPECT_EQ(again.code, 0) << again;
    fs::remove_all(folder_ / "runs");
  }
}

TEST_F(Wild, AFileUriIsAName) {
  take("icc-p3.png", "a b.png");
  const Outcome outcome = fit("file://" + path("a%20b.png"), {"--out", "r"});
  EXPECT_EQ(outcome.code, 0) << outcome;
}

TEST_F(Wild, WhatCannotBeMeasuredIsNotAvailable) {
  take("one.png", "one.png");
  const Outcome outcome = fit("one.png", {"--out", "r"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.out.find("SSIM n/a (Gaussian window n/a)"), std::string::npos) << outcome;
  const Outcome eval = run({"eval", "r"});
  EXPECT_NE(eval.out.find("SSIM            n/a"), std::string::npos) << eval;
  EXPECT_TRUE(result("r")["ssim"].is_null());
}

TEST_F(Wild, QualityIsMeasuredAgainstTheRangeOfTheData) {
  take("uint32.tif", "u.tif");
  const Outcome outcome = fit("u.tif", {"--out", "r", "--max-steps", "300"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.out.find("of values from 3300 to 22100"), std::string::npos) << outcome;
  const nlohmann::json found = result("r");
  EXPECT_EQ(found["range"], (std::vector<double>{3300, 22100}));
  EXPECT_GT(found["psnr_db"].get<double>(), 15);
  // Values come back as they were, not as shares of a type's largest.
  const Image back = read_image(path("r/reconstruction.exr"));
  const Image truth = read_image(path("u.tif"));
  const double psnr = psnr_of_known(back, truth, 18800);
  EXPECT_NEAR(psnr, found["psnr_db"].get<double>(), 1e-3);
}

TEST_F(Wild, WhereNothingWasMeasuredDoesNotCount) {
  take("float-nodata.tif", "n.tif");
  const nlohmann::json info = nlohmann::json::parse(run({"info", "n.tif", "--json"}).out);
  const auto n_missing = info["no_data_pixels"].get<int>();
  EXPECT_GT(n_missing, 0);
  EXPECT_EQ(info["range"], (std::vector<double>{102, 663}));
  const Outcome outcome = fit("n.tif", {"--out", "r", "--max-steps", "300"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.err.find(fmt::format("{} of 384 pixels have no values; they are filled from their neighbours and "
                                         "do not count",
                                         n_missing)),
            std::string::npos)
      << outcome;
  const nlohmann::json found = result("r");
  EXPECT_GT(found["psnr_db"].get<double>(), 20) << "with -9999 counted: below -20";
  const Image back = read_image(path("r/reconstruction.exr"));
  const Image truth = read_image(path("n.tif"));
  for (int y = 0; y < back.height(); ++y) {
    for (int x = 0; x < back.width(); ++x) {
      float value = 0;
      back.read_pixel(x, y, &value);
      EXPECT_GT(value, -300) << "filled as its neighbours, which are from 102 to 663";
    }
  }
  const double psnr = psnr_of_known(back, truth, 561);
  EXPECT_NEAR(psnr, found["psnr_db"].get<double>(), 1e-3);
  const nlohmann::json eval = nlohmann::json::parse(run({"eval", "r", "--json", "-q"}).out);
  EXPECT_EQ(eval["psnr_db"], found["psnr_db"]);
  // NaN counts as well.
  Image image(9, 8, 1, PixelType::F32);
  const float none = std::numeric_limits<float>::quiet_NaN();
  image.write_row(4, 4, 1, &none);
  write_image(path("nan.exr"), image);
  const Outcome filled = fit("nan.exr", {"--out", "nan"});
  EXPECT_EQ(filled.code, 0) << filled;
  EXPECT_NE(filled.err.find("1 of 72 pixels have no values"), std::string::npos) << filled;
  const Outcome nothing = fit("nan.exr", {"--set", "data.crop=[4,4,1,1]"});  // behind the warning
  EXPECT_EQ(nothing.code, 1) << nothing;
  EXPECT_NE(nothing.err.find("pixels without any in what data.crop leaves"), std::string::npos) << nothing;
}

TEST_F(Wild, ChannelsAreChosen) {
  std::string bands;
  for (int i = 0; i < 12 * 8 * 6; ++i) bands += static_cast<char>(i * 7 % 251);
  write_all(path("bands.tif"), tiff_file(12, 8, 6, 1, {}, bands));
  const std::vector<std::string> message = {"got 6 (1, 2, 3, 4, 5, 6)", "--set data.channels=3,2,1"};
  expect_failure(fit("bands.tif"), 1, message);
  expect_failure(run({"info", "bands.tif"}), 1, message);
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
  for (const std::string asked : {"4,3,2", "[4,3,2]"}) {
    const Outcome outcome = fit("bands.tif", {"--out", "r", "--force", "--set", "data.channels=" + asked});
    ASSERT_EQ(outcome.code, 0) << outcome;
    EXPECT_NE(outcome.err.find("channels 4, 3, 2 are read, as data.channels asks"), std::string::npos) << outcome;
    EXPECT_NE(read_all(folder_ / "r/config.toml").find("channels = \"4,3,2\""), std::string::npos);
    EXPECT_EQ(result("r")["channels"], 3);
    const Outcome eval = run({"eval", "r"});
    EXPECT_EQ(eval.code, 0) << eval;
  }
  const Outcome info = run({"info", "bands.tif", "--set", "data.channels=5", "--json"});
  ASSERT_EQ(info.code, 0) << info;
  EXPECT_EQ(nlohmann::json::parse(info.out)["channels"], 1);
  expect_failure(fit("bands.tif", {"--set", "data.channels=9"}), 2, {"got '9'; correct data.channels"});
  expect_failure(fit(kWild + "blink.gif", {"--set", "data.channels=R"}), 2, {"data.channels", "only of pictures"});
  expect_failure(run({"info", "bands.tif", "--set", "data.crop=[1,1,1,1]"}), 2, {"data.crop"});
  expect_failure(run({"info", kWild + "blink.gif", "--set", "data.channels=R"}), 2, {"--set", "leave it out"});
}

TEST_F(Wild, WhatAFileCannotHoldIsSaid) {
  take("uint32.tif", "u.tif");
  ASSERT_EQ(fit("u.tif", {"--out", "r"}).code, 0);
  const Outcome png = run({"render", "r", "-o", "u.png"});
  ASSERT_EQ(png.code, 0) << png;
  EXPECT_NE(png.err.find("values from 3300 to 22100 are cut to 0 to 1 in a file of u16; write an .exr"),
            std::string::npos)
      << png;
  const Outcome exr = run({"render", "r", "-o", "u.exr"});
  EXPECT_EQ(exr.err.find("warning"), std::string::npos) << exr;
}

TEST_F(Wild, WhatIsWrittenKeepsWhatTheSourceSaid) {
  take("icc-p3.png", "p3.png");
  take("assoc-alpha.tif", "assoc.tif");
  take("rgb-nir.tif", "nir.tif");
  ASSERT_EQ(fit("p3.png", {"--out", "p3"}).code, 0);
  ASSERT_EQ(fit("assoc.tif", {"--out", "assoc"}).code, 0);
  ASSERT_EQ(fit("nir.tif", {"--out", "nir"}).code, 0);
  const PictureTags p3 = read_image(path("p3.png")).tags;
  EXPECT_EQ(read_image(path("p3/reconstruction.png")).tags.icc_profile, p3.icc_profile);
  ASSERT_EQ(run({"render", "p3", "-o", "q.png"}).code, 0);
  EXPECT_EQ(read_image(path("q.png")).tags.icc_profile, p3.icc_profile);
  const Outcome webp = run({"render", "p3", "-o", "q.webp"});
  EXPECT_NE(webp.err.find("the colour profile of the source cannot be kept"), std::string::npos) << webp;
  EXPECT_EQ(read_model(path("assoc/model.safetensors")).signal.tags.alpha, AlphaKind::Associated);
  ASSERT_EQ(run({"render", "assoc", "-o", "a.tif"}).code, 0);
  EXPECT_EQ(read_image(path("a.tif")).tags.alpha, AlphaKind::Associated);
  EXPECT_EQ(read_image(path("nir/reconstruction.tif")).tags.alpha, AlphaKind::None);
  expect_failure(run({"render", "nir", "-o", "n.png"}), 1, {"4 channels without alpha", "write a .tif"});
}

TEST_F(Wild, DecisionsAreSaid) {
  take("pages3.tif", "pages.tif");
  const Outcome fitted = fit("pages.tif", {"--out", "r"});
  EXPECT_NE(fitted.err.find("pages.tif: the first of 3 pages is read"), std::string::npos) << fitted;
  const auto info = [&](const std::string& file) {
    const Outcome outcome = run({"info", kWild + file, "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome;
    return nlohmann::json::parse(outcome.out);
  };
  EXPECT_EQ(info("thumb-first.tif")["notes"][0], "page 2 of 2 is read: those before it are reduced copies or masks");
  EXPECT_EQ(info("rgb-nir.tif")["channel_names"], "R, G, B, extra 1");
  EXPECT_EQ(info("assoc-alpha.tif")["channel_names"], "RGB, associated alpha");
  EXPECT_EQ(info("uint32.tif")["range"], (std::vector<double>{3300, 22100}));
  EXPECT_EQ(info("uint32.tif")["source_type"], "uint");
  EXPECT_EQ(info("icc-p3.png")["icc_profile_bytes"], 488);
  EXPECT_EQ(info("exif6-webp.webp")["orientation"], 6);
  EXPECT_EQ(info("pixelaspect2.exr")["pixel_aspect"], 2);
  EXPECT_EQ(info("blink.gif")["frame_rate"], 2);
  EXPECT_EQ(info("blink.gif")["seconds"], 1);
  EXPECT_EQ(info("sar2.mp4")["pixel_aspect"], 2);
  EXPECT_EQ(info("interlaced.mp4")["interlaced"], true);
  EXPECT_EQ(info("still.gif")["kind"], "picture");
}

TEST_F(Wild, WhatIsNoSignalIsNamed) {
  write_all(path("list.m3u8"), "#EXTM3U\n#EXTINF:4,\nclip0.ts\n");
  const auto refused = [&](const std::string& input, int code, const std::vector<std::string>& parts) {
    expect_failure(fit(input), code, parts);
    expect_failure(run({"info", input}), 1, parts);
    EXPECT_FALSE(fs::exists(folder_ / "runs")) << input;
  };
  refused("list.m3u8", 1, {"a playlist (M3U8)", "name the files that it lists"});
  refused(kWild + "cover.mp3", 1, {"sound (MP3)"});
  refused(kWild + "none.mp4", 1, {"a file without a video stream (mp4)"});
  refused(kWild + "bits12.jpg", 1, {"12 bits", "convert it to a PNG"});
  refused(kWild + "f-sub", 2, {"folders of them (cam0, cam1)", "name one of them"});
}

TEST_F(Wild, DamageIsSkippedOnRequest) {
  const Outcome stopped = fit(kWild + "lost-packet.ts");  // behind a warning of its frame rate
  EXPECT_EQ(stopped.code, 1) << stopped;
  EXPECT_NE(stopped.err.find("got frame 17 damaged or cut off"), std::string::npos) << stopped;
  EXPECT_NE(stopped.err.find("data.on_damage=skip"), std::string::npos) << stopped;
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
  const Outcome outcome = fit(kWild + "lost-packet.ts", {"--out", "r", "--set", "data.on_damage=skip"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_NE(outcome.err.find("2 damaged frames, or frames that need one of them, are left out"), std::string::npos)
      << outcome;
  expect_failure(fit(kWild + "one.png", {"--set", "data.on_damage=skip"}), 2, {"data.on_damage"});
}

TEST_F(Wild, ShapeAndTimesOfAClipAreKept) {
  const Outcome outcome = fit(kWild + "sar2.mp4", {"--out", "r", "--set", "data.frames=[0,2]"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(read_video_info(path("r/reconstruction.mp4")).pixel_aspect, 2);
  ASSERT_EQ(run({"render", "r", "-o", "v.mp4"}).code, 0);
  EXPECT_EQ(read_video_info(path("v.mp4")).pixel_aspect, 2);
  Video video(16, 16, 3, PixelType::U8);
  for (int t = 0; t < 4; ++t) video.append(Image(16, 16, 3, PixelType::U8));
  video.times = {0, 0.1, 0.5, 0.6};
  write_video(path("vary.mp4"), video);
  const Outcome varied = fit("vary.mp4", {"--out", "w"});
  ASSERT_EQ(varied.code, 0) << varied;
  EXPECT_NE(varied.err.find("has a variable frame rate"), std::string::npos) << varied;
  ASSERT_EQ(run({"render", "w", "-o", "w.mp4"}).code, 0);
  for (const char* name : {"w/reconstruction.mp4", "w.mp4"}) {
    const Video back = read_video(path(name));
    ASSERT_EQ(back.times.size(), 4U) << name;
    EXPECT_NEAR(back.times[2], 0.5, 1e-3);
  }
}

}  // namespace
}  // namespace loe::test
