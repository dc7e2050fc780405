#include "loe/io/safetensors.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "io/conditions.h"
#include "io/io_test_helpers.h"

namespace loe {
namespace {

std::string with_length(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xFFU));
  }
  return bytes + header + data;
}

TensorFile parse(const std::string& bytes) {
  return parse_safetensors({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, "f.safetensors");
}

void expect_refused(const std::string& part, const std::string& header, const std::string& data = "") {
  expect_error(ErrorKind::Format, part, [&] { parse(with_length(header, data)); });
}

TEST(Safetensors, RoundTripIsBitExact) {
  const TempFolder folder;
  const std::vector<float> values = {1.5F, -0.0F, std::numeric_limits<float>::denorm_min(), 3e38F, 0.1F, -7.0F};
  const std::vector<float> scalar = {42.0F};
  const std::string path = folder.file("m.safetensors");
  write_safetensors(path, {{"levels.0.weight", {2, 3}, values}, {"scalar", {}, scalar}, {"empty", {0, 5}, {}}},
                    {{"k", "v \"quoted\" \xC3\xA9"}});
  const TensorFile file = read_safetensors(path);
  ASSERT_EQ(file.tensors.size(), 3U);
  const TensorFile::Tensor* weight = file.find("levels.0.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(weight->data.data(), values.data(), values.size() * sizeof(float)), 0);
  EXPECT_EQ(file.find("scalar")->data, scalar);
  EXPECT_EQ(file.find("scalar")->shape.size(), 0U);
  EXPECT_EQ(file.find("empty")->data.size(), 0U);
  EXPECT_EQ(file.find("other"), nullptr);
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"k", "v \"quoted\" \xC3\xA9"}}));
  EXPECT_EQ(parse(read_bytes(path)).find("levels.0.weight")->data, weight->data);
}

TEST(Safetensors, LayoutIsTheOfficialOne) {
  const TempFolder folder;
  const std::vector<float> values = {1.0F, 2.0F};
  const std::string path = folder.file("m.safetensors");
  write_safetensors(path, {{"a", {2}, values}}, {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(read_bytes(path), with_length(padded, std::string("\0\0\x80\x3F\0\0\0\x40", 8)));
}

TEST(Safetensors, AnIndependentReaderReadsIt) {
  if (std::system("python3 -c '' 2>/dev/null") != 0) {
    GTEST_SKIP() << "no python3 on this machine";
  }
  const TempFolder folder;
  const std::vector<float> values = {0.5F, -2.0F, 8.0F};
  const std::string path = folder.file("m.safetensors");
  write_safetensors(path, {{"x", {1, 3}, values}, {"y", {1}, {values.data(), 1}}}, {{"format", "loe-model"}});
  write_bytes(folder.file("read.py"),
              "import json, struct, sys\n"
              "raw = open(sys.argv[1], 'rb').read()\n"
              "n = struct.unpack('<Q', raw[:8])[0]\n"
              "assert n % 8 == 0\n"
              "header = json.loads(raw[8:8 + n])\n"
              "assert header.pop('__metadata__') == {'format': 'loe-model'}\n"
              "for name, t in header.items():\n"
              "    b, e = t['data_offsets']\n"
              "    print(name, t['shape'], struct.unpack('<%df' % ((e - b) // 4), raw[8 + n + b:8 + n + e]))\n");
  const std::string command =
      "python3 " + folder.file("read.py") + " " + path + " > " + folder.file("out") + " 2> " + folder.file("err");
  ASSERT_EQ(std::system(command.c_str()), 0) << read_bytes(folder.file("err"));
  EXPECT_EQ(read_bytes(folder.file("out")), "x [1, 3] (0.5, -2.0, 8.0)\ny [1] (0.5,)\n");
}

TEST(Safetensors, OtherFloatTypesAreWidened) {
  // 1, -2, 65504, the smallest subnormal half, infinity.
  const std::string half("\x00\x3C\x00\xC0\xFF\x7B\x01\x00\x00\x7C", 10);
  const std::string bfloat("\x80\x3F\x00\xC0", 4);
  const double wide[] = {0.1, -1e300};
  const std::string data = half + bfloat + std::string(reinterpret_cast<const char*>(wide), sizeof(wide));
  const TensorFile file = parse(with_length(R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[14,30]},)"
                                            R"("h":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},)"
                                            R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[10,14]}}  )",
                                            data));
  ASSERT_EQ(file.tensors.size(), 3U);
  EXPECT_EQ(file.tensors[0].name, "h") << "tensors come in the order of their data";
  EXPECT_EQ(file.find("h")->data, (std::vector<float>{1.0F, -2.0F, 65504.0F, 0x1p-24F, INFINITY}));
  EXPECT_EQ(file.find("b")->data, (std::vector<float>{1.0F, -2.0F}));
  EXPECT_EQ(file.find("d")->data, (std::vector<float>{0.1F, -INFINITY}));
}

