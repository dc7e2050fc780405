// Text and pictures inside an HTML page.
#pragma once

#include <string>
#include <string_view>

#include "loe/signal/image.h"

namespace loe::app {

/// `text` (UTF-8, maybe hostile) as content or quoted attribute of HTML and XML: & < > " ' as entities; bytes that are
/// no UTF-8, and characters that XML forbids (controls but tab and line ends), become U+FFFD.
std::string escape_html(std::string_view text);

/// RFC 4648, with padding, on one line.
std::string base64(std::string_view bytes);

/// "data:image/png;base64,...". Error(Unsupported) for half and float pictures.
std::string png_data_uri(const Image& image);

}  // namespace loe::app
