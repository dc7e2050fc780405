#include "paper_rows.h"

#include <fmt/format.h>

#include "loe/base/error.h"
#include "loe/io/config_file.h"
#include "loe/nn/network.h"
#include "loe/task/fit_config.h"

namespace loe::app {
namespace {

PaperTable table_1() {
  PaperTable table;
  table.number = 1;
  table.title = "Table 1: a picture of Pluto";
  table.data_hint = "any picture of Pluto with 4408x4344 pixels or the paper's own will do";
  table.small_scale = "pluto-1024";
  table.scales = {"full", "pluto-2048", "pluto-1024", "tiny"};
  table.notes = {
      "The paper's numbers are for 8192 x 8192 pixels in colour; smaller scales keep the parameters per pixel, make a "
      "tenth of the visits per pixel at a faster learning rate (0.01 and 0.005 instead of 0.001), and stop the grids "
      "at the pixel.",
      "The paper prints 0.57M MACs (2.28M bilinear); the layers it describes have 585,472 (2,339,584)."};
  table.rows = {
      {"pe_mlp", "PE MLP", "no experts", {32.34, 0.02}, PrintedNumber{0.869, 6e-4}, "0.59M", "0.57M"},
      {"pe_ce",
       "PE + CE",
       "a learned coordinate embedding beside the encoding",
       {39.65, 0.21},
       PrintedNumber{0.967, 1e-3},
       "9.37M",
       "0.65M"},
      {"interleaved",
       "Interleaved",
       "periodic at one scale: 16 networks in turn from pixel to pixel",
       {33.80, 0.01},
       PrintedNumber{0.876, 7e-5},
       "9.37M",
       "0.57M"},
      {"chunked",
       "Chunked",
       "16 networks on 16 blocks of the picture",
       {43.13, 0.01},
       PrintedNumber{0.980, 7e-5},
       "9.37M",
       "0.57M"},
      {"random_affine",
       "Random Affine",
       "grids drawn at random",
       {42.08, 0.78},
       PrintedNumber{0.973, 5e-3},
       "9.37M",
       "0.57M"},
      {"constant_input",
       "Constant Input",
       "no encoding: the position enters through the experts alone",
       {39.48, 0.06},
       PrintedNumber{0.955, 4e-4},
       "8.92M",
       "0.56M"},
      {"ours_bilinear",
       "Ours Bilinear",
       "blends four experts a layer",
       {44.85, 0.02},
       PrintedNumber{0.985, 1e-4},
       "9.37M",
       "2.28M"},
      {"ours", "Ours", "coarse to fine, nearest expert", {44.24, 0.17}, PrintedNumber{0.983, 4e-4}, "9.37M", "0.57M"}};
  return table;
}

PaperTable table_2() {
  PaperTable table;
  table.number = 2;
  table.task = "video";
  table.title = "Table 2: a video";
  table.data_hint = "any clip will do, the configs of the small scales say which part of it they take";
  table.small_scale = "video-128";
  table.scales = {"full", "video-128", "tiny"};
  table.notes = {
      "The paper's numbers are for its own clip of 512 x 512 pixels and 300 frames; smaller scales keep the parameters "
      "per pixel about as they are, make a quarter of the visits per pixel or fewer at faster learning rates, and stop "
      "the grids at the pixel.",
      "The paper does not say whether its PSNR is over all frames or a mean over frames; differences are to the "
      "former. "
      "It calls PE MLP \"PE\"."};
  table.rows = {
      {"pe_mlp", "PE MLP", "no experts", {27.33, 0.01}, {}, "279K", "0.28M"},
      {"pe_ce", "PE + CE", "a learned coordinate embedding beside the encoding", {35.83, 0.20}, {}, "17.1M", "0.29M"},
      {"siren", "SIREN", "sines instead of rectifiers, no encoding", {29.13, 0.004}, {}, "265K", "0.26M"},
      {"siren_l", "SIREN-L", "SIREN with wider layers", {37.71, 0.01}, {}, "4.21M", "4.20M"},
      {"ours", "Ours", "coarse to fine, nearest expert", {39.98, 0.12}, {}, "16.9M", "0.28M"}};
  return table;
}

PaperTable table_3() {
  PaperTable table;
  table.number = 3;
  table.task = "scene";
  table.title = "Table 3: a radiance field";
  table.data_hint =
      "NSVF's folder of the scene Family is the paper's; --scale nerf-mini and tiny make a scene of their own";
  table.small_scale = "nerf-mini";
  table.scales = {"full", "nerf-mini", "lego-mini", "tiny"};
  table.analytic = {{"nerf-mini", {32, 8, 128}}, {"tiny", {12, 3, 24}}};
  table.notes = {
      "The paper's numbers are for the scene Family of Tanks and Temples: 133 views to fit and 19 to measure, 1920 x "
      "1080 pixels, 500,000 steps of 16,384 rays; smaller scales have narrower networks, other scenes, fewer and "
      "smaller views, and a faster learning rate.",
      "The paper's figure of the network is lost; the one here has the printed numbers of parameters and MACs."};
  table.rows = {
      {"pe_mlp", "PE MLP", "no experts", {30.50, 0.09}, PrintedNumber{0.900, 1e-3}, "317K", "315K"},
      {"no_hierarchy",
       "No Hierarchy",
       "the same grid on all five levels",
       {27.73, 0.66},
       PrintedNumber{0.861, 0.012},
       "17.8M",
       "315K"},
      {"ours", "Ours", "coarse to fine, nearest expert", {31.46, 0.04}, PrintedNumber{0.936, 1e-3}, "17.8M", "315K"}};
  return table;
}

PaperTable table_4() {
  PaperTable table;
  table.number = 4;
  table.task = "gan";
  table.title = "Table 4: a generator of faces";
  table.data_hint = "the paper's are FFHQ's; any folder of pictures of faces that are cut and aligned alike will do";
  table.small_scale = "faces-64";
  table.scales = {"full", "faces-64", "tiny"};
  table.notes = {
      "The paper's numbers are FIDs of 50,000 pictures of 256 x 256 pixels after a million steps of 32 pictures; "
      "smaller scales have smaller pictures, narrower networks and far fewer steps.",
      "The paper's figure of the generator is lost. The one here has the printed numbers of MACs, and of parameters of "
      "Ours; with the embedding it has 18,175,747 where the paper prints 19.9M, which no reading of its text gives "
      "together with its MACs."};
  table.rows = {
      {"pe_ce", "PE + CE", "a learned coordinate embedding beside the encoding", {23.5, 0.7}, {}, "19.9M", "1.39M"},
      {"ours", "Ours", "experts in the first layer of each block, coarse to fine", {18.3, 1.6}, {}, "19.6M", "1.26M"}};
  return table;
}

PaperTable table_5() {
  PaperTable table;
  table.number = 5;
  table.title = "Table 5: layouts on a grey picture";
  table.data_hint = "tools/fetch_picture says where it is";
  table.small_scale = "toy-128";
  table.scales = {"full", "toy-256", "toy-128", "tiny"};
  table.notes = {
      "The paper's numbers are for 512 x 512 pixels, one run each, without a deviation; smaller scales keep the "
      "parameters per pixel."};
  table.rows = {{"pe_mlp", "PE MLP", "no experts", {31.38, {}}, {}, "", ""},
                {"quad_tree", "Quad Tree", "coarse to fine", {40.55, {}}, {}, "", ""},
                {"gray_code", "Gray Code", "each level sees one digit of the Gray code", {40.55, {}}, {}, "", ""},
                {"fine_to_coarse", "Permute: Fine to Coarse", "the finest grid first", {42.40, {}}, {}, "", ""},
                {"random_permute", "Permute: Random", "the grids in a fixed random order", {37.89, {}}, {}, "", ""},
                {"random_affine", "Random Affine", "grids drawn at random", {38.36, {}}, {}, "", ""}};
  return table;
}

}  // namespace

const PaperTable& paper_table(int number) {
  static const PaperTable one = table_1();
  static const PaperTable two = table_2();
  static const PaperTable three = table_3();
  static const PaperTable four = table_4();
  static const PaperTable five = table_5();
  for (const PaperTable* table : {&one, &two, &three, &four, &five}) {
    if (table->number == number) return *table;
  }
  throw Error(ErrorKind::InvalidArgument, fmt::format("[flags] --table: expected 1 to 5, got {}", number));
}

Settings row_settings(int table, const std::string& scale, const std::string& key) {
  Settings settings;
  const auto merge = [&](const std::string& path) { settings.merge(parse_config(embedded_configs().at(path), path)); };
  merge(fmt::format("paper/table{}/{}.toml", table, scale));
  merge(fmt::format("paper/table{}/{}.toml", table, key));
  const std::string both = fmt::format("paper/table{}/{}/{}.toml", table, scale, key);
  if (embedded_configs().contains(both)) merge(both);
  return settings;
}

NetworkSpec row_network(int table, const std::string& scale, const std::string& key, int n_channels) {
  const SignalKind kind = signal_kind_from_string(paper_table(table).task);
  return build_model(fit_config_from_settings(row_settings(table, scale, key), kind, n_channels)).main();
}

}  // namespace loe::app
