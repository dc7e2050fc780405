// The page of `loe paper`: its text, numbers and pictures.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "apps/run_loe.h"
#include "html.h"
#include "layout_picture.h"
#include "loe/backend/routing.h"
#include "loe/base/error.h"
#include "loe/fitting/pictures.h"
#include "loe/nn/network.h"
#include "page_pictures.h"
#include "paper_report.h"
#include "svg_chart.h"

namespace loe::app {
namespace {

namespace fs = test::fs;
using test::read_all;
using test::write_all;

const std::string kHostile = "</title><script>alert(\"1\")</script> & 'x' \x01\xFF";

/// "" if every tag is closed in order, every attribute quoted, every & an entity: XML's rules, which HTML accepts.
std::string well_formed_problem(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t i = html.find('>') + 1; i < html.size();) {  // after <!DOCTYPE html>
    if (html[i] == '&') {
      const std::size_t end = html.find(';', i);
      if (end == std::string::npos || end - i > 6) return "bare & at " + html.substr(i, 40);
    }
    if (html[i] != '<') {
      ++i;
      continue;
    }
    const std::size_t end = html.find('>', i);
    if (end == std::string::npos) return "unfinished tag";
    std::string tag = html.substr(i + 1, end - i - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /\n", 1));
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "quotes in <" + tag.substr(0, 80) + ">";
    if (tag.find('<') != std::string::npos) return "< in <" + tag.substr(0, 80) + ">";
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != name) return "unexpected <" + tag + ">";
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    i = end + 1;
  }
  return open.empty() ? "" : "unclosed <" + open.back() + ">";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t i = text.find(part); i != std::string::npos; i = text.find(part, i + 1)) ++n;
  return n;
}

/// Two levels of 2 x 2 experts at resolutions 2 and 512, or a plain network.
NetworkSpec small_network(int tile) {
  NetworkConfig config;
  config.input.n_frequencies = 4;
  config.widths = {40, 40};
  config.tiles = {Tile{{tile, tile, 1, 1}}, Tile{{tile, tile, 1, 1}}};
  config.layout.resolutions = {{2, 2, 2, 2}, {512, 512, 512, 512}};
  return build_network(config);
}

class PaperPage : public test::LoeTest {
 protected:
  /// A run whose folder holds a reconstruction and an error map of one error everywhere.
  PaperRun make_run(const std::string& name, uint64_t seed, double psnr_db, double error) {
    fs::create_directories(folder_ / name);
    make_picture(name + "/reconstruction.png", 40, 30);
    ErrorMapWriter writer(path(name + "/error.png"), 40, 30, 1, true);
    const std::vector<float> target(40 * 30, 0.25F);
    const std::vector<float> predicted(40 * 30, 0.25F + static_cast<float>(error));
    writer.write_rows(30, predicted.data(), target.data());
    writer.close();
    PaperRun run;
    run.seed = seed;
    run.headline = psnr_db;
    run.ssim = 0.5;
    run.seconds = 75;
    run.seconds_per_step = 0.02;
    run.seams = {0.3, 0.2, 0.05, 0.04, std::vector<double>(16, 0.1), 1.25};
    run.curve = {{100, psnr_db - 5}, {200, psnr_db - 1}, {400, psnr_db}};
    run.folder = path(name);
    return run;
  }

  /// A plain row with one run, a row with three, and one that has not run.
  PaperReport make_report() {
    PaperReport report;
    report.title = "Table 5";
    report.scale = "toy-128";
    report.max_steps = 400;
    report.width = 40;
    report.height = 30;
    report.notes = {"A note."};
    PaperRow plain{"pe_mlp", "PE MLP", "one expert", small_network(1), {31.38, {}}, {}, "", "", {}};
    plain.runs = {make_run("plain", 0, 30, 0.02)};
    PaperRow quad{"quad_tree", "Quad Tree", "", small_network(2), {40.55, 0.17}, {}, "9.37M", "0.57M", {}};
    quad.runs = {make_run("a", 0, 39, 0.01), make_run("b", 1, 40, 0.01), make_run("c", 2, 42, 0.01)};
    for (PaperRun& run : quad.runs) run.seconds_per_step = 0.025;
    PaperRow missing{"gray_code", "Gray Code", "", small_network(2), {40.55, {}}, {}, "", "", {}};
    report.rows = {plain, quad, missing};
    return report;
  }

