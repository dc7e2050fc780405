// Videos through the program: fit, render, eval, info, and what it refuses.
#include "apps/run_loe.h"
#include "loe/io/model_file.h"
#include "loe/io/video_file.h"

namespace loe::test {
namespace {

class VideoProgram : public LoeTest {
 protected:
  static constexpr int kWidth = 24;
  static constexpr int kHeight = 16;
  static constexpr int kFrames = 10;

  /// A square that moves over a smooth ground, lossless. Returns its name.
  std::string make_video(const std::string& name = "clip.npy") {
    Video video(kWidth, kHeight, 3, PixelType::U8);
    video.frame_rate = {12, 1};
    std::vector<float> row(kWidth * 3);
    for (int t = 0; t < kFrames; ++t) {
      Image frame(kWidth, kHeight, 3, PixelType::U8);
      for (int y = 0; y < kHeight; ++y) {
        for (int x = 0; x < kWidth; ++x) {
          const bool is_square = x / 4 == t / 2 && y / 4 == 1;
          row[3 * x] = is_square ? 0.9F : static_cast<float>(x) / kWidth;
          row[3 * x + 1] = is_square ? 0.1F : static_cast<float>(y) / kHeight;
          row[3 * x + 2] = static_cast<float>(t) / kFrames;
        }
        frame.write_row(0, y, kWidth, row.data());
      }
      video.append(std::move(frame));
    }
    write_video(path(name), video);
    return name;
  }

