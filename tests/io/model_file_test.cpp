#include "loe/io/model_file.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "io/conditions.h"
#include "io/model_parse.h"
#include "io/model_test_helpers.h"

namespace loe {
namespace {

RunState test_state() {
  RunState state;
  state.params = {ramp(test_network(), 1.0F), ramp(test_network(), -0.5F), ramp(test_network(), 1e-12F)};
  state.step = 123'456'789'012;
  state.seed = std::numeric_limits<uint64_t>::max();
  state.seconds = 0.1 + 0.2;
  state.best_psnr_db = std::nextafter(40.55, 100.0);
  state.best_step = 5000;
  state.config_hash = "abc123";
  return state;
}

TEST(ModelFile, WhatTheSourceSaidComesBack) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  write_model(path, test_model());
  EXPECT_FALSE(read_safetensors(path).metadata.contains("source"));  // all as usual
  Model model = test_model();
  PictureTags& tags = model.signal.tags;
  tags.alpha = AlphaKind::Associated;
  tags.channels = {"U", "V"};
  tags.pixel_aspect = 64.0 / 45;
  tags.range = {-3.5, 1e9};
  for (int byte = 0; byte < 256; ++byte) {  // each length modulo 3 of base64
    tags.icc_profile += static_cast<char>(byte);
    if (byte < 253) continue;
    write_model(path, model);
    EXPECT_EQ(read_model(path).signal.tags, tags);
  }
  model.signal.task = "video";
  model.signal.n_frames = 3;
  model.signal.times = {0, 0.1, 0.75};
  write_model(path, model);
  EXPECT_EQ(read_model(path).signal.times, model.signal.times);
  EXPECT_EQ(read_model(path).signal.tags.pixel_aspect, tags.pixel_aspect);
}

TEST(ModelFile, RefusesASourceThatMakesNoSense) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  const std::pair<const char*, const char*> sources[] = {
      {R"({"alpha": "some"})", "source.alpha"},
      {R"({"pixel_aspect": 0})", "source.pixel_aspect"},
      {R"({"range": [1, 1]})", "source.range"},
      {R"({"range": [1]})", "source.range"},
      {R"({"icc_profile": "?"})", "source.icc_profile"},
      {R"({"icc_profile": 5})", "source.icc_profile"},
      {R"({"times": [0, 0]})", "source.times"},
      {R"({"times": [0, 1]})", "source.times"},  // of a picture, which has no frames
      {R"({"channels": []})", "source.channels"},
      {R"({"colour": 1})", "colour"},
      {"[", "source"},
  };
  for (const auto& [source, part] : sources) {
    SCOPED_TRACE(source);
    write_model(path, test_model());
    // clang 14 lets lambdas capture no structured bindings.
    rewrite(path, [text = std::string(source)](TensorFile& file) { file.metadata["source"] = text; });
    expect_error(ErrorKind::Format, std::string(part) == "source" ? "" : part, [&] { read_model(path); });
  }
}

TEST(ModelFile, RoundTripIsExact) {
  const TempFolder folder;
  const Model model = test_model();
  write_model(folder.file("model.safetensors"), model);
  const Model back = read_model(folder.file("model.safetensors"));
  EXPECT_EQ(back.spec, model.spec);
  EXPECT_EQ(back.params, model.params);
  EXPECT_EQ(back.signal.task, "image");
  EXPECT_EQ(back.signal.width, 640);
  EXPECT_EQ(back.signal.height, 480);
  EXPECT_EQ(back.signal.pixel_type, "u16");
  EXPECT_EQ(back.signal.tags.color_space, "Linear");
  const TensorFile file = read_safetensors(folder.file("model.safetensors"));
  ASSERT_EQ(file.tensors.size(), 4U);
  EXPECT_EQ(file.tensors[0].name, "levels.0.weight");
  EXPECT_EQ(file.tensors[0].shape, (std::vector<int64_t>{6, 5, 12}));
  EXPECT_EQ(file.tensors[3].name, "head.bias");
}

