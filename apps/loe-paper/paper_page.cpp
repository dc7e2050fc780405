// The page of `loe paper`: put together from its sections.
#include <fmt/format.h>

#include <cctype>

#include "html.h"
#include "loe/io/file.h"
#include "page_style.h"
#include "paper_kind.h"
#include "paper_report.h"
#include "paper_sections.h"
#include "progress.h"

namespace loe::app {
namespace {

std::string term(const char* name, const std::string& html) {
  return html.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html);
}

std::string header(const PaperReport& report) {
  std::string html = fmt::format("<header>\n<h1>{}</h1>\n<dl>\n", escape_html(report.title));
  const std::string size =
      report.width > 0 && report.height > 0
          ? fmt::format(", {} &#215; {} pixels", format_integer(report.width), format_integer(report.height))
          : "";
  const PaperKind& kind = paper_kind(report.task);
  const std::string parts = kind.parts() != nullptr && report.width > 0
                                ? fmt::format(", {} {}", format_integer(report.n_parts), kind.parts()->many)
                                : "";
  html += term(
      "Reproduces",
      fmt::format("Table {} of <cite>Implicit Neural Representations with Levels-of-Experts</cite>", report.table));
  html += term("Scale", escape_html(report.scale));
  std::string noun = kind.noun();
  noun[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(noun[0])));
  html += term(noun.c_str(), escape_html(report.picture) + size + parts);
  html += term("Steps", format_integer(report.max_steps) + " per run");
  html += term("Machine", escape_html(report.machine));
  if (!report.command.empty()) html += term("Command", "<code>" + escape_html(report.command) + "</code>");
  html += "</dl>\n";
  if (!report.notes.empty()) {
    html += "<ul class=\"notes\">\n";
    for (const std::string& note : report.notes) html += "<li>" + escape_html(note) + "</li>\n";
    html += "</ul>\n";
  }
  return html + "</header>\n";
}

}  // namespace

void write_paper_page(const PaperReport& report, const std::string& path) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n",
      escape_html(report.title), page_style());
  html += header(report);
  html += "<main>\n";
  html += results_section(report);
  html += curves_section(report);
  html += parts_section(report);
  html += pictures_section(report);
  html += paper_kind(report.task).own_section(report);
  html += layouts_section(report);
  html += "</main>\n</body>\n</html>\n";
  write_text_file(path, html);
}

}  // namespace loe::app
