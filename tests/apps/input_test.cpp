// Wrong input: one line, the right exit code, nothing left behind.
#include <limits>

#include "apps/run_loe.h"
#include "loe/backend/backend.h"
#include "loe/io/run_folder.h"
#include "loe/io/safetensors.h"

namespace loe::test {
namespace {

class Input : public LoeTest {
 protected:
  /// Fits `picture` and expects a refusal that leaves no run folder.
  void expect_refused(const std::string& picture, int code, const std::vector<std::string>& parts) {
    expect_failure(run({"fit", picture, "--max-steps", "2"}), code, parts);
    EXPECT_FALSE(fs::exists(folder_ / "runs")) << "a run folder for " << picture;
    EXPECT_TRUE(temporary_files().empty());
  }
};

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string png_chunk(const std::string& type, const std::string& data) {
  uint32_t crc = 0xffffffff;
  for (const char c : type + data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return big_endian(static_cast<uint32_t>(data.size())) + type + data + big_endian(~crc);
}

TEST_F(Input, Pictures) {
  expect_refused("missing.png", 1, {"missing.png", "expected"});
  write_all(path("empty.png"), "");
  expect_refused("empty.png", 1, {"empty.png", "expected"});
  write_all(path("text.png"), "This is no picture at all, whatever its name says.\n");
  expect_refused("text.png", 1, {"text.png", "expected"});
  make_picture("cut.png", 64, 64);
  fs::resize_file(folder_ / "cut.png", fs::file_size(folder_ / "cut.png") / 2);
  expect_refused("cut.png", 1, {"cut.png"});
  fs::create_directory(folder_ / "folder");
  expect_refused("folder", 2, {"folder", "expected a picture"});
}

TEST_F(Input, AbsurdSizes) {
  // A header that claims 100,000 x 100,000 pixels of 16-bit RGB, and nothing behind it.
  const std::string header = big_endian(100000) + big_endian(100000) + std::string("\x10\x02\x00\x00\x00", 5);
  write_all(path("absurd.png"),
            "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + png_chunk("IDAT", "") + png_chunk("IEND", ""));
  expect_refused("absurd.png", 1, {"absurd.png", "100000"});
}

TEST_F(Input, InfinityInAPicture) {
  Image image(8, 8, 3, PixelType::F32);
  std::vector<float> row(24, 0.5F);
  for (int y = 0; y < 8; ++y) {
    row[3 * 5 + 1] = y == 6 ? std::numeric_limits<float>::infinity() : 0.5F;
    image.write_row(0, y, 8, row.data());
  }
  write_image(path("inf.exr"), image);
  expect_refused("inf.exr", 1, {"inf.exr", "inf at x=5, y=6, channel 1"});
}

TEST_F(Input, Flags) {
  const std::string picture = make_picture();
  expect_failure(run({"fit", picture, "--max-steps", "10x"}), 2, {"--max-steps", "10x"});
  expect_failure(run({"fit", picture, "--max-steps", "0"}), 2, {"--max-steps", ">= 1"});
  expect_failure(run({"fit", picture, "--until", "40dBm"}), 2, {"--until", "40dB"});
  expect_failure(run({"fit", picture, "--device", "gpu"}), 2, {"--device", "cpu", "gpu"});
  if (!why_no_cuda().empty()) {
    expect_failure(run({"fit", picture, "--device", "cuda"}), 1, {"device cuda", why_no_cuda()});
    expect_failure(run({"fit", picture, "--precision", "tf32"}), 1, {"tf32", "f32"});
  }
  expect_failure(run({"fit", picture, "--precision", "fp8"}), 2, {"precision", "bf16", "fp8"});
  expect_failure(run({"fit", picture, "--preset", "pluo"}), 2, {"pluo", "pluto"});
  expect_failure(run({"fit", picture, "--max-step", "3"}), 2, {"--max-step", "did you mean --max-steps?"});
  expect_failure(run({"fit", picture, "--params", "1"}), 2, {"params"});
  expect_failure(run({"fit", picture, "--preset", "toy", "--params", "1M"}), 2, {"--params", "toy"});
  expect_failure(run({"fit"}), 2, {"picture"});
  expect_failure(run({"rendr"}), 2, {"rendr", "did you mean render?"});
  expect_failure(run({}), 2, {"expected a command"});
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

TEST_F(Input, Settings) {
  const std::string picture = make_picture();
  expect_failure(run({"fit", picture, "--set", "train.max_stepz=3"}), 2, {"train.max_stepz", "train.max_steps"});
  expect_failure(run({"fit", picture, "--set", "run.thread=3"}), 2, {"run.thread", "run.threads"});
  write_all(path("bad.toml"), "[model]\nwidths = [64, 64\n");
  expect_failure(run({"fit", picture, "--config", "bad.toml"}), 1, {"bad.toml:"});
  write_all(path("unknown.toml"), "[model]\nwidth = [64]\n");
  expect_failure(run({"fit", picture, "--config", "unknown.toml"}), 2, {"unknown.toml:2", "model.widths"});
  // Layouts that contradict themselves: three widths for nine resolutions; gray code with tiles of 4.
  expect_failure(run({"fit", picture, "--preset", "toy", "--set", "model.widths=[64,64,64]"}), 2, {"widths", "3"});
  expect_failure(run({"fit", picture, "--preset", "pluto", "--set", "model.layout=gray_code"}), 2, {"gray_code", "2"});
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

TEST_F(Input, DivergingTrainingNamesStepAndTensor) {
  std::vector<std::string> words = {"fit",
                                    make_picture(),
                                    "--max-steps",
                                    "200",
                                    "--learning-rate",
                                    "1000000",
                                    "--set",
                                    "train.schedule=constant",
                                    "--set",
                                    "train.epsilon=1e-30",
                                    "--out",
                                    "run",
                                    "-q"};
  // Sines are bounded: their loss stays finite when the moments no longer are, and the first file to hold them says so.
  expect_failure(run(words), 1, {"adam_v", "finite", "lower the learning rate"});
  EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));
  fs::remove_all(folder_ / "run");
  words.insert(words.end(), {"--set", "model.activation=leaky_relu"});
  const Outcome outcome = run(words);
  expect_failure(outcome, 1, {"step", "finite", "learning_rate"});
  EXPECT_FALSE(fs::exists(folder_ / "run/result.json"));
  EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));
  EXPECT_NE(read_all(folder_ / "run/log.txt").find("error: "), std::string::npos);
}

TEST_F(Input, UnwritableFolders) {
  const std::string picture = make_picture();
  // Root may write anywhere that is a folder, so the way there leads through a file, and into /proc.
  expect_failure(run({"fit", picture, "--max-steps", "2", "--out", picture + "/run", "-q"}), 1,
                 {picture + "/run", "cannot create"});
  expect_failure(run({"fit", picture, "--max-steps", "2", "--out", "/proc/loe-run", "-q"}), 1,
                 {"/proc/loe-run", "cannot create"});
  write_all(path("runs"), "");
  expect_failure(run({"fit", picture, "--max-steps", "2", "-q"}), 1, {"runs", "cannot create"});
}

TEST_F(Input, FullDisk) {
  const std::string picture = make_picture();
  // Room for the small text files, not for the first checkpoint (3 x 30 kB).
  expect_failure(run({"fit", picture, "--max-steps", "20", "--out", "run", "-q"}, 20000), 1,
                 {"run/checkpoints/", "File too large"});
  EXPECT_TRUE(temporary_files().empty());
  EXPECT_TRUE(list_checkpoints(path("run")).empty());
  EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));