TEST(ModelFile, VideoSignalsKeepTheirTimeAndColours) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  Model model = test_model();
  model.signal.task = "video";
  model.signal.n_frames = 120;
  model.signal.frame_rate = {30000, 1001};
  model.signal.color = {"bt601", "full", "smpte170m", "unknown"};
  write_model(path, model);
  const SignalInfo back = read_model(path).signal;
  EXPECT_EQ(back.task, "video");
  EXPECT_EQ(back.width, 640);
  EXPECT_EQ(back.n_frames, 120);
  EXPECT_EQ(back.frame_rate, (FrameRate{30000, 1001}));
  EXPECT_EQ(back.color, model.signal.color);
  const TensorFile whole = read_safetensors(path);
  for (const auto& [from, to] :
       {std::pair{"120", "0"}, {"120", "70000"}, {"1001", "0"}, {"1001", "1,2"}, {"\"full\"", "7"}}) {
    TensorFile file = whole;
    file.metadata["signal"] = replaced(file.metadata["signal"], from, to);
    EXPECT_THROW(model_from_tensors(file, "x"), Error) << from << " " << to;
  }
}

TEST(ModelFile, GridRoundTripIsExact) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  Model model = test_model();
  model.spec = network_with_grid();
  model.params = ramp(model.spec.parts[0].network, -1.0F);
  write_model(path, model);
  const Model back = read_model(path);
  EXPECT_EQ(back.spec, model.spec);
  EXPECT_EQ(back.params, model.params);
  const TensorFile file = read_safetensors(path);
  EXPECT_EQ(file.metadata.at("version"), "7");
  ASSERT_EQ(file.tensors.size(), 6U);
  EXPECT_EQ(file.tensors[4].name, "embedding.0.weight");
  EXPECT_EQ(file.tensors[4].shape, (std::vector<int64_t>{4, 5, 2}));
  EXPECT_EQ(file.tensors[5].name, "embedding.1.weight");
  EXPECT_EQ(file.tensors[5].shape, (std::vector<int64_t>{16, 2}));
}

TEST(ModelFile, EmbeddingRoundTripIsExact) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  Model model = test_model();
  write_model(path, model);
  EXPECT_EQ(read_safetensors(path).metadata.at("version"), "2");  // it maps its output
  model.spec.parts[0].network.output = {};
  write_model(path, model);
  EXPECT_EQ(read_safetensors(path).metadata.at("version"), "1");
  model.spec = network_with_table();
  model.params = ramp(model.spec.parts[0].network, -1.0F);
  write_model(path, model);
  const Model back = read_model(path);
  EXPECT_EQ(back.spec, model.spec);
  EXPECT_EQ(back.params, model.params);
  const TensorFile file = read_safetensors(path);
  EXPECT_EQ(file.metadata.at("version"), "2");
  ASSERT_EQ(file.tensors.size(), 5U);
  EXPECT_EQ(file.tensors[4].name, "embedding.weight");
  EXPECT_EQ(file.tensors[4].shape, (std::vector<int64_t>{3, 4, 2}));

  RunState state = test_state();
  state.params = {model.params, ramp(model.spec.parts[0].network, 0.5F), ramp(model.spec.parts[0].network, 1e-12F)};
  write_checkpoint(folder.file("c.safetensors"), model.spec.parts[0].network, state);
  EXPECT_EQ(read_checkpoint(folder.file("c.safetensors"), model.spec.parts[0].network).params.adam_v,
            state.params.adam_v);
  EXPECT_EQ(read_safetensors(folder.file("c.safetensors")).metadata.at("version"), "2");

  const auto refused = [&](const std::string& part, const std::function<void(TensorFile&)>& change) {
    write_model(path, model);
    rewrite(path, change);
    expect_error(ErrorKind::Format, part, [&] { read_model(path); });
  };
  refused("'version': expected 2 for this network, got '1'", [](TensorFile& f) { f.metadata["version"] = "1"; });
  refused("'embedding.weight': expected shape [3, 4, 2]", [](TensorFile& f) { f.tensors[4].shape = {4, 3, 2}; });
  refused("'embedding.weight': expected finite values", [](TensorFile& f) { f.tensors[4].data[23] = NAN; });
  refused("tensors: expected 5", [](TensorFile& f) { f.tensors.pop_back(); });
  // A table that the file does not hold is refused before room is made for it.
  refused("'embedding.weight': expected shape [3, 65536, 2]",
          [](TensorFile& f) { f.metadata["network"] = replaced(f.metadata["network"], "[4,3]", "[65536,3]"); });
}