  Outcome fit(const std::string& video, const std::string& out, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"fit", video, "--out", out, "-q", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  std::vector<Image> frames_of(const std::string& name) {
    std::vector<Image> frames;
    VideoReader reader(path(name));
    for (Image frame; reader.next(frame);) frames.push_back(frame);
    return frames;
  }
};

bool same_pixels(const Image& a, const Image& b) {
  return a.n_bytes() == b.n_bytes() && std::equal(a.data(), a.data() + a.n_bytes(), b.data());
}

TEST_F(VideoProgram, FitLearnsAClipAndLeavesACompleteRun) {
  const Outcome outcome = fit(make_video(), "run", {"--max-steps", "600", "--steps-per-eval", "300"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_GT(result["psnr_db"].get<double>(), 30) << "a constant colour has 11 dB";
  EXPECT_EQ(result["n_frames"], kFrames);
  EXPECT_EQ(result["frames"]["psnr_db"].size(), std::size_t{kFrames});
  EXPECT_EQ(result, read_json("run/result.json"));
  for (const char* name :
       {"config.toml", "environment.json", "metrics.jsonl", "model.safetensors", "reconstruction.mp4", "error.mp4",
        "images/step-000000300.png", "error/step-000000300.png"}) {
    EXPECT_TRUE(fs::is_regular_file(folder_ / "run" / name)) << name;
  }
  EXPECT_TRUE(temporary_files().empty());
  EXPECT_EQ(frames_of("run/reconstruction.mp4").size(), std::size_t{kFrames});
  EXPECT_EQ(frames_of("run/error.mp4").size(), std::size_t{kFrames});
  const SignalInfo signal = read_model(path("run/model.safetensors")).signal;
  EXPECT_EQ(signal.task, "video");
  EXPECT_EQ(signal.n_frames, kFrames);

  const Outcome eval = run({"eval", "run", "--json", "-q"});
  ASSERT_EQ(eval.code, 0) << eval;
  EXPECT_EQ(nlohmann::json::parse(eval.out)["psnr_db"], result["psnr_db"]);
  const Outcome lines = run({"eval", "run", "--frames", "-q"});
  EXPECT_NE(lines.out.find("mean PSNR"), std::string::npos) << lines;
  EXPECT_GT(std::count(lines.out.begin(), lines.out.end(), '\n'), kFrames);
}

TEST_F(VideoProgram, RenderWritesClipsPartsAndFrames) {
  ASSERT_EQ(fit(make_video(), "run", {"--max-steps", "50"}).code, 0);
  const auto render = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"render", "run", "--progress", "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return outcome;
  };
  const Outcome spoken = render({"-o", "all.npy"});
  EXPECT_NE(spoken.out.find("10 frames"), std::string::npos) << spoken;
  EXPECT_NE(spoken.out.find("frames a second"), std::string::npos) << spoken;
  const std::vector<Image> all = frames_of("all.npy");
  ASSERT_EQ(all.size(), std::size_t{kFrames});

  render({"-o", "part.npy", "--frames", "3:7", "--region", "4,2,10,8"});
  const std::vector<Image> part = frames_of("part.npy");
  ASSERT_EQ(part.size(), 4U);
  EXPECT_EQ(part[0].width(), 10);
  float whole_pixel[3];
  float part_pixel[3];
  all[5].read_pixel(4 + 9, 2 + 7, whole_pixel);
  part[2].read_pixel(9, 7, part_pixel);
  EXPECT_TRUE(std::equal(whole_pixel, whole_pixel + 3, part_pixel));

  render({"-o", "frame.png", "--frames", "6"});
  EXPECT_TRUE(same_pixels(read_image(path("frame.png")), all[6]));
  render({"-o", "folder/", "--frames", "8:"});
  EXPECT_EQ(frames_of("folder/").size(), 2U);
  EXPECT_TRUE(same_pixels(frames_of("folder/")[1], all[9]));

  // Twice the rate: twice the frames, in the same time.
  render({"-o", "slow.mp4", "--fps", "50", "--size", "48x32"});
  const VideoFileInfo slow = read_video_info(path("slow.mp4"));
  EXPECT_EQ(slow.width, 48);
  EXPECT_EQ(slow.frame_rate, (FrameRate{50, 1}));
  EXPECT_EQ(frames_of("slow.mp4").size(), std::size_t{kFrames} * 2);
}

TEST_F(VideoProgram, RenderRefusesWhatIsNotThere) {
  ASSERT_EQ(fit(make_video(), "run", {"--max-steps", "5"}).code, 0);
  expect_failure(run({"render", "run", "-o", "x.mp4", "--frames", "5:11"}), 2, {"--frames", "11"});
  expect_failure(run({"render", "run", "-o", "x.mp4", "--frames", "5:5"}), 2, {"--frames", "0:10"});
  expect_failure(run({"render", "run", "-o", "x.mp4", "--fps", "0"}), 2, {"--fps"});
  expect_failure(run({"render", "run", "-o", "x.png"}), 2, {"--frames", "x.png", "10 frames"});
  expect_failure(run({"render", "run", "-o", "x.wmv"}), 1, {".mp4", ".wmv"});
  expect_failure(run({"render", "run", "-o", "x.mp4", "--region", "20,0,10,10"}), 2, {"--region"});
  EXPECT_FALSE(fs::exists(folder_ / "x.mp4"));
  EXPECT_TRUE(temporary_files().empty());
  ASSERT_EQ(run({"fit", make_picture(), "--max-steps", "5", "--out", "flat", "-q"}).code, 0);
  expect_failure(run({"render", "flat", "-o", "x.png", "--frames", "1"}), 2, {"--frames", "picture"});
}

TEST_F(VideoProgram, ResumedEqualsUninterrupted) {
  const std::string video = make_video();
  const std::vector<std::string> steps = {"--max-steps", "4000", "--steps-per-save", "100"};
  ASSERT_EQ(fit(video, "whole", steps).code, 0);
  start({"fit", video, "--out", "killed", "-q", "--max-steps", "4000", "--steps-per-save", "100"});
  ASSERT_TRUE(wait_until([&] { return fs::exists(folder_ / "killed/checkpoints/step-000000300.safetensors"); }));
  EXPECT_EQ(finish(SIGKILL).code, 128 + SIGKILL);
  ASSERT_FALSE(fs::exists(folder_ / "killed/result.json")) << "killed too late to test anything";
  ASSERT_EQ(run({"fit", "--resume", "killed", "-q", "--threads", "1"}).code, 0);
  EXPECT_EQ(read_all(folder_ / "whole/model.safetensors"), read_all(folder_ / "killed/model.safetensors"));
}

TEST_F(VideoProgram, PartsOfAClipAreFittedAndEvaluated) {
  const Outcome outcome = fit(make_video(), "run",
                              {"--max-steps", "30", "--set", "data.frames=[2, 6]", "--set", "data.crop=[4, 0, 16, 16]",
                               "--set", "data.size=[8, 8]"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const nlohmann::json result = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(result["n_frames"], 6);
  EXPECT_EQ(result["width"], 8);
  const Outcome eval = run({"eval", "run", "--json", "-q"});
  ASSERT_EQ(eval.code, 0) << eval;
  EXPECT_EQ(nlohmann::json::parse(eval.out)["psnr_db"], result["psnr_db"]);
  expect_failure(run({"fit", "clip.npy", "--set", "data.frames=[6, 6]"}), 2, {"data.frames"});
}

TEST_F(VideoProgram, TheTaskFollowsFromTheInputAndCanBeNamed) {
  fs::create_directory(folder_ / "frames");
  for (const char* name : {"frames/f1.png", "frames/f2.png", "frames/f10.png"}) make_picture(name, 16, 12);
  const Outcome folder = fit("frames", "of-folder", {"--max-steps", "5"});
  ASSERT_EQ(folder.code, 0) << folder;
  EXPECT_EQ(nlohmann::json::parse(folder.out)["n_frames"], 3);
  const Outcome picture = fit(make_picture(), "of-picture", {"--max-steps", "5"});
  EXPECT_FALSE(nlohmann::json::parse(picture.out).contains("n_frames"));
  expect_failure(run({"fit", make_video(), "--task", "image", "--max-steps", "5"}), 1, {"clip.npy"});
  expect_failure(run({"fit", make_picture(), "--task", "film"}), 2, {"run.task", "video"});
  expect_failure(run({"fit", make_picture(), "--set", "data.frames=[0, 2]"}), 2, {"data.frames"});
}

TEST_F(VideoProgram, BadVideosLeaveNothing) {
  const auto refused = [&](const std::string& name, const std::vector<std::string>& parts) {
    expect_failure(run({"fit", name, "--max-steps", "2"}), 1, parts);
    EXPECT_FALSE(fs::exists(folder_ / "runs")) << name;
  };
  make_video("whole.npy");
  fs::copy_file(folder_ / "whole.npy", folder_ / "cut.npy");
  fs::resize_file(folder_ / "cut.npy", fs::file_size(folder_ / "whole.npy") / 2);
  refused("cut.npy", {"cut.npy", "expected"});
  make_video("whole.mp4");
  fs::copy_file(folder_ / "whole.mp4", folder_ / "cut.mp4");
  fs::resize_file(folder_ / "cut.mp4", fs::file_size(folder_ / "whole.mp4") * 2 / 3);
  refused("cut.mp4", {"cut.mp4", "expected"});
  fs::create_directory(folder_ / "mixed");
  make_picture("mixed/a.png", 16, 12);
  make_picture("mixed/b.png", 12, 16);
  refused("mixed", {"b.png", "16", "12"});
  make_picture("mixed/b.png", 16, 12);
  fs::resize_file(folder_ / "mixed/b.png", 100);
  refused("mixed", {"b.png"});
}

TEST_F(VideoProgram, InfoDescribesVideosAndTheirModels) {
  const nlohmann::json video = nlohmann::json::parse(run({"info", make_video(), "--json"}).out);
  EXPECT_EQ(video["kind"], "video");
  EXPECT_EQ(video["n_frames"], kFrames);
  ASSERT_EQ(fit("clip.npy", "run", {"--max-steps", "5"}).code, 0);
  const nlohmann::json model = nlohmann::json::parse(run({"info", "run/model.safetensors", "--json"}).out);
  EXPECT_EQ(model["task"], "video");
  EXPECT_EQ(model["n_frames"], kFrames);
  const nlohmann::json found = nlohmann::json::parse(run({"info", "run", "--json"}).out);
  EXPECT_EQ(found["kind"], "run");
  EXPECT_EQ(run({"presets", "video"}).code, 0);
}

}  // namespace
}  // namespace loe::test
