#include "loe/io/file.h"

#include <sys/stat.h>

#include "io/conditions.h"
#include "io/io_test_helpers.h"

namespace loe {
namespace {

TEST(File, WritesReadsAndReplacesWholeFiles) {
  const TempFolder folder;
  const std::string path = folder.file("a.txt");
  write_text_file(path, "first");
  write_text_file(path, std::string("sec\0ond", 7));
  EXPECT_EQ(read_text_file(path), std::string("sec\0ond", 7));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.txt"});
  write_text_file(path, "");
  EXPECT_EQ(read_text_file(path), "");
}

TEST(File, WrittenFilesHaveTheUsualPermissions) {
  const TempFolder folder;
  const mode_t mask = ::umask(022);
  write_text_file(folder.file("a.txt"), "x");
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat(folder.file("a.txt").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST(File, RefusesTextBeyondTheLimit) {
  const TempFolder folder;
  const std::string path = folder.file("a.txt");
  write_text_file(path, std::string(200'000, 'x'));
  EXPECT_EQ(read_text_file(path, 200'000).size(), 200'000U);
  expect_error(ErrorKind::Format, "at most 199999 bytes", [&] { read_text_file(path, 199'999); });
}

TEST(File, ReadingNamesWhatIsWrong) {
  const TempFolder folder;
  expect_error(ErrorKind::NotFound, "no-such", [&] { read_text_file(folder.file("no-such")); });
  expect_error(ErrorKind::Io, "name a file, not a folder", [&] { read_text_file(folder.path()); });
  write_text_file(folder.file("a.txt"), "x");
  expect_error(ErrorKind::NotFound, "a.txt/b", [&] { read_text_file(folder.file("a.txt/b")); });
}

TEST(File, WritingNamesWhatIsWrongAndLeavesNothing) {
  const TempFolder folder;
  expect_error(ErrorKind::Io, "create the folder first", [&] { write_text_file(folder.file("missing/a.txt"), "x"); });
  std::filesystem::create_directory(folder.file("sub"));
  expect_error(ErrorKind::Io, "name a file, not a folder", [&] { write_text_file(folder.file("sub"), "x"); });
  expect_error(ErrorKind::Io, "name a file, not a folder", [&] { write_text_file(folder.file("sub/"), "x"); });
  expect_error(ErrorKind::Io, "name a file, not a folder", [&] { write_text_file("", "x"); });
  expect_error(ErrorKind::Io, "a device or pipe", [&] { write_text_file("/dev/null", "x"); });
  expect_error(ErrorKind::Io, "shorter name", [&] { write_text_file(folder.file(std::string(300, 'n')), "x"); });
  EXPECT_EQ(folder.names(), std::vector<std::string>{"sub"});
}

TEST(File, UnwritableFolderIsNamed) {
  const TempFolder folder;
  ::chmod(folder.path().c_str(), 0555);
  const std::string message = message_without_rights([&] { write_text_file(folder.file("a.txt"), "x"); });
  EXPECT_NE(message.find("Io [file] " + folder.file("a.txt") + ": expected to write, got 'Permission denied'; change"),
            std::string::npos)
      << message;
  ::chmod(folder.path().c_str(), 0755);
  EXPECT_TRUE(folder.names().empty());
}

TEST(File, LongestNamesWork) {
  const TempFolder folder;
  const std::string name = std::string(251, 'n') + ".txt";
  write_text_file(folder.file(name), "x");
  EXPECT_EQ(folder.names(), std::vector<std::string>{name});
}

TEST(File, FullDiskLeavesTheOldFileWhole) {
  const TempFolder folder;
  const std::string path = folder.file("a.bin");
  write_text_file(path, "old");
  const std::string message = message_on_full_disk(100'000, [&] { write_text_file(path, std::string(300'000, 'x')); });
  EXPECT_NE(message.find("Io [file] " + path + ": expected to write"), std::string::npos) << message;
  EXPECT_NE(message.find("after the first 100000"), std::string::npos) << message;
  EXPECT_EQ(read_text_file(path), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a.bin"});
}

TEST(File, TemporaryPathStaysInTheFolderAndKeepsTheExtension) {
  const std::string first = temporary_path("runs/x/name.png");
  EXPECT_EQ(first.rfind("runs/x/.loe-tmp-", 0), 0U) << first;
  EXPECT_EQ(first.substr(first.size() - 9), "-name.png");
  EXPECT_NE(first, temporary_path("runs/x/name.png"));
  EXPECT_EQ(temporary_path("name.png").rfind(".loe-tmp-", 0), 0U);
  EXPECT_EQ(temporary_path("/name.png").rfind("/.loe-tmp-", 0), 0U);
}

TEST(File, CommitRenamesOrRemoves) {
  const TempFolder folder;
  write_bytes(folder.file("t"), "new");
  commit_file(folder.file("t"), folder.file("a"));
  EXPECT_EQ(read_bytes(folder.file("a")), "new");
  write_bytes(folder.file("t"), "newer");
  expect_error(ErrorKind::Io, "create the folder first", [&] { commit_file(folder.file("t"), folder.file("no/a")); });
  EXPECT_EQ(folder.names(), std::vector<std::string>{"a"});
  expect_error(ErrorKind::Io, "finished content", [&] { commit_file(folder.file("t"), folder.file("a")); });
  EXPECT_EQ(read_bytes(folder.file("a")), "new");
}

}  // namespace
}  // namespace loe