TEST(ModelFile, BranchesRoundTripIsExact) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  Model model = test_model();
  for (const char* key : {"from", "outputs"}) {
    EXPECT_EQ(network_to_json(model.spec.parts[0].network).find(key), std::string::npos) << key;
  }
  // A second head that reads the first level and two numbers of the caller.
  LayerSpec side = model.spec.parts[0].network.layers.back();
  side.name = "side";
  side.from = 0;
  side.n_features = 2;
  side.n_in = model.spec.parts[0].network.layers[0].n_out + 2;
  const int head = static_cast<int>(model.spec.parts[0].network.layers.size()) - 1;
  model.spec.parts[0].network.layers.push_back(side);
  model.spec.parts[0].network.outputs = {head + 1, head};
  model.params = ramp(model.spec.parts[0].network, -1.0F);
  write_model(path, model);
  EXPECT_EQ(read_safetensors(path).metadata.at("version"), "4");
  EXPECT_EQ(read_model(path).spec, model.spec);
  EXPECT_EQ(read_model(path).params, model.params);

  const auto refused = [&](const std::string& part, const std::string& from, const std::string& to) {
    write_model(path, model);
    rewrite(path, [&](TensorFile& f) { f.metadata["network"] = replaced(f.metadata["network"], from, to); });
    expect_error(ErrorKind::Format, part, [&] { read_model(path); });
  };
  const std::string outputs = fmt::format("\"outputs\":[{},{}]", head + 1, head);
  refused("outputs", outputs, "\"outputs\":[]");
  refused("outputs", outputs, "\"outputs\":7");
  refused("outputs", outputs, fmt::format("\"outputs\":[{}]", head + 1));  // the head is neither read nor an output
  refused("outputs", outputs, fmt::format("\"outputs\":[{0},{0}]", head + 1));
  refused("outputs", outputs, "\"outputs\":[0,99]");
  refused("from", "\"from\":0", "\"from\":60");
  refused("from", "\"from\":0", "\"from\":-2");
  refused("n_in", "\"n_features\":2", "\"n_features\":3");
}

TEST(ModelFile, CoordinateRangeRoundTripIsExact) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  Model model = test_model();
  EXPECT_EQ(network_to_json(model.spec.parts[0].network).find("coordinate_range"), std::string::npos);
  model.spec.parts[0].network.input.coordinate_range = {-1, kThird};
  write_model(path, model);
  EXPECT_EQ(read_safetensors(path).metadata.at("version"), "3");
  EXPECT_EQ(read_model(path).spec, model.spec);
  write_checkpoint(folder.file("c.safetensors"), model.spec.parts[0].network, test_state());
  EXPECT_EQ(read_safetensors(folder.file("c.safetensors")).metadata.at("version"), "3");
  read_checkpoint(folder.file("c.safetensors"), model.spec.parts[0].network);

  const auto refused = [&](const std::string& part, const std::function<void(TensorFile&)>& change) {
    write_model(path, model);
    rewrite(path, change);
    expect_error(ErrorKind::Format, part, [&] { read_model(path); });
  };
  refused("'version': expected 3 for this network, got '2'", [](TensorFile& f) { f.metadata["version"] = "2"; });
  const auto with_range = [&](const std::string& part, const std::string& range) {
    refused(part, [&](TensorFile& f) {
      std::string& network = f.metadata["network"];
      const std::size_t at = network.find("[", network.find("\"coordinate_range\""));
      network.replace(at, network.find("]", at) + 1 - at, range);
    });
  };
  with_range("input.coordinate_range: expected low < high", "[1,-1]");
  with_range("input.coordinate_range: expected finite numbers of at most 2^30", "[0,1e30]");
  with_range("coordinate_range", "[0]");
  with_range("coordinate_range", "[0,1,2]");
  with_range("coordinate_range", "[0,\"1\"]");
  with_range("'version': expected 2 for this network, got '3'", "[0,1]");
}

