// Strict reading of numbers, sizes and regions from flags. The whole text must match: "10x" is no number.
#pragma once

#include <cstdint>
#include <string>

#include "loe/task/image_task.h"

namespace loe::app {

/// All throw Error(InvalidArgument) that names `flag`, the form expected and the text found.
int64_t parse_int(const std::string& flag, const std::string& text, int64_t min, int64_t max);
/// Finite decimal number in [min, max].
double parse_double(const std::string& flag, const std::string& text, double min, double max);
/// "40dB", "40 dB" or "40": PSNR in dB, in (0, 200].
double parse_decibel(const std::string& flag, const std::string& text);
/// A count that may carry a suffix: "250000", "250k", "9.4M".
int64_t parse_count(const std::string& flag, const std::string& text, int64_t min, int64_t max);

struct PictureSize {
  int width = 0;
  int height = 0;
};
/// "1024x768": both in 1..65536.
PictureSize parse_size(const std::string& flag, const std::string& text);
/// "x,y,width,height" in pixels, as in "0,0,64,64": x, y >= 0 and width, height >= 1.
Region parse_region(const std::string& flag, const std::string& text);

/// `text` as one word for pasting into a shell: quoted if it needs to be.
std::string shell_quote(const std::string& text);

}  // namespace loe::app
