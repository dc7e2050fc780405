// What lies in a folder that is not what was asked for.
#pragma once

#include <string>

namespace loe {

struct FolderContent {
  std::string what;    ///< "a folder without pictures, but with folders of them (cam0, cam1)"
  std::string remedy;  ///< "name one of them"
};

/// In words, for messages. Looks one folder further down. Never throws an Error.
FolderContent folder_content(const std::string& path);

}  // namespace loe