TEST(ModelFile, RefusesForeignAndDamagedFiles) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  const auto refused = [&](const std::string& part, const std::function<void(TensorFile&)>& change) {
    write_model(path, test_model());
    rewrite(path, change);
    expect_error(ErrorKind::Format, part, [&] { read_model(path); });
  };
  refused("'format': expected 'loe-model', got none", [](TensorFile& f) { f.metadata.clear(); });
  refused("got 'pt'", [](TensorFile& f) { f.metadata["format"] = "pt"; });
  refused("'version': expected 1 to 7, got '8'", [](TensorFile& f) { f.metadata["version"] = "8"; });
  refused("'version': expected 2 for this network", [](TensorFile& f) { f.metadata["version"] = "1"; });
  refused("'network': expected a value", [](TensorFile& f) { f.metadata.erase("network"); });
  refused("'signal': expected a value", [](TensorFile& f) { f.metadata.erase("signal"); });
  refused("signal.width",
          [](TensorFile& f) { f.metadata["signal"] = replaced(f.metadata["signal"], "640", "100000"); });
  refused("signal.pixel_type",
          [](TensorFile& f) { f.metadata["signal"] = replaced(f.metadata["signal"], "u16", "u99"); });
  refused("tensors: expected 4", [](TensorFile& f) { f.tensors.pop_back(); });
  refused("'head.bias': expected shape [3], got no such tensor", [](TensorFile& f) { f.tensors[3].name = "head.bia"; });
  refused("'levels.0.bias': expected shape [5], got [1, 5]", [](TensorFile& f) { f.tensors[1].shape = {1, 5}; });
  refused("'levels.0.bias': expected finite values, got nan at element 2",
          [](TensorFile& f) { f.tensors[1].data[2] = NAN; });
  refused("got -inf at element 0", [](TensorFile& f) { f.tensors[3].data[0] = -INFINITY; });
  write_checkpoint(path, test_network(), test_state());
  expect_error(ErrorKind::Format, "got 'loe-checkpoint'", [&] { read_model(path); });
}

TEST(ModelFile, RefusesToReplaceAGoodFileByABadOne) {
  const TempFolder folder;
  const std::string path = folder.file("model.safetensors");
  write_model(path, test_model());
  const std::string before = read_bytes(path);
  Model model = test_model();
  model.params[7] = NAN;
  expect_error(ErrorKind::Numerical, "'levels.0.weight': expected finite values, got nan at element 7",
               [&] { write_model(path, model); });
  model.params.pop_back();
  expect_error(ErrorKind::InvalidArgument, "expected 383, got 382", [&] { write_model(path, model); });
  const std::string message = message_on_full_disk(1000, [&] { write_model(path, test_model()); });
  EXPECT_EQ(message.rfind("Io [file] " + path, 0), 0U) << message;
  EXPECT_EQ(read_bytes(path), before);
  EXPECT_EQ(folder.names().size(), 1U);
}

