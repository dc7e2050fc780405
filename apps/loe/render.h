// `loe render`: flags shared by pictures and videos.
#pragma once

#include <string>

#include "loe/backend/backend.h"
#include "loe/signal/image.h"
#include "model_source.h"
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
  std::string device = "auto";
  std::string threads;
  std::string precision = "f32";
  std::string progress = "auto";
  bool quiet = false;
};

/// The part of the signal asked for with --region, else all of it.
Region chosen_region(const RenderFlags& flags, const SignalInfo& signal);
/// --size, else the region's own.
PictureSize chosen_size(const RenderFlags& flags, const Region& region);
/// --depth, else the source's or the nearest that a picture of this name can hold.
PixelType chosen_picture_depth(const RenderFlags& flags, const SignalInfo& signal);
/// Error(Cancelled) if the user asked to stop.
void check_not_stopped(const RenderFlags& flags);

/// Video models: a clip, or with --frames T and the name of a picture file one frame.
void render_video(const RenderFlags& flags, const SignalInfo& signal, Executor& executor, Reporter& reporter);

}  // namespace loe::app
