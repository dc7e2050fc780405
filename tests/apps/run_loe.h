// Runs the program in a folder of its own and looks at what it leaves.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "loe/io/image_file.h"
#include "loe/signal/image.h"
#include "test_paths.h"

namespace loe::test {

namespace fs = std::filesystem;

inline std::string read_all(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_all(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Outcome {
  int code = -1;  ///< exit code, or 128 + signal
  std::string out;
  std::string err;
};

inline std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "exit code " << outcome.code << "\nstdout: " << outcome.out << "\nstderr: " << outcome.err;
}

/// A test with an empty working folder, removed afterwards.
class LoeTest : public ::testing::Test {
 protected:
  /// No run of these sizes takes longer on the slowest machine; a hang must not hang the test.
  static constexpr int kMaxSeconds = 280;

  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "loe-apps-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (child_ > 0) finish(SIGKILL);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Starts `loe` with these arguments in the working folder. max_file_bytes: files may not grow beyond (a full disk).
  void start(const std::vector<std::string>& arguments, rlim_t max_file_bytes = RLIM_INFINITY) {
    std::vector<std::string> words = {kProgram};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& text : words) argv.push_back(text.data());
    argv.push_back(nullptr);
    child_ = fork();
    ASSERT_GE(child_, 0);
    if (child_ > 0) return;
    const int out = open(path(".out").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    const int err = open(path(".err").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (max_file_bytes != RLIM_INFINITY) {
      const rlimit limit{max_file_bytes, max_file_bytes};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir(folder_.c_str()) != 0) _exit(126);
    execv(argv[0], argv.data());
    _exit(127);
  }

  /// Waits for the program's end, after sending it `signal` (0: none).
  Outcome finish(int signal = 0) {
    if (signal != 0) kill(child_, signal);
    int status = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kMaxSeconds);
    while (waitpid(child_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        kill(child_, SIGKILL);
        waitpid(child_, &status, 0);
        ADD_FAILURE() << "the program did not end in time";
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    child_ = -1;
    Outcome outcome;
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.out = read_all(path(".out"));
    outcome.err = read_all(path(".err"));
    return outcome;
  }

  Outcome run(const std::vector<std::string>& arguments, rlim_t max_file_bytes = RLIM_INFINITY) {
    start(arguments, max_file_bytes);
    return finish();
  }

  /// Waits while the program runs until `condition` holds. False if the program ended or took too long first.
  bool wait_until(const std::function<bool()>& condition) {
    for (int i = 0; i < kMaxSeconds * 500; ++i) {
      if (condition()) return true;
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        return condition();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

  /// A smooth picture with some texture, the same every time. Returns its name in the working folder.
  std::string make_picture(const std::string& name = "picture.png", int width = 32, int height = 24,
                           PixelType type = PixelType::U8) {
    Image image(width, height, 3, type);
    std::vector<float> row(static_cast<std::size_t>(width) * 3);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        float* pixel = &row[static_cast<std::size_t>(x) * 3];
        pixel[0] = static_cast<float>(x) / static_cast<float>(width);
        pixel[1] = static_cast<float>(y) / static_cast<float>(height);
        pixel[2] = (x / 4 + y / 4) % 2 == 0 ? 0.25F : 0.75F;
      }
      image.write_row(0, y, width, row.data());
    }
    write_image(path(name), image);
    return name;
  }

  nlohmann::json read_json(const std::string& name) const { return nlohmann::json::parse(read_all(folder_ / name)); }

  /// Names of all files below the working folder that are left-overs of unfinished writing.
  std::vector<std::string> temporary_files() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const std::string name = entry.path().filename().string();
      if (name.find(".loe-tmp") != std::string::npos) found.push_back(name);
    }
    return found;
  }

  fs::path folder_;
  pid_t child_ = -1;
};

/// A failure as promised: this exit code, one line on stderr that starts with "loe: " and contains all `parts`, nothing
/// on stdout.
inline void expect_failure(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.code, code) << outcome;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome;
  EXPECT_EQ(outcome.err.rfind("loe: ", 0), 0U) << outcome;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << "missing '" << part << "' in: " << outcome.err;
  }
}

}  // namespace loe::test