  /// The same rows for a clip of 8 frames: three of them, one below the other, in each run's folder.
  PaperReport make_video_report() {
    PaperReport report = make_report();
    report.table = 2;
    report.task = "video";
    report.n_parts = 8;
    report.height = 10;
    report.source_picture = path(make_picture("source.png", 40, 30));
    report.comparison = "comparison.mp4";
    report.comparison_columns = {"source", "PE MLP", "Quad Tree"};
    for (PaperRow& row : report.rows) {
      for (PaperRun& run : row.runs) {
        fs::rename(run.folder + "/reconstruction.png", run.folder + "/frames.png");
        fs::rename(run.folder + "/error.png", run.folder + "/frames_error.png");
        run.psnr_frame_db = run.headline + 0.5;
        run.part_psnr_db.assign(8, run.headline);
        run.part_psnr_db[0] = run.headline - 3;
      }
    }
    return report;
  }

  /// The same rows for a scene of which three views are measured.
  PaperReport make_scene_report() {
    PaperReport report = make_video_report();
    report.table = 3;
    report.task = "scene";
    report.n_parts = 3;
    report.part_names = {"a.png", "<b>.png", "c.png"};
    report.comparison.clear();
    for (PaperRow& row : report.rows) {
      for (PaperRun& run : row.runs) {
        fs::rename(run.folder + "/frames.png", run.folder + "/views.png");
        fs::rename(run.folder + "/frames_error.png", run.folder + "/views_error.png");
        make_picture(fs::relative(run.folder, folder_).string() + "/views_empty.png", 40, 30);
        run.part_psnr_db = {run.headline, run.headline - 3, run.headline + 3};
        run.empty_opacity = 0.01 * static_cast<double>(run.seed + 1);
        run.empty_opacity_largest = 0.5;
      }
    }
    return report;
  }

  std::string write(const PaperReport& report) {
    write_paper_page(report, path("page.html"));
    return read_all(path("page.html"));
  }
};

TEST(Html, Base64OfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::string("\xFF\xFE\x00\xFB", 4)), "//4A+w==");
}

TEST(Html, EscapesMarkupAndBadBytes) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(escape_html("a<b & \"c\" > 'd'"), "a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(escape_html("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(escape_html(std::string("a\0b\x1B\tc", 6)), "a" + bad + "b" + bad + "\tc");
  EXPECT_EQ(escape_html("\xC0\xBC"), bad + bad);                   // "<" in an overlong form
  EXPECT_EQ(escape_html("\xED\xA0\x80"), bad + bad + bad);         // a surrogate
  EXPECT_EQ(escape_html("x\xE2\x82"), "x" + bad + bad);            // cut off
  EXPECT_EQ(escape_html("\xE2<script>"), bad + "&lt;script&gt;");  // a lead byte must not swallow the markup
}

TEST(SvgChart, TicksAreRoundAndCover) {
  EXPECT_EQ(round_ticks(0, 10000, 6), (std::vector<double>{0, 2000, 4000, 6000, 8000, 10000}));
  EXPECT_EQ(round_ticks(21.3, 39.7, 5), (std::vector<double>{20, 25, 30, 35, 40}));
  const std::vector<double> same = round_ticks(7, 7, 5);
  EXPECT_LT(same.front(), 7);
  EXPECT_GT(same.back(), 7);
}

TEST(SvgChart, DrawsFinitePointsOnly) {
  const double nan = std::nan("");
  LineChart chart{kHostile, "x", "y", 100, {{kHostile, "#123456", "", {{0, 1}, {50, nan}, {100, 3}}, {}}}};
  const std::string svg = svg_line_chart(chart);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(well_formed_problem("<!>" + svg), "");
  // One curve of two points: the axes' paths have another colour, the label's line has no join.
  EXPECT_EQ(count(svg, "stroke=\"#123456\" stroke-width=\"2.2\""), 1U);
  chart.lines[0].points = {{0, nan}};
  EXPECT_EQ(svg_line_chart(chart), "");
}

