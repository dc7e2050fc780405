// Finds the files that a scene's names stand for: names come from other machines, systems and tools.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace loe {

/// A name as a path with slashes: back slashes turned, "file://" and "https://host/" and drive letters taken off,
/// "./", "a/../" and doubled slashes resolved. "../a" stays.
std::string normal_name(const std::string& name);

/// The folder itself, or the one whose path is the text of a small file without an ending: what copies and git leave of
/// a link on systems without any. "" if it is neither.
std::string real_folder(const std::string& path);

/// How a file was found; the higher, the bolder.
enum class FoundBy {
  Name,       ///< as it is written, also without its ending
  Spelling,   ///< with back slashes, a URL's codes, or capitals in another way
  Ending,     ///< of another kind of picture
  LastParts,  ///< by the end of its path, elsewhere
};

struct FoundPicture {
  std::string path;
  FoundBy how = FoundBy::Name;
  std::string folder;    ///< where LastParts were found: below the scene's folder, "" for itself
  double reduction = 1;  ///< of the folder's pictures against the name's: images/a.png found as images_4/a.png has 4
};

/// Looks for the pictures of one scene. Lists a folder once.
class PictureFinder {
 public:
  /// Names are relative to `folder`; `images` (may be empty) is the folder below it that a user says the pictures are
  /// in: there, and nowhere else, the names' last parts must be.
  PictureFinder(const std::string& folder, const std::string& images);

  /// The existing file, or none.
  std::optional<FoundPicture> find(const std::string& name);
  /// Below `folder` (any path) alone, not by last parts.
  std::optional<FoundPicture> find_in(const std::string& folder, const std::string& name);

  /// Folders below the scene's that hold pictures: "" for itself, then "images", "images*" in natural order, "input",
  /// and all others, also one folder further down.
  const std::vector<std::string>& picture_folders();
  /// Whether last parts are looked for without a user's word.
  bool is_guess() const { return images_.empty(); }
  /// A file that was taken as a link to a folder (real_folder); "" if none was.
  const std::string& link() const { return link_; }
  /// What lies in the scene's folder, for messages: "images/ (12 pictures), 3 pictures".
  std::string contents();

 private:
  struct Listing {
    std::map<std::string, std::string> by_lower;              ///< all entries
    std::map<std::string, std::vector<std::string>> by_stem;  ///< files with an ending of a picture; stem in lower case
    int64_t n_pictures = 0;
  };
  const Listing& list(const std::string& folder);
  std::string follow(const std::string& folder);
  std::optional<FoundPicture> find_parts(const std::string& normal);

  std::string folder_;
  std::string images_;
  std::string link_;
  std::map<std::string, Listing> listings_;
  std::optional<std::vector<std::string>> picture_folders_;
};

/// Of "images_4": 4. 1 if the name ends in no such number, or in one outside 1..64.
double reduction_of(const std::string& folder_name);

}  // namespace loe
