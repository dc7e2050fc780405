// The look of the pages that the programs write.
#pragma once

namespace loe::app {

/// The style sheet, for a <style> element.
const char* page_style();

}  // namespace loe::app