TEST(Safetensors, RefusesFilesTooShortForTheirHeader) {
  expect_error(ErrorKind::Format, "at least 8 bytes", [] { parse(""); });
  expect_error(ErrorKind::Format, "got 7", [] { parse("1234567"); });
  expect_error(ErrorKind::Format, "header length of at most 2", [] { parse(std::string("\x03\0\0\0\0\0\0\0{}", 10)); });
  expect_error(ErrorKind::Format, "18446744073709551615", [] { parse(std::string(8, '\xFF') + "{}"); });
  expect_error(ErrorKind::Format, "an empty header", [] { parse(std::string(8, '\0')); });
}

TEST(Safetensors, RefusesHeadersThatAreNoObject) {
  expect_refused("a JSON object", "[1]");
  expect_refused("a JSON object", " {}");
  expect_refused("syntax error at byte 9", "{");
  expect_refused("syntax error", "{\"a\": \xFF}");
  expect_refused("syntax error", "{} {}");
  expect_refused("syntax error", std::string("{}\0\0\0\0\0\0", 8));
  expect_refused("an object under the key 'a'", R"({"a":[1]})");
  expect_refused("an object under the key 'a'", R"({"a":null})");
  expect_refused("text as metadata 'k'", R"({"__metadata__":{"k":1}})");
}

TEST(Safetensors, RefusesNestingBombs) {
  expect_refused("a shape of whole numbers", R"({"a":{"dtype":"F32","shape":)" + std::string(1'000'000, '[') + "}}");
  std::string objects = R"({"a":)";
  for (int i = 0; i < 100'000; ++i) {
    objects += R"({"dtype":)";
  }
  expect_refused("tensor 'a'", objects);
}

TEST(Safetensors, RefusesDuplicateKeys) {
  const std::string tensor = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  expect_refused("'a' twice", R"({"a":)" + tensor + R"(,"a":)" + tensor + "}");
  expect_refused("'dtype' twice", R"({"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}})");
  expect_refused("'k' twice", R"({"__metadata__":{"k":"1","k":"2"}})");
}

TEST(Safetensors, RefusesBadFields) {
  expect_refused("expected dtype F32, F16, BF16 or F64, got 'I64'",
                 R"({"a":{"dtype":"I64","shape":[0],"data_offsets":[0,0]}})");
  expect_refused("3 keys", R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0]}})");
  expect_refused("two data_offsets", R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}})");
  expect_refused("2 keys", R"({"a":{"dtype":"F32","shape":[0]}})");
  expect_refused("'extra'", R"({"a":{"extra":1}})");
  expect_refused("the number -1", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})");
  expect_refused("the number 1.0", R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", "1234");
  expect_refused("below 2^63", R"({"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}})");
  expect_refused("99999999999999999999",
                 R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}})");
  expect_refused("dtype as text", R"({"a":{"dtype":[],"shape":[0],"data_offsets":[0,0]}})");
}