TEST(SvgChart, ALogarithmicAxisHasEqualRatiosAtEqualDistances) {
  LineChart chart{"t", "x", "y", 0, {{"a", "#123456", "", {{0, 9}, {1, 1}, {10, 2}, {100, 3}}, {}}}};
  chart.is_log_x = true;
  chart.settling = 0;
  const std::string svg = svg_line_chart(chart);
  const std::size_t at = svg.find(" stroke=\"#123456\" stroke-width");
  ASSERT_NE(at, std::string::npos);
  const std::size_t from = svg.rfind("d=\"M", at) + 4;
  std::istringstream path(svg.substr(from, at - from));
  std::vector<double> x;
  for (double value = 0, y = 0; path >> value >> y; path.ignore()) x.push_back(value);
  ASSERT_EQ(x.size(), 3U) << "0 has no place on this axis";
  EXPECT_NEAR(x[1] - x[0], x[2] - x[1], 0.11);
  EXPECT_GT(x[1] - x[0], 100);
}

TEST(SvgChart, OnePointIsADotAndAFileStandsAlone) {
  const LineChart chart{"t", "x", "y", 10, {{"a", "#123456", "", {{5, 1}}, {}}}};
  const std::string svg = svg_line_chart(chart);
  EXPECT_EQ(count(svg, "<circle"), 1U);
  const std::string file = svg_line_chart_file(chart);
  EXPECT_EQ(file.rfind("<svg class=\"chart\"", 0), 0U);
  EXPECT_NE(file.find(" xmlns=\"http://www.w3.org/2000/svg\""), std::string::npos);
  EXPECT_EQ(well_formed_problem("<!>" + file), "");
  EXPECT_EQ(svg_line_chart_file({"t", "x", "y", 10, {}}), "");
}

TEST(LayoutPicture, FollowsRouting) {
  const NetworkSpec network = small_network(2);
  for (int level = 0; level < 2; ++level) {
    const LayerSpec& layer = network.layers[static_cast<std::size_t>(level)];
    const LayoutPicture picture = draw_layout(layer, 2);
    ASSERT_EQ(picture.zoom, level == 0 ? 1 : 32);
    std::array<int, 4> n_pixels{};
    for (int y = 0; y < kLayoutSide; ++y) {
      for (int x = 0; x < kLayoutSide; ++x) {
        const float side = static_cast<float>(kLayoutSide * picture.zoom);
        const float p[2] = {(static_cast<float>(x) + 0.5F) / side, (static_cast<float>(y) + 0.5F) / side};
        int expert = -1;
        route(layer, 2, p, {&expert, 1});
        ++n_pixels[static_cast<std::size_t>(expert)];
        for (std::size_t c = 0; c < 3; ++c) {
          const int value = static_cast<int>(picture.image.row(y)[static_cast<std::size_t>(x) * 3 + c]);
          ASSERT_EQ(value, expert_color(expert, 4)[c]) << level << ": " << x << ", " << y;
        }
      }
    }
    for (const int n : n_pixels) EXPECT_EQ(n, kLayoutSide * kLayoutSide / 4);
  }
}

TEST(LayoutPicture, LinearLevelsBlendColours) {
  LayerSpec layer = small_network(2).layers[0];
  layer.interpolation = Interpolation::Linear;
  layer.node_offset = 0.5;
  const LayoutPicture picture = draw_layout(layer, 2);
  // Pixel 23 is half a pixel left of the centre of cell 0, 47 half a pixel left of the border to cell 1.
  const auto red = [&](int x) { return static_cast<int>(picture.image.row(23)[static_cast<std::size_t>(x) * 3]); };
  const double a = expert_color(0, 4)[0];
  const double b = expert_color(1, 4)[0];
  EXPECT_NEAR(red(23), a, 6);
  EXPECT_NEAR(red(47), (a + b) / 2, 6);
}

TEST(LayoutPicture, ColoursDiffer) {
  for (const int n : {4, 16}) {
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < i; ++j) {
        int distance = 0;
        for (std::size_t c = 0; c < 3; ++c) distance += std::abs(expert_color(i, n)[c] - expert_color(j, n)[c]);
        EXPECT_GT(distance, 40) << i << " and " << j << " of " << n;
      }
    }
  }
}

