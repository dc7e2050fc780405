// Descriptions of networks as JSON, as model.safetensors holds them.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "io/model_parse.h"
#include "io/model_test_helpers.h"

namespace loe {
namespace {

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

}  // namespace
}  // namespace loe
