#include "paper_rows.h"

#include <fmt/format.h>

#include "loe/base/error.h"
#include "loe/io/config_file.h"

namespace loe::app {
namespace {

PaperTable table_1() {
  PaperTable table;
  table.number = 1;
  table.title = "Table 1: a picture of Pluto";
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

PaperTable table_5() {
  PaperTable table;
  table.number = 5;
  table.title = "Table 5: layouts on a grey picture";
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
  static const PaperTable five = table_5();
  if (number != 1 && number != 5) {
    throw Error(ErrorKind::InvalidArgument, fmt::format("[flags] --table: expected 1 or 5, got {}", number));
  }
  return number == 1 ? one : five;
}

Settings row_settings(int table, const std::string& scale, const std::string& key) {
  Settings settings;
  for (const std::string& name : {scale, key}) {
    const std::string path = fmt::format("paper/table{}/{}.toml", table, name);
    settings.merge(parse_config(embedded_configs().at(path), path));
  }
  return settings;
}

}  // namespace loe::app
