#include <gtest/gtest.h>

#include "loe/io/file.h"

namespace loe {
namespace {

TEST(PathText, AnyBytesComeBack) {
  struct Case {
    std::string path;
    std::string text;
  };
  const Case cases[] = {
      {"/data/plain name.png", "/data/plain name.png"},
      {"/data/caf\xC3\xA9.png", "/data/caf\xC3\xA9.png"},
      {"/data/caf\xE9.png", "file:///data/caf%E9.png"},
      {"caf\xE9 50%.png", "file:caf%E9%2050%25.png"},
      {"/a/\xC3\xA9\xFF", "file:///a/%C3%A9%FF"},
      {"/overlong \xC0\xAF", "file:///overlong%20%C0%AF"},
      {"/surrogate \xED\xA0\x80", "file:///surrogate%20%ED%A0%80"},
      {"/beyond \xF4\x90\x80\x80", "file:///beyond%20%F4%90%80%80"},
      {"/cut \xE2\x82", "file:///cut%20%E2%82"},
      {"file:odd", "file:file%3Aodd"},
      {"", ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(path_to_text(c.path), c.text);
    EXPECT_EQ(path_from_text(c.text), c.path);
  }
  std::string all = "/";
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(path_from_text(path_to_text(all)), all);
  EXPECT_EQ(path_from_text("file://localhost/a%20b"), "/a b");
  EXPECT_EQ(path_from_text("file:///100%"), "/100%");  // no two digits: kept
}

TEST(PathText, NamesAreSafe) {
  EXPECT_EQ(safe_name("photo"), "photo");
  EXPECT_EQ(safe_name("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(safe_name("latin1-\xE9"), "latin1-_");
  EXPECT_EQ(safe_name("..hidden"), "hidden");
  EXPECT_EQ(safe_name("-dash"), "-dash");
  EXPECT_EQ(safe_name("a\nb/c"), "a_b_c");
  EXPECT_EQ(safe_name("..."), "run");
  EXPECT_EQ(safe_name(""), "run");
  EXPECT_EQ(safe_name(std::string(250, 'n')), std::string(200, 'n'));
  std::string accents;
  for (int i = 0; i < 150; ++i) accents += "\xC3\xA9";
  EXPECT_EQ(safe_name("x" + accents).size(), 199U);  // no half character
}

}  // namespace
}  // namespace loe
