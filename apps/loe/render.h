// `loe render`: flags shared by pictures, videos and scenes.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "loe/backend/backend.h"
#include "loe/fitting/model_source.h"
#include "loe/nn/model.h"
#include "loe/signal/image.h"
#include "parse.h"
#include "progress.h"

namespace loe::app {

/// As the user wrote them; empty: not given.
struct RenderFlags {
  std::string source;
  std::string out;
  std::string region;
  std::string size;
  std::string depth;
  std::string frames;
  std::string fps;
  std::string quality;
  std::string camera_path;
  std::string view;
  std::string map;
  std::string occupancy;
  std::string min_transmittance;
  std::string samples;
  std::string seed;
  std::string latent_path;
  std::string device = "auto";
  std::string threads;
  std::string precision = "f32";
  std::string progress = "auto";
  bool quiet = false;
};

/// A flag's name and what the user wrote for it.
using NamedFlag = std::pair<const char*, const std::string&>;
/// Error(InvalidArgument) if one of these flags, which are for models of `right` ("videos"), was given for one of
/// `found`.
void refuse_flags(const std::vector<NamedFlag>& flags, const char* right, const char* found);

/// Those of models of scenes.
std::vector<NamedFlag> scene_flags(const RenderFlags& flags);

/// Those of generators.
std::vector<NamedFlag> gan_flags(const RenderFlags& flags);

/// Of the file's name, in small letters: ".png".
std::string extension_of(const std::string& path);

/// The part of the signal asked for with --region, else all of it.
Region chosen_region(const RenderFlags& flags, const SignalInfo& signal);
/// --size, else the region's own.
PictureSize chosen_size(const RenderFlags& flags, const Region& region);
/// --depth, else the source's or the nearest that a picture of this name can hold.
PixelType chosen_picture_depth(const RenderFlags& flags, const SignalInfo& signal);
/// Error(Cancelled) if the user asked to stop.
void check_not_stopped(const RenderFlags& flags);

/// Receives rows [n_rows, width, channels] of a picture, top to bottom.
using OnPictureRows = std::function<void(int first_row, int n_rows, const float* values)>;
/// Writes --out as `decode` supplies its rows, with progress. No file appears if the user asks to stop.
void write_picture(const RenderFlags& flags, const PictureSize& size, int n_channels, PixelType depth,
                   const PictureTags& tags, Reporter& reporter,
                   const std::function<void(const OnPictureRows& on_rows)>& decode);
/// "FILE  640 x 480, u8" and the remark, unless --quiet.
void print_picture(const RenderFlags& flags, const PictureSize& size, PixelType depth, const std::string& remark = "");

/// Video models: a clip, or with --frames T and the name of a picture file one frame.
void render_video(const RenderFlags& flags, const SignalInfo& signal, Executor& executor, Reporter& reporter);

/// Models of scenes: the view of a stored camera as a picture, or a camera path as a video.
void render_scene(const RenderFlags& flags, const FieldInfo& field, ModelExecutor& model, Reporter& reporter);

/// Generators: samples as a sheet, or with --latent-path on their way through latents, as a sheet or video.
void render_gan(const RenderFlags& flags, const SignalInfo& signal, Executor& generator, Reporter& reporter);

}  // namespace loe::app