TEST(PagePictures, ErrorsAreReadBackFromColours) {
  for (int i = 0; i <= 1000; ++i) {
    const double t = i / 1000.0;
    std::array<float, 3> color = error_color(t);
    for (float& value : color) value = std::round(value * 255) / 255;
    EXPECT_NEAR(error_of_color(color.data()), t * kErrorMapScale, 0.01 * kErrorMapScale) << t;
  }
}

TEST(PagePictures, BoxesAverage) {
  Image image(5, 2, 1, PixelType::U8);
  const float rows[2][5] = {{0.0F, 0.2F, 0.4F, 0.6F, 1.0F}, {0.4F, 0.2F, 0.4F, 0.6F, 0.2F}};
  for (int y = 0; y < 2; ++y) image.write_row(0, y, 5, rows[y]);
  const Image small = shrink_picture(image, 2);  // boxes of 2 and 3 columns, one row
  ASSERT_EQ(small.width(), 2);
  ASSERT_EQ(small.height(), 1);
  EXPECT_EQ(static_cast<int>(small.row(0)[0]), 51);   // 0.2
  EXPECT_EQ(static_cast<int>(small.row(0)[1]), 136);  // 3.2 / 6
  EXPECT_EQ(shrink_picture(image, 5).width(), 5);
}

TEST(PagePictures, LinearLightBecomesSrgb) {
  Image image(2, 1, 2, PixelType::F32);
  const float values[4] = {0.5F, 0.5F, std::numeric_limits<float>::quiet_NaN(), 1};
  image.write_row(0, 0, 2, values);
  const Image small = shrink_picture(image, 2);
  EXPECT_EQ(static_cast<int>(small.row(0)[0]), 188);
  EXPECT_EQ(static_cast<int>(small.row(0)[1]), 128);  // alpha is no light
  EXPECT_EQ(static_cast<int>(small.row(0)[2]), 0);
}

TEST(PagePictures, DetailIsTheMiddle) {
  Image map(400, 300, 3, PixelType::U8);
  const std::array<float, 3> bright = error_color(1);
  map.write_row(200, 150, 1, bright.data());
  const ErrorValues detail = detail_errors(map);
  ASSERT_EQ(detail.width, kDetailSide);
  for (int i = 0; i < kDetailSide * kDetailSide; ++i) {
    const bool is_middle = i == kDetailSide / 2 * kDetailSide + kDetailSide / 2;
    EXPECT_NEAR(detail.values[static_cast<std::size_t>(i)], is_middle ? kErrorMapScale : 0, 1e-3) << i;
  }
  EXPECT_EQ(detail_errors(Image(128, 100, 3, PixelType::U8)).width, 50);
  EXPECT_EQ(detail_errors(Image(1, 1, 3, PixelType::U8)).width, 1);
  EXPECT_THROW(detail_errors(Image(8, 8, 1, PixelType::U8)), Error);
  EXPECT_THROW(shrink_errors(Image(8, 8, 4, PixelType::U8), 4), Error);
}

TEST(PagePictures, ScaleFitsNineOfTen) {
  const ErrorValues low{10, 1, std::vector<float>(10, 0.011F)};
  const ErrorValues high{1, 1, {0.09F}};
  EXPECT_EQ(common_scale({&low}), 0.02);
  EXPECT_EQ(common_scale({&low, &high}), 0.02);
  EXPECT_EQ(common_scale({&high}), 0.1);
  EXPECT_EQ(common_scale({}), 0.1);
}

