// What all readers of scenes share: checked cameras, pictures that are there, boxes, normalisation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/scene_box.h"
#include "io/scene_camera.h"
#include "io/scene_pictures.h"
#include "loe/base/error.h"
#include "loe/io/scene_file.h"

namespace loe {

/// Error "[scene] <path>: <field>: expected ..., got ...; ...".
[[noreturn]] void fail_scene(ErrorKind kind, const std::string& path, const std::string& field,
                             const std::string& expected, const std::string& found, const std::string& remedy);
/// Error(Format) with the remedy for damage.
[[noreturn]] void fail_scene_format(const std::string& path, const std::string& field, const std::string& expected,
                                    const std::string& found);

/// A whole text or binary file of a scene: at most 1 GiB.
std::string read_scene_file(const std::string& path);

/// A view as a scene's file states it.
struct StatedView {
  std::string picture;  ///< name as it is written, relative to the folder of the pictures
  Split split = Split::Train;
  StatedIntrinsics intrinsics;
  Pose pose;
  std::string path;   ///< the file, for messages
  std::string field;  ///< of it
};

/// Gathers the views of one scene in the file's units.
class SceneBuilder {
 public:
  /// Names are relative to `pictures`, in which options.images is another folder for formats whose names hold one.
  SceneBuilder(const std::string& format, const std::string& path, const std::string& pictures,
               const SceneOptions& options);

  /// Finds the picture, reads its header and fits the intrinsics to its size. False, and counted, if there is no such
  /// file, or its view is there.
  ///
  /// Cameras belong to the stored pixels: what writes these formats (COLMAP, the scripts on top of it, Blender) knows
  /// no EXIF. Only if the stated size is that of the turned picture, and not of the stored one, it is read turned.
  bool add(const StatedView& stated);
  /// The mask of the view that was added last; its header is read.
  void set_mask(const std::string& mask, bool keeps_white);
  /// COLMAP's masks for all views: NAME.png of a picture NAME in a folder "masks" (beside images_4 also "masks_4") of
  /// one of `roots`, or of the same stem. Black is left out. `pictures` is the folder of the views' pictures.
  void find_masks(const std::string& pictures, const std::vector<std::string>& roots);
  void warn(const std::string& warning) { scene_.warnings.push_back(warning); }
  void note(const std::string& note) { scene_.notes.push_back(note); }

  std::vector<View>& views() { return scene_.views; }
  bool has_alpha() const { return scene_.has_alpha; }
  const SceneOptions& options() const { return options_; }
  PictureFinder& finder() { return finder_; }

  /// Natural order of the pictures' paths.
  void sort_views();
  /// After sort_views(): every n-th view tests.
  void hold_out_views();
  /// Error unless there is a view that trains. Called before a box is made of the views.
  void require_views();
  /// The cube around the cameras, with a warning if some are far off.
  WorldBox camera_box();
  /// Normalises by the option's box or else `box`, and adds the warnings.
  Scene finish(const WorldBox& box, Background background);

 private:
  /// What happened to some of the pictures: one line for all of them.
  struct Count {
    int64_t n = 0;
    std::string first;
    void add(const std::string& name) { first = n++ == 0 ? name : first; }
  };
  struct Seen {
    std::string name;  ///< as it was written
    Pose pose;
    FoundBy how;
  };

  void set_mask(View& view, const std::string& mask, bool keeps_white);
  bool is_new(const StatedView& stated, const FoundPicture& found);
  void count_found(const StatedView& stated, const FoundPicture& found);
  void add_warnings();

  Scene scene_;
  SceneOptions options_;
  PictureFinder finder_;
  std::map<std::pair<std::string, Split>, Seen> seen_;  ///< by path
  Count missing_;
  Count resized_;
  Count as_stored_;
  Count turned_;
  Count repeated_;
  Count moved_;   ///< repeated with another pose
  Count shared_;  ///< of two splits
  Count opaque_;
  Count spelled_;  ///< found by FoundBy::Spelling, Ending, LastParts
  Count other_ending_;
  Count elsewhere_;
  Count resized_masks_;
  std::map<std::string, Count> doubts_;
};

/// The folder that a user says the pictures are in. Error(NotFound) saying what there is instead.
std::string named_picture_folder(const std::string& path, const std::string& images);

/// The readers, one per format; `path` is the folder, for transforms the file.
Scene read_blender_scene(const std::string& path, const SceneOptions& options);
Scene read_transforms_scene(const std::string& path, const SceneOptions& options);
Scene read_nsvf_scene(const std::string& path, const SceneOptions& options);
Scene read_llff_scene(const std::string& path, const SceneOptions& options);
Scene read_colmap_scene(const std::string& path, const SceneOptions& options);

}  // namespace loe
