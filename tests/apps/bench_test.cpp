// `loe bench` says what it promises to say. Nothing here depends on how fast the machine is.
#include "run_loe.h"

namespace loe::test {
namespace {

class BenchTest : public LoeTest {
 protected:
  std::vector<nlohmann::json> records(const std::vector<std::string>& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    std::vector<nlohmann::json> records;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) {
      records.push_back(nlohmann::json::parse(line));
    }
    return records;
  }
};

TEST_F(BenchTest, StepPrintsOneObjectPerWorkloadAndPrecision) {
  const auto found = records(
      {"bench", "step", "--workload", "toy", "--precision", "f32,bf16", "--batch", "700", "--repeats", "2", "--json"});
  ASSERT_EQ(found.size(), 2U);
  for (const auto& record : found) {
    for (const char* key : {"workload", "precision", "batch", "threads", "seconds_per_step", "samples_per_second",
                            "gflops", "peak_gflops", "share_of_peak", "baseline", "baseline_seconds_per_step",
                            "overhead_vs_plain", "memory_bytes"}) {
      EXPECT_TRUE(record.contains(key)) << key;
    }
    EXPECT_EQ(record["batch"], 700);
    const double seconds = record["seconds_per_step"];
    EXPECT_GT(seconds, 0);
    EXPECT_NEAR(record["samples_per_second"].get<double>() * seconds, 700, 1e-6);
    // By hand: MAC = 34 64 + 8 64 64 + 64 = 35008, MAC of layer 0 = 34 64.
    const double flops = 700.0 * (6 * 35008 - 2 * 34 * 64);
    EXPECT_NEAR(record["gflops"].get<double>() * seconds * 1e9, flops, 1e-6 * flops);
    EXPECT_NEAR(record["share_of_peak"].get<double>() * record["peak_gflops"].get<double>(),
                record["gflops"].get<double>(), 1e-6 * record["gflops"].get<double>());
    // With a rival in this build, it has been compared and agrees (else the exit code is 1).
    if (record["baseline"].get<std::string>().rfind("none", 0) != 0) {
      EXPECT_GT(record["baseline_seconds_per_step"].get<double>(), 0);
      EXPECT_LT(record["baseline_gradient_error"].get<double>(), 0.15);
    }
  }
  EXPECT_EQ(found[0]["precision"], "f32");
  EXPECT_EQ(found[1]["precision"], "bf16");
}

TEST_F(BenchTest, StepWithoutRivalsSaysSo) {
  const auto found = records({"bench", "step", "--workload", "toy", "--precision", "mixed", "--batch", "300",
                              "--repeats", "1", "--json", "--no-rivals", "--no-plain", "--bilinear"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["baseline"], "none: --no-rivals");
  EXPECT_TRUE(found[0]["baseline_seconds_per_step"].is_null());
  EXPECT_FALSE(found[0].contains("overhead_vs_plain"));
  EXPECT_GT(found[0]["bilinear_ratio"].get<double>(), 0);
}

TEST_F(BenchTest, StepOfANarrowNetworkBesideTheGeneralPath) {
  const auto found = records({"bench", "step", "--workload", "narrow,narrow-sine", "--precision", "f32", "--batch",
                              "2048", "--repeats", "1", "--json", "--no-rivals", "--no-plain"});
  ASSERT_EQ(found.size(), 2U);
  for (const auto& record : found) {
    EXPECT_NE(record["kernel"].get<std::string>().find("narrow"), std::string::npos);
    EXPECT_NEAR(record["speedup_over_general"].get<double>() * record["seconds_per_step"].get<double>(),
                record["general_seconds_per_step"].get<double>(), 1e-9);
  }
  // By hand: MAC = 42 32 + 2 32 32 + 32 3 = 3488, MAC of layer 0 = 42 32.
  const double flops = 2048.0 * (6 * 3488 - 2 * 42 * 32);
  EXPECT_NEAR(found[0]["gflops"].get<double>() * found[0]["seconds_per_step"].get<double>() * 1e9, flops, 1e-6 * flops);
}

TEST_F(BenchTest, StepOfAVideoInEveryOrder) {
  for (const char* order : {"morton", "raster", "random"}) {
    const auto found = records({"bench", "step", "--workload", "video", "--precision", "f32", "--batch", "400",
                                "--repeats", "1", "--json", "--no-rivals", "--no-plain", "--order", order});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0]["order"], order);
    // By hand: MAC = 57 256 + 4 256 256 + 256 3 = 277504, MAC of layer 0 = 57 256.
    const double flops = 400.0 * (6 * 277504 - 2 * 57 * 256);
    const double seconds = found[0]["seconds_per_step"];
    EXPECT_NEAR(found[0]["gflops"].get<double>() * seconds * 1e9, flops, 1e-6 * flops);
  }
}