TEST(Checkpoint, RoundTripIsExact) {
  const TempFolder folder;
  const std::string path = folder.file("c.safetensors");
  RunState state = test_state();
  write_checkpoint(path, test_network(), state);
  const RunState back = read_checkpoint(path, test_network());
  EXPECT_EQ(back.params.params, state.params.params);
  EXPECT_EQ(back.params.adam_m, state.params.adam_m);
  EXPECT_EQ(back.params.adam_v, state.params.adam_v);
  EXPECT_EQ(back.step, state.step);
  EXPECT_EQ(back.seed, state.seed);
  EXPECT_EQ(back.seconds, state.seconds);
  EXPECT_EQ(back.best_psnr_db, state.best_psnr_db);
  EXPECT_EQ(back.best_step, state.best_step);
  EXPECT_EQ(back.config_hash, state.config_hash);
  EXPECT_TRUE(back.plan.empty());
  state.plan = {{10, 0, 1'000'000'000'000, 0.04, 0.1}, {600, kThird, 700, 1, 0.1 + 0.2}};
  write_checkpoint(path, test_network(), state);
  EXPECT_EQ(read_checkpoint(path, test_network()).plan, state.plan);
  // A perfect fit has an infinite PSNR; a run before its first evaluation has none.
  for (const double psnr : {std::numeric_limits<double>::infinity(), -1.0}) {
    state.best_psnr_db = psnr;
    write_checkpoint(path, test_network(), state);
    EXPECT_EQ(read_checkpoint(path, test_network()).best_psnr_db, psnr);
  }
}

TEST(Checkpoint, RefusesAnotherNetwork) {
  const TempFolder folder;
  const std::string path = folder.file("c.safetensors");
  write_checkpoint(path, test_network(), test_state());
  NetworkSpec other = test_network();
  other.layers[0].grid.a[0][0] = std::nextafter(kThird, 1.0);
  expect_error(ErrorKind::Format, "got another one", [&] { read_checkpoint(path, other); });
}

TEST(Checkpoint, RefusesForeignAndDamagedFiles) {
  const TempFolder folder;
  const std::string path = folder.file("c.safetensors");
  const auto refused = [&](const std::string& part, const std::function<void(TensorFile&)>& change) {
    write_checkpoint(path, test_network(), test_state());
    rewrite(path, change);
    expect_error(ErrorKind::Format, part, [&] { read_checkpoint(path, test_network()); });
  };
  const auto with = [&](const std::string& key, const std::string& value) {
    refused("metadata '" + key + "'", [&](TensorFile& f) { f.metadata[key] = value; });
  };
  with("version", "0");
  with("step", "-1");
  with("step", "12x");
  with("step", "");
  with("step", "9223372036854775808");
  with("seed", "18446744073709551616");
  with("seed", "-1");
  with("seconds", "nan");
  with("seconds", "inf");
  with("seconds", "-0.5");
  with("best_psnr_db", "nan");
  with("best_step", "-2");
  with("plan", "7");
  with("plan", "[7]");
  with("plan", "[[1, 0.5, 2, 1]]");
  with("plan", "[[-1, 0.5, 2, 1, 3]]");
  with("plan", "[[1, \"a\", 2, 1, 3]]");
  refused("metadata 'config_hash'", [](TensorFile& f) { f.metadata.erase("config_hash"); });
  refused("'params.levels.0.weight': expected finite values, got nan",
          [](TensorFile& f) { f.tensors[0].data[0] = NAN; });
  refused("'adam_v.head.bias': expected finite values from 0 on, got -1 at element 2",
          [](TensorFile& f) { f.tensors[11].data[2] = -1; });
  refused("tensors: expected 12, as the network says, got 11", [](TensorFile& f) { f.tensors.pop_back(); });
  write_model(path, test_model());
  expect_error(ErrorKind::Format, "got 'loe-model'", [&] { read_checkpoint(path, test_network()); });
}

TEST(Checkpoint, RefusesStatesThatDoNotFit) {
  const TempFolder folder;
  RunState state = test_state();
  state.params.adam_v.clear();
  expect_error(ErrorKind::InvalidArgument, "adam_v.parameters: expected 383, got 0",
               [&] { write_checkpoint(folder.file("c"), test_network(), state); });
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace loe