TEST_F(PaperPage, IsSelfContainedAndWellFormed) {
  const std::string html = write(make_report());
  EXPECT_EQ(well_formed_problem(html), "");
  for (const char* part : {"://", "<script", "<link", "@import", "url("}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
  // Every picture is inside: 2 rows of reconstruction, error map and detail, 2 rows of 2 levels.
  EXPECT_EQ(count(html, "<img"), 10U);
  EXPECT_EQ(count(html, " src=\""), count(html, " src=\"data:image/png;base64,"));
  EXPECT_EQ(html.find("Left out"), std::string::npos);
  EXPECT_EQ(count(html, "<svg"), 1U);
  EXPECT_TRUE(temporary_files().empty());
}

TEST_F(PaperPage, ShowsNumbersBesideThePapers) {
  const std::string html = write(make_report());
  // Mean and sample deviation of 39, 40, 42; the paper's 40.55 and 0.17; ours minus paper.
  EXPECT_NE(html.find("40.33<small>&#177; 1.53, 3 seeds</small>"), std::string::npos);
  EXPECT_NE(html.find("40.55<small>&#177; 0.17</small>"), std::string::npos);
  EXPECT_NE(html.find("<td>&#8722;0.22</td>"), std::string::npos);
  EXPECT_NE(html.find("30.00<small>1 seed</small>"), std::string::npos);
  EXPECT_NE(html.find("<td>&#8722;1.38</td>"), std::string::npos);
  // 18 inputs, two levels of 40, three outputs: (18 + 40) 40 n + 80 + 123.
  EXPECT_NE(html.find("<td>9,483<small>paper 9.37M</small></td>"), std::string::npos);
  EXPECT_NE(html.find("<td>2,440<small>paper 0.57M</small></td>"), std::string::npos);
  EXPECT_NE(html.find("<td>75.0 s</td><td>25 ms</td><td>1.25 &#215;</td>"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"best\">40.33"), std::string::npos);
  EXPECT_NE(html.find("1.500"), std::string::npos);  // 0.3 / 0.2
  EXPECT_NE(html.find("1.250"), std::string::npos);  // 0.05 / 0.04
  EXPECT_NE(html.find("4 &#215; 4 equal chunks"), std::string::npos);
  EXPECT_NE(html.find("One expert"), std::string::npos);
  EXPECT_NE(html.find("level 2, &#215;32"), std::string::npos);
}

TEST_F(PaperPage, VideosHaveFramesInsteadOfSeams) {
  const std::string html = write(make_video_report());
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_NE(html.find("40 &#215; 10 pixels, 8 frames"), std::string::npos);
  EXPECT_NE(html.find("frame mean</th>"), std::string::npos);
  EXPECT_NE(html.find("<td>40.83<small>&#177; 1.53</small></td>"), std::string::npos);
  EXPECT_EQ(html.find("<h2>Seams</h2>"), std::string::npos);
  // Source, two rows of frames and error maps, two rows of two levels; curves of training and of frames.
  EXPECT_EQ(count(html, "<img"), 9U);
  EXPECT_EQ(count(html, "<svg"), 2U);
  EXPECT_NE(html.find("frame 1, 4, 6 (the first is 0)"), std::string::npos);
  EXPECT_NE(html.find("<code>comparison.mp4</code>"), std::string::npos);
  EXPECT_NE(html.find("source, PE MLP, Quad Tree."), std::string::npos);
  EXPECT_NE(html.find("slice at the middle of the clip"), std::string::npos);
  EXPECT_EQ(html.find("Left out"), std::string::npos);
  // The first frame is the worst, 27 dB of the plain row, and on the chart.
  EXPECT_NE(html.substr(html.find("Frame by frame")).find(">25</text>"), std::string::npos);
}

TEST_F(PaperPage, ScenesHaveViewsAndEmptySpace) {
  PaperReport report = make_scene_report();
  std::string html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_NE(html.find("40 &#215; 10 pixels, 3 held-out views"), std::string::npos);
  EXPECT_NE(html.find("<th class=\"group\" colspan=\"2\">empty space</th>"), std::string::npos);
  EXPECT_NE(html.find("<td>0.020<small>&#177; 0.010</small></td><td>0.500<small>&#177; 0.000</small></td>"),
            std::string::npos);
  EXPECT_NE(html.find("MACs per sample"), std::string::npos);
  EXPECT_EQ(html.find("<h2>Seams</h2>"), std::string::npos);
  // Source, two rows of views, error maps and empty space, two rows of two levels; curves of training and of views.
  EXPECT_EQ(count(html, "<img"), 11U);
  EXPECT_EQ(count(html, "<svg"), 2U);
  EXPECT_NE(html.find("view a.png, &lt;b&gt;.png, c.png, then"), std::string::npos);
  EXPECT_NE(html.find("known to be empty, without"), std::string::npos);
  EXPECT_EQ(html.find("Left out"), std::string::npos);
  // Where nobody knows what is empty there is neither column nor picture, and nothing is missed.
  for (PaperRow& row : report.rows) {
    for (PaperRun& run : row.runs) {
      fs::remove(run.folder + "/views_empty.png");
      run.empty_opacity = run.empty_opacity_largest = kNotMeasured;
    }
  }
  html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_EQ(html.find("empty space</th>"), std::string::npos);
  EXPECT_EQ(html.find("without the rest"), std::string::npos);
  EXPECT_EQ(count(html, "<img"), 9U);
  EXPECT_EQ(html.find("Left out"), std::string::npos);
}

TEST_F(PaperPage, FramesThatCannotBeReadAreSaidSo) {
  PaperReport report = make_video_report();
  fs::remove(report.source_picture);
  write_all(path("plain/frames.png"), "no picture");
  report.comparison.clear();
  for (PaperRun& run : report.rows[0].runs) run.part_psnr_db = {std::nan(""), std::nan("")};
  const std::string html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_NE(html.find("left out: "), std::string::npos);
  EXPECT_EQ(count(html, "Left out, PE MLP"), 1U);
  EXPECT_EQ(html.find("comparison.mp4"), std::string::npos);
  for (PaperRow& row : report.rows) row.runs.clear();
  EXPECT_EQ(well_formed_problem(write(report)), "");
}

TEST_F(PaperPage, RowsThatHaveNotRunAreSaidSo) {
  PaperReport report = make_report();
  EXPECT_EQ(count(write(report), "not run yet"), 1U);
  EXPECT_EQ(count(write(report), "Not run yet: Gray Code."), 2U);  // below curves and error maps
  for (PaperRow& row : report.rows) row.runs.clear();
  const std::string html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_EQ(count(html, "not run yet"), 3U);
  EXPECT_EQ(html.find("<svg"), std::string::npos);
  report.rows.clear();
  EXPECT_EQ(well_formed_problem(write(report)), "");
}

TEST_F(PaperPage, PicturesThatCannotBeReadAreSaidSo) {
  PaperReport report = make_report();
  fs::remove(path("plain/reconstruction.png"));
  write_all(path("plain/error.png"), "no picture");
  fs::remove_all(path("a"));  // another seed of this row has pictures
  std::string html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_EQ(count(html, "Left out, PE MLP"), 2U);
  EXPECT_EQ(count(html, "Left out"), 2U);
  EXPECT_NE(html.find("no error map"), std::string::npos);
  EXPECT_NE(html.find("40.00 dB, seed 1"), std::string::npos);
  for (PaperRow& row : report.rows) {
    for (PaperRun& run : row.runs) run.folder.clear();
  }
  html = write(report);
  EXPECT_EQ(count(html, "no run folder is known"), 2U);
}

TEST_F(PaperPage, HostileTextStaysText) {
  PaperReport report = make_report();
  report.title = report.scale = report.picture = report.machine = report.command = kHostile;
  report.notes = {kHostile};
  for (PaperRow& row : report.rows) {
    row.key = row.title = row.about = row.paper_params = row.paper_macs = kHostile;
    for (PaperRun& run : row.runs) run.folder = path("missing" + kHostile);
  }
  const std::string html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find('\x01'), std::string::npos);
  EXPECT_EQ(html.find('\xFF'), std::string::npos);
}

TEST_F(PaperPage, NumbersThatAreNoneAreDashes) {
  PaperReport report = make_report();
  PaperRun& run = report.rows[0].runs[0];
  run.headline = std::nan("");
  run.ssim = std::numeric_limits<double>::infinity();
  run.seconds = run.seconds_per_step = std::nan("");
  run.seams = {};
  run.curve.clear();
  report.rows[0].paper_headline.value = std::nan("");
  const std::string html = write(report);
  EXPECT_EQ(well_formed_problem(html), "");
  EXPECT_EQ(html.find(">nan"), std::string::npos);
  EXPECT_EQ(html.find(">inf"), std::string::npos);
}

TEST_F(PaperPage, WritesWholeOrNot) {
  EXPECT_THROW(write_paper_page(make_report(), path("nowhere/page.html")), Error);
  EXPECT_TRUE(temporary_files().empty());
}

}  // namespace
}  // namespace loe::app