TEST_F(BenchTest, SirenIsComparedWithLeakyRelu) {
  const auto found = records(
      {"bench", "step", "--workload", "siren", "--precision", "bf16", "--batch", "300", "--repeats", "1", "--json"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0]["sine_vs_leaky_relu"].get<double>(), 0);
  EXPECT_FALSE(found[0].contains("overhead_vs_plain"));  // it is plain
  EXPECT_EQ(found[0]["baseline"].get<std::string>().rfind("none", 0), 0U);
}

TEST_F(BenchTest, DecodeOfAVideoCountsFrames) {
  const auto found = records(
      {"bench", "decode", "--workload", "siren", "--precision", "f32", "--size", "32", "--repeats", "1", "--json"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NEAR(found[0]["frames_per_second"].get<double>() * found[0]["seconds"].get<double>(), 1.0 / 256, 1e-9);
  EXPECT_NEAR(found[0]["floor_seconds"].get<double>() * found[0]["peak_gflops"].get<double>() * 1e9,
              2.0 * 263680 * 32 * 32, 1);
}

TEST_F(BenchTest, DecodeCountsPixelsAndFloor) {
  const auto found = records(
      {"bench", "decode", "--workload", "toy", "--precision", "f32", "--size", "40", "--repeats", "1", "--json"});
  ASSERT_EQ(found.size(), 1U);
  const auto& record = found[0];
  EXPECT_NEAR(record["pixels_per_second"].get<double>() * record["seconds"].get<double>(), 1600, 1e-6);
  EXPECT_NEAR(record["floor_seconds"].get<double>() * record["peak_gflops"].get<double>() * 1e9, 2.0 * 35008 * 1600, 1);
}

TEST_F(BenchTest, DecodeOfAConstantInputIsComparedWithSampleBySample) {
  const auto found = records({"bench", "decode", "--workload", "pluto-constant", "--precision", "bf16", "--size", "64",
                              "--repeats", "1", "--json"});
  ASSERT_EQ(found.size(), 1U);
  const auto& record = found[0];
  EXPECT_NEAR(record["floor_seconds"].get<double>() * record["peak_gflops"].get<double>() * 1e9, 2.0 * 558336 * 64 * 64,
              1);
  // The same bits, or the program fails. The last level is 12% of the arithmetic; the levels above it have 273 rows for
  // 4,096 pixels. A quarter of the gain must survive any noise.
  EXPECT_GT(record["sample_by_sample_ratio"].get<double>(), 1.5);
}

TEST_F(BenchTest, PeakPrintsBothKinds) {
  const auto found = records({"bench", "peak", "--repeats", "1", "--json"});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["kind"], "f32");
  EXPECT_EQ(found[1]["kind"], "bf16");
}

TEST_F(BenchTest, DumpIsASafetensorsFileWithLossAndGradient) {
  const Outcome outcome =
      run({"bench", "dump", "--workload", "toy", "--batch", "50", "--out", path("dump.safetensors")});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const std::string bytes = read_all(path("dump.safetensors"));
  for (const char* name : {"\"params\"", "\"grads\"", "\"coords\"", "\"targets\"", "\"loss\""}) {
    EXPECT_NE(bytes.find(name), std::string::npos) << name;
  }
}

TEST_F(BenchTest, QualityGivesEveryMethodTheSameTimeAndAtMostTheSameParameters) {
  const std::string picture = make_picture("picture.png", 160, 130);
  write_all(path("rivals.json"), R"({"runs": [{"method": "other", "title": "<b>", "seed": 0, "max_params": 60000,
    "n_params": 55000, "budget_seconds": 0.4, "seconds": 0.4, "psnr_db": 21.5, "steps": 7, "samples_per_second": 9}]})");
  const auto found = records({"bench", "quality", picture, "--params", "40k,60k", "--seconds", "0.2,0.4", "--threads",
                              "2", "--moments", "2", "--rivals", "rivals.json", "--out", "q", "--json"});
  const std::vector<std::string> methods = {"best", "experts", "hash_grid", "siren", "pe_mlp"};
  ASSERT_EQ(found.size(), 1 + 2 * 2 * methods.size());
  for (std::size_t i = 1; i < found.size(); ++i) {
    const auto& record = found[i];
    SCOPED_TRACE(record.dump());
    EXPECT_EQ(record["method"], methods[(i - 1) % methods.size()]) << "methods take turns";
    EXPECT_LE(record["n_params"].get<int64_t>(), record["max_params"].get<int64_t>());
    EXPECT_GT(record["n_params"].get<double>(), 0.5 * record["max_params"].get<double>());
    EXPECT_GE(record["seconds"].get<double>(), record["budget_seconds"].get<double>());
    const auto& curve = record["curve"];
    ASSERT_GE(curve.size(), 1U);
    EXPECT_LE(curve.size(), 3U);
    for (std::size_t k = 1; k < curve.size(); ++k) EXPECT_GT(curve[k][0], curve[k - 1][0]);
    EXPECT_EQ(curve.back()[1], record["psnr_db"]);
    EXPECT_GT(record["psnr_db"].get<double>(), 0) << "of some steps, on a slow machine two";
  }
  EXPECT_EQ(read_json("q/quality.json")["runs"].size(), found.size());
  const std::string page = read_all(folder_ / "q/index.html");
  EXPECT_NE(page.find("60,000"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  for (const char* name : {"q/seconds_40000.svg", "q/seconds_60000.svg", "q/params.svg"}) {
    EXPECT_NE(read_all(folder_ / name).find("hash_grid"), std::string::npos) << name;
  }
}

TEST_F(BenchTest, QualityWithoutParamsTakesWhatAutoTakes) {
  const auto found = records({"bench", "quality", make_picture("picture.png", 40, 30), "--seconds", "0.3", "--methods",
                              "experts", "--moments", "0", "--json"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["curve"].size(), 1U);
  EXPECT_GT(found[0]["steps"], 1);
  EXPECT_LE(found[0]["n_params"], found[0]["max_params"]);
  EXPECT_GT(found[0]["n_params"].get<double>(), 0.5 * found[0]["max_params"].get<double>());
}

TEST_F(BenchTest, QualityRefusesWhatItCannotCompare) {
  const std::string picture = make_picture();
  expect_failure(run({"bench", "quality", picture, "--params", "30", "--methods", "siren"}), 2, {"--params", "siren"});
  expect_failure(run({"bench", "quality", "absent.png"}), 1, {"absent.png"});
  write_all(path("bad.json"), R"({"runs": [{"method": "x"}]})");
  expect_failure(run({"bench", "quality", picture, "--rivals", "bad.json"}), 1, {"bad.json", "seed"});
  EXPECT_EQ(run({"bench", "quality", picture, "--methods", "magic"}).code, 2);
}

TEST_F(BenchTest, BadUsageIsRefused) {
  EXPECT_EQ(run({"bench"}).code, 2);
  EXPECT_EQ(run({"bench", "step", "--workload", "venus"}).code, 2);
  EXPECT_EQ(run({"bench", "step", "--precision", "f16"}).code, 2);
  EXPECT_EQ(run({"bench", "step", "--order", "hilbert"}).code, 2);
  EXPECT_EQ(run({"bench", "step", "--workload", "toy", "--isa", "z80", "--batch", "1"}).code, 2);
  EXPECT_EQ(run({"bench", "dump", "--out", "x.safetensors", "--precision", "bf16"}).code, 2);
}

}  // namespace
}  // namespace loe::test