  // With a checkpoint already there, nothing of it is lost and the message says how to go on.
  ASSERT_EQ(run({"fit", picture, "--max-steps", "20", "--out", "full", "-q"}).code, 0);
  const std::string checkpoint = read_all(folder_ / "full/checkpoints/step-000000020.safetensors");
  expect_failure(run({"fit", "--resume", "full", "--until", "99dB", "-q"}, 20000), 1,
                 {"continue with: loe fit --resume full"});
  EXPECT_TRUE(temporary_files().empty());
  EXPECT_EQ(read_all(folder_ / "full/checkpoints/step-000000020.safetensors"), checkpoint);
}

TEST_F(Input, DamagedAndForeignModels) {
  ASSERT_EQ(run({"fit", make_picture(), "--max-steps", "2", "--out", "run", "-q"}).code, 0);
  const std::string model = read_all(folder_ / "run/model.safetensors");
  expect_failure(run({"render", "missing.safetensors", "-o", "x.png", "-q"}), 1, {"missing.safetensors"});
  write_all(path("cut.safetensors"), model.substr(0, model.size() / 2));
  expect_failure(run({"render", "cut.safetensors", "-o", "x.png", "-q"}), 1, {"cut.safetensors", "expected"});
  write_all(path("empty.safetensors"), "");
  expect_failure(run({"info", "empty.safetensors"}), 1, {"empty.safetensors", "expected"});
  const std::vector<float> numbers(4, 1.0F);
  write_safetensors(path("foreign.safetensors"), {{"w", {2, 2}, numbers}}, {});
  expect_failure(run({"render", "foreign.safetensors", "-o", "x.png", "-q"}), 1, {"foreign.safetensors", "loe-model"});
  expect_failure(run({"eval", "run/checkpoints"}), 1, {"run/checkpoints", "run folder"});
  // A model where a checkpoint should be.
  fs::copy_file(path("run/model.safetensors"), path("run/checkpoints/step-000000002.safetensors"),
                fs::copy_options::overwrite_existing);
  const Outcome outcome = run({"fit", "--resume", "run", "-q"});
  EXPECT_EQ(outcome.code, 1) << outcome;
  EXPECT_NE(outcome.err.find("loe-checkpoint"), std::string::npos) << outcome;
  EXPECT_FALSE(fs::exists(folder_ / "x.png"));
  EXPECT_TRUE(temporary_files().empty());
}

}  // namespace
}  // namespace loe::test
