#include "loe/io/model_file.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "io/conditions.h"
#include "io/io_test_helpers.h"
#include "io/model_parse.h"
#include "loe/io/safetensors.h"

namespace loe {
namespace {

constexpr double kThird = 1.0 / 3.0;

/// Two levels and a head in 2-D with every field off its default.
NetworkSpec test_network() {
  NetworkSpec spec;
  spec.n_dims = 2;
  spec.input.n_frequencies = 3;
  spec.input.frequency_scale = 0.1;
  spec.input.include_coordinates = false;
  LayerSpec level;
  level.name = "levels.0";
  level.n_in = spec.n_in();
  level.n_out = 5;
  level.tile.n = {2, 3, 1, 1};
  level.grid.a[0][0] = kThird;
  level.grid.a[0][1] = -1e-300;
  level.grid.a[1][1] = 7;
  level.grid.b[1] = -0.0;
  level.interpolation = Interpolation::Linear;
  level.node_offset = 0.5;
  level.activation = {ActivationKind::LeakyRelu, 0.01, 12.5};
  spec.layers.push_back(level);
  LayerSpec head;
  head.name = "head";
  head.n_in = 5;
  head.n_out = 3;
  spec.layers.push_back(head);
  spec.output = {kThird, -2};
  return spec;
}

NetworkSpec network_with_table() {
  NetworkSpec spec = test_network();
  spec.input.embedding = {{4, 3}, 2, kThird};
  spec.layers[0].n_in = spec.n_in();
  return spec;
}

std::vector<float> ramp(const NetworkSpec& spec, float scale) {
  std::vector<float> values(static_cast<std::size_t>(spec.n_params()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = scale * static_cast<float>(i + 1) / 7.0F;
  }
  return values;
}

Model test_model() {
  Model model;
  model.spec = test_network();
  model.params = ramp(model.spec.parts[0].network, -1.0F);
  model.signal.width = 640;
  model.signal.height = 480;
  model.signal.pixel_type = "u16";
  model.signal.tags.color_space = "Linear";
  return model;
}

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

/// The file with one thing changed.
void rewrite(const std::string& path, const std::function<void(TensorFile&)>& change) {
  TensorFile file = read_safetensors(path);
  change(file);
  std::vector<TensorView> views;
  for (const TensorFile::Tensor& tensor : file.tensors) {
    views.push_back({tensor.name, tensor.shape, tensor.data});
  }
  write_safetensors(path, views, file.metadata);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void expect_json_refused(const std::string& from, const std::string& to, const std::string& part) {
  const std::string text = replaced(network_to_json(test_network()), from, to);
  expect_error(ErrorKind::Format, part, [&] { network_from_json(text, "m.safetensors"); });
}

TEST(NetworkJson, EveryFieldComesBackExactly) {
  const NetworkSpec spec = test_network();
  const NetworkSpec back = network_from_json(network_to_json(spec), "test");
  EXPECT_EQ(back, spec);
  EXPECT_TRUE(std::signbit(back.layers[0].grid.b[1]));
  EXPECT_EQ(back.layers[0].grid.a[0][0], kThird);
  EXPECT_EQ(network_to_json(back), network_to_json(spec));
}

TEST(NetworkJson, OutputThatChangesNothingIsLeftOut) {
  NetworkSpec spec = test_network();
  spec.output = {};
  const std::string text = network_to_json(spec);
  EXPECT_EQ(text.find("output"), std::string::npos) << text;
  EXPECT_EQ(network_from_json(text, "test"), spec);
}

TEST(NetworkJson, EveryKindAndDimensionComesBack) {
  for (int n_dims = 1; n_dims <= kMaxDims; ++n_dims) {
    for (const ActivationKind kind :
         {ActivationKind::Identity, ActivationKind::LeakyRelu, ActivationKind::Relu, ActivationKind::Sine,
          ActivationKind::Sigmoid, ActivationKind::Tanh, ActivationKind::Softplus}) {
      for (const InputKind input : {InputKind::Encoding, InputKind::Constant, InputKind::Features}) {
        NetworkSpec spec;
        spec.n_dims = n_dims;
        spec.input.kind = input;
        spec.input.n_features = 3;
        LayerSpec layer;
        layer.name = "levels.0";
        layer.n_in = spec.n_in();
        layer.n_out = 1;
        layer.tile.n[static_cast<std::size_t>(n_dims - 1)] = 2;
        layer.grid.a[static_cast<std::size_t>(n_dims - 1)][0] = 0.1;
        layer.activation.kind = kind;
        spec.layers.push_back(layer);
        EXPECT_EQ(network_from_json(network_to_json(spec), "test"), spec);
      }
    }
  }
}

TEST(NetworkJson, EmbeddingComesBackExactly) {
  for (int n_dims = 1; n_dims <= kMaxDims; ++n_dims) {
    NetworkSpec spec;
    spec.n_dims = n_dims;
    spec.input.embedding.n_channels = 5;
    spec.input.embedding.init_bound = kThird;
    for (int d = 0; d < n_dims; ++d) {
      spec.input.embedding.resolution[static_cast<std::size_t>(d)] = 7 - d;
    }
    LayerSpec layer;
    layer.name = "head";
    layer.n_in = spec.n_in();
    layer.n_out = 1;
    spec.layers.push_back(layer);
    EXPECT_EQ(network_from_json(network_to_json(spec), "test"), spec);
  }
  EXPECT_EQ(network_to_json(test_network()).find("embedding"), std::string::npos);
}

NetworkSpec network_with_grid() {
  NetworkSpec spec = test_network();
  spec.input.n_frequencies = 0;
  spec.input.include_coordinates = false;
  spec.input.embedding = {{}, 2, kThird, {{{4, 3}, 20}, {{10 * kThird, 7}, 16}}};
  spec.layers[0].n_in = spec.n_in();
  return spec;
}

TEST(NetworkJson, GridComesBackExactly) {
  const NetworkSpec spec = network_with_grid();
  EXPECT_EQ(network_from_json(network_to_json(spec), "test"), spec);
  const auto refused = [&](const std::string& from, const std::string& to, const std::string& part) {
    const std::string text = replaced(network_to_json(spec), from, to);
    expect_error(ErrorKind::Format, part, [&] { network_from_json(text, "m.safetensors"); });
  };
  refused("\"n_entries\":20", "\"n_entries\":21", "embedding.levels[0].n_entries");
  refused("\"n_entries\":20", "\"n_entries\":2.5", "embedding.levels[0].n_entries");
  refused("[4.0,3.0]", "[4.0]", "embedding.levels[0].cells: expected a list of 2");
  refused("[4.0,3.0]", "[4.0,1e9]", "embedding.levels[0].cells[1]");
  refused("\"levels\":[", "\"resolution\":[4,3],\"levels\":[", "embedding.resolution: expected none beside levels");
  refused("\"levels\":[", "\"levels\":[7,", "embedding.levels[0]");
}

TEST(NetworkJson, RefusesBadEmbeddingsByName) {
  const auto refused = [](const std::string& from, const std::string& to, const std::string& part) {
    const std::string text = replaced(network_to_json(network_with_table()), from, to);
    expect_error(ErrorKind::Format, part, [&] { network_from_json(text, "m.safetensors"); });
  };
  refused("[4,3]", "[4]", "input.embedding.resolution: expected a list of 2");
  refused("[4,3]", "[4,0]", "input.embedding.resolution: expected a whole number in 1..65536, got 0");
  refused("[4,3]", "[4,65537]", "got 65537");
  refused("[4,3]", "[65536,65536]", "a table of at most 2147483648 numbers");
  refused("[4,3]", "\"4x3\"", "input.embedding.resolution");
  refused("\"n_channels\":2", "\"n_channels\":0", "input.embedding.n_channels");
  refused("\"n_channels\":2", "\"n_channels\":3", "n_in");
  refused("\"n_channels\":2", "\"channels\":2", "input.embedding.channels: expected no such field");
  refused("\"init_bound\":0.3333333333333333", "\"init_bound\":-1", "init_bound");
  refused("\"init_bound\":0.3333333333333333", "\"init_bound\":null", "input.embedding.init_bound");
  refused("\"embedding\":{", "\"embedding\":[{", "syntax error");
  refused("\"encoding\"", "\"constant\"", "embedding");
}

TEST(NetworkJson, RefusesWhatIsNoDescription) {
  const auto refused = [](const std::string& text, const std::string& part) {
    expect_error(ErrorKind::Format, part, [&] { network_from_json(text, "m.safetensors"); });
  };
  refused("", "syntax error at byte 1");
  refused("{}x", "syntax error at byte 3");
  refused(std::string("{}\0x", 4), "a zero byte");
  refused("[]", "an object");
  refused("{}", "n_dims: expected a value, got none");
  refused(std::string(1'000'000, '['), "nested");
  refused(std::string(5 << 20, ' '), "bytes of JSON");
  refused("{\"n_dims\":1e999}", "a number out of range");
}

TEST(NetworkJson, RefusesBadFieldsByName) {
  expect_json_refused("\"n_dims\":2", "\"n_dims\":5", "n_dims: expected a whole number in 1..4, got 5");
  expect_json_refused("\"n_dims\":2", "\"n_dims\":2.5", "got 2.5");
  expect_json_refused("\"n_dims\":2", "\"n_dims\":-1", "got -1");
  expect_json_refused("\"n_dims\":2", "\"n_dims\":18446744073709551615", "got 18446744073709551615");
  expect_json_refused("\"n_dims\":2", "\"n_dims\":3", "layers[0].tile: expected a list of 3");
  expect_json_refused("\"n_frequencies\"", "\"n_frequences\"", "input.n_frequences: expected no such field");
  expect_json_refused("\"encoding\"", "\"encodin\\u001b\"", "input.kind");
  expect_json_refused("\"linear\"", "\"cubic\"", "layers[0].interpolation");
  expect_json_refused("\"linear\"", "7", "layers[0].interpolation: expected text");
  expect_json_refused("\"leaky_relu\"", "\"relu6\"", "layers[0].activation.kind");
  expect_json_refused("[2,3]", "[64,65]", "layers[0].tile: expected at most 4096 experts");
  expect_json_refused("[2,3]", "[0,3]", "layers[0].tile");
  expect_json_refused("\"n_out\":5", "\"n_out\":6", "n_in");
  expect_json_refused("\"n_out\":5", "\"n_out\":1000000000", "layers[0].n_out");
  expect_json_refused("\"include_coordinates\":false", "\"include_coordinates\":0", "true or false");
  expect_json_refused("\"slope\":0.01", "\"slope\":null", "layers[0].activation.slope: expected a finite number");
  expect_json_refused("\"slope\":0.01", "\"slope\":1.5", "slope");
  expect_json_refused("\"offset\":-2.0", "\"offset\":true", "output.offset: expected a finite number");
  expect_json_refused("\"scale\":0.33333", "\"scale\":0.0,\"x\":0.33333", "output.x");
  expect_json_refused("\"scale\":0.3333333333333333", "\"scale\":0", "output.scale");
  expect_json_refused("\"head\"", "\"levels.0\"", "levels.0");
  expect_json_refused("\"n_in\":12,", "", "layers[0].n_in: expected a value, got none");
}

TEST(NetworkJson, RefusesToWriteWhatItCouldNotRead) {
  NetworkSpec spec = test_network();
  spec.layers[1].activation.slope = std::nan("");
  expect_error(ErrorKind::Format, "slope", [&] { network_to_json(spec); });
  spec = test_network();
  spec.layers[1].name = "\xFF";
  expect_error(ErrorKind::InvalidArgument, "UTF-8", [&] { network_to_json(spec); });
  expect_error(ErrorKind::InvalidArgument, "layer", [] { network_to_json(NetworkSpec{}); });
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