TEST(Safetensors, RefusesBadOffsets) {
  const auto entry = [](const std::string& name, const std::string& shape, const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const std::string eight = "12345678";
  expect_refused("offsets in order", "{" + entry("a", "[1]", "[4,0]") + "}", eight);
  expect_refused("within the 8 bytes", "{" + entry("a", "[3]", "[0,12]") + "}", eight);
  expect_refused("within the 8 bytes", "{" + entry("a", "[1]", "[0,18446744073709551615]") + "}", eight);
  expect_refused("an overlap", "{" + entry("a", "[2]", "[0,8]") + "," + entry("b", "[1]", "[4,8]") + "}", eight);
  expect_refused("a gap", "{" + entry("a", "[1]", "[4,8]") + "}", eight);
  expect_refused("4 bytes of data", "{" + entry("a", "[1]", "[0,4]") + "}", eight);
  expect_refused("12 bytes for its shape", "{" + entry("a", "[3]", "[0,8]") + "}", eight);
  expect_refused("a shape below 2^64 bytes", "{" + entry("a", "[4294967296,4294967296,4]", "[0,8]") + "}", eight);
  // 2^62 values of 4 bytes wrap around to 0 bytes.
  expect_refused("a shape below 2^64 bytes", "{" + entry("a", "[4611686018427387904]", "[0,0]") + "}");
  // A zero anywhere makes the tensor empty, whatever the product of the rest.
  EXPECT_EQ(parse(with_length("{" + entry("a", "[4294967296,4294967296,0]", "[0,0]") + "}", "")).tensors.size(), 1U);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const TempFolder folder;
  const std::vector<float> values = {1.0F, 2.0F, 3.0F};
  const std::string path = folder.file("m.safetensors");
  write_safetensors(path, {{"a", {3}, values}}, {{"k", "v"}});
  const std::string whole = read_bytes(path);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_THROW(parse(whole.substr(0, n)), Error) << n;
  }
  EXPECT_THROW(parse(whole + "x"), Error);
}

TEST(Safetensors, HostileNamesStayOutOfMessages) {
  expect_refused("tensor '?[31mred", R"({"\u001b[31mred\n)" + std::string(100'000, 'x') + R"(":{"dtype":"Q"}})");
}

TEST(Safetensors, FilesThatAreNoneAreNamed) {
  const TempFolder folder;
  expect_error(ErrorKind::NotFound, "nothing of that name", [&] { read_safetensors(folder.file("none")); });
  expect_error(ErrorKind::Io, "not a folder", [&] { read_safetensors(folder.path()); });
  expect_error(ErrorKind::Io, "regular file", [&] { read_safetensors("/dev/zero"); });
}

TEST(Safetensors, WriterRefusesWhatItCouldNotReadBack) {
  const TempFolder folder;
  const std::vector<float> values = {1.0F, 2.0F};
  const std::string path = folder.file("m.safetensors");
  const auto refused = [&](const std::string& part, const std::vector<TensorView>& tensors) {
    expect_error(ErrorKind::InvalidArgument, part, [&] { write_safetensors(path, tensors, {}); });
  };
  refused("3 values for its shape, got 2", {{"a", {3}, values}});
  refused("-1", {{"a", {-1}, values}});
  refused("a name used once", {{"a", {2}, values}, {"a", {2}, values}});
  refused("a name used once", {{"__metadata__", {2}, values}});
  EXPECT_TRUE(folder.names().empty());
}

TEST(Safetensors, FullDiskLeavesTheOldFileWhole) {
  const TempFolder folder;
  const std::string path = folder.file("m.safetensors");
  const std::vector<float> values(100'000, 1.0F);
  write_safetensors(path, {{"a", {1}, {values.data(), 1}}}, {});
  const std::string before = read_bytes(path);
  const std::string message = message_on_full_disk(50'000, [&] {
    write_safetensors(path, {{"a", {100'000}, values}}, {});
  });
  EXPECT_EQ(message.rfind("Io [file] " + path, 0), 0U) << message;
  EXPECT_EQ(read_bytes(path), before);
  EXPECT_EQ(folder.names().size(), 1U);
}

}  // namespace
}  // namespace loe
