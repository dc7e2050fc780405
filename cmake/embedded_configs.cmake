# Writes configs/**/*.toml into one C++ source, so that `loe paper` finds them wherever the program lies.
function(loe_embed_configs folder output)
  file(GLOB_RECURSE paths RELATIVE ${folder} CONFIGURE_DEPENDS ${folder}/*.toml)
  set(entries "")
  foreach(path IN LISTS paths)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${path})
    file(READ ${folder}/${path} text)
    string(APPEND entries "    {\"${path}\", R\"toml(${text})toml\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
// Made from configs/ by cmake/embedded_configs.cmake.
#include "paper_rows.h"

namespace loe::app {

const std::map<std::string, std::string>& embedded_configs() {
  static const std::map<std::string, std::string> configs = {
@entries@  };
  return configs;
}

}  // namespace loe::app
]])
endfunction()
