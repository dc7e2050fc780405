// The sections of the page of `loe paper`, each as a piece of HTML: see write_paper_page.
#pragma once

#include <string>

#include "paper_report.h"
#include "paper_results.h"

namespace loe::app {

/// Colour of a row in the curves and beside its title; dashes of its curve (empty: solid). The plain MLP is grey.
struct RowStyle {
  std::string color;
  std::string dashes;
};
RowStyle row_style(const PaperReport& report, std::size_t row);

/// <th> of a row: swatch, title, and what is special about it.
std::string row_heading(const PaperReport& report, std::size_t row, bool with_about);

std::string results_section(const PaperReport& report);
std::string seams_section(const PaperReport& report);
std::string curves_section(const PaperReport& report);
/// Videos, scenes: PSNR part by part. "" for pictures, which have none.
std::string parts_section(const PaperReport& report);
/// Reconstructions and error maps, of signals in parts beside those of the source; and where the comparison is.
std::string pictures_section(const PaperReport& report);
std::string layouts_section(const PaperReport& report);

}  // namespace loe::app
