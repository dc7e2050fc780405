// Strict reading of numbers, sizes and regions from flags. The whole text must match: "10x" is no number.
#pragma once

#include <cstdint>
#include <string>

#include "loe/base/settings.h"
#include "loe/signal/video.h"
#include "loe/task/region.h"

namespace loe::app {

/// All throw Error(InvalidArgument) that names `flag`, the form expected and the text found.
int64_t parse_int(const std::string& flag, const std::string& text, int64_t min, int64_t max);
/// Finite decimal number in [min, max].
double parse_double(const std::string& flag, const std::string& text, double min, double max);
/// A whole or decimal number if the text is one, else the text: whoever reads the setting then says what it expected.
SettingValue number_or_text(const std::string& text);
/// "40dB", "40 dB" or "40": PSNR in dB, in (0, 200].
double parse_decibel(const std::string& flag, const std::string& text);
/// A count that may carry a suffix: "250000", "250k", "9.4M".
int64_t parse_count(const std::string& flag, const std::string& text, int64_t min, int64_t max);

/// "1024x768": both in 1..65536.
PictureSize parse_size(const std::string& flag, const std::string& text);
/// "x,y,width,height" in pixels, as in "0,0,64,64": x, y >= 0 and width, height >= 1.
Region parse_region(const std::string& flag, const std::string& text);

struct FrameSpan {
  double first = 0;
  double count = 1;
  bool is_single = false;  ///< "12": one moment, not a clip
};
/// "a:b": frames a .. b - 1, either may be left out, in 0..n_frames; "12" or "12.5": the frame there, in 0..n_frames
/// - 1.
FrameSpan parse_frames(const std::string& flag, const std::string& text, int n_frames);
/// "25", "29.97" (as it is written, 2997/100), "30000/1001": above 0, at most 10,000.
FrameRate parse_frame_rate(const std::string& flag, const std::string& text);

/// `text` as one word for pasting into a shell: quoted if it needs to be.
std::string shell_quote(const std::string& text);

}  // namespace loe::app
