// Folders of pictures: their names, in the order that people number them.
#pragma once

#include <string>
#include <vector>

namespace loe {

/// Runs of digits compare as numbers, the rest as bytes: frame2 < frame10. Numbers of any length.
bool natural_less(const std::string& a, const std::string& b);

/// Names of the picture files that are not hidden, by content or by extension, in natural order. Error(Io).
std::vector<std::string> list_pictures(const std::string& folder);

/// The same with the folders in it that are neither hidden nor symbolic links: paths below `folder`, in natural order.
std::vector<std::string> list_pictures_below(const std::string& folder);

/// Whether a folder holds a picture, by content. Error(Io).
bool has_pictures(const std::string& folder);

}  // namespace loe
