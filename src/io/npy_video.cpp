// Videos as .npy arrays.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "io/npy.h"
#include "io/video_source.h"

namespace loe {
namespace {

class NpySource final : public VideoSource {
 public:
  explicit NpySource(const std::string& path) : path_(path), file_(path), header_(read_npy_header(file_, path)) {
    const std::vector<int64_t>& shape = header_.shape;
    const bool has_channels = shape.size() == 4;
    const bool one_picture = shape.size() == 3 && (shape[2] == 3 || shape[2] == 4);
    if ((shape.size() != 3 && !has_channels) || (has_channels && shape[3] != 1 && shape[3] != 3) || one_picture) {
      fail_video(ErrorKind::Unsupported, path_, "an array [T, H, W, 3], [T, H, W, 1] or [T, H, W]",
                 fmt::format("[{}]{}", fmt::join(shape, ", "), one_picture ? ", which looks like one picture" : ""),
                 "reshape it with numpy");
    }
    if (shape[1] > kMaxVideoSide || shape[2] > kMaxVideoSide || shape[1] * shape[2] > kMaxFramePixels) {
      fail_video(ErrorKind::Unsupported, path_,
                 fmt::format("sides of at most {} and frames of at most {} pixels", kMaxVideoSide, kMaxFramePixels),
                 fmt::format("{}x{}", shape[2], shape[1]), "make it smaller first");
    }
    info_.format = "npy";
    info_.codec = header_.dtype;
    info_.n_frames = shape[0];
    info_.height = static_cast<int>(shape[1]);
    info_.width = static_cast<int>(shape[2]);
    info_.n_channels = has_channels ? static_cast<int>(shape[3]) : 1;
    info_.type = header_.dtype == "u1" ? PixelType::U8 : PixelType::U16;
    info_.color = {"rgb", "full", "unknown", "unknown"};
  }

  bool next(Image* image) override {
    if (n_frames_ == info_.n_frames) {
      return false;
    }
    if (image != nullptr) {
      read_frame(*image);
    }
    ++n_frames_;
    return true;
  }

 private:
  void read_frame(Image& image) {
    image = Image(info_.width, info_.height, info_.n_channels, info_.type);
    const auto row_values = static_cast<std::size_t>(info_.width) * static_cast<std::size_t>(info_.n_channels);
    const std::size_t row_bytes = row_values * static_cast<std::size_t>(npy_value_bytes(header_.dtype));
    row_.resize(row_bytes);
    uint64_t offset =
        header_.data_offset + static_cast<uint64_t>(n_frames_) * static_cast<uint64_t>(info_.height) * row_bytes;
    for (int y = 0; y < info_.height; ++y, offset += row_bytes) {
      file_.read_at(offset, row_.data(), row_bytes);
      if (header_.dtype == "u1" || header_.dtype == "<u2") {
        std::memcpy(image.row(y), row_.data(), row_bytes);
      } else if (header_.dtype == "<f4") {
        store_floats<float>(row_values, image.row(y));
      } else {
        store_floats<double>(row_values, image.row(y));
      }
    }
  }

  template <typename Float>
  void store_floats(std::size_t n, std::byte* out) const {
    constexpr double kSlack = 1e-3;
    for (std::size_t i = 0; i < n; ++i) {
      Float value = 0;
      std::memcpy(&value, row_.data() + i * sizeof(Float), sizeof(Float));
      if (!(value >= -kSlack && value <= 1 + kSlack)) {
        fail_video(ErrorKind::Format, path_, fmt::format("values in [0, 1] in frame {}", n_frames_),
                   fmt::format("{}", value), "scale them to [0, 1], or store 8 or 16-bit integers");
      }
      const double clipped = std::clamp(static_cast<double>(value), 0.0, 1.0);
      const auto stored = static_cast<uint16_t>(std::floor(clipped * 65535 + 0.5));
      std::memcpy(out + i * sizeof(stored), &stored, sizeof(stored));
    }
  }

  std::string path_;
  ReadHandle file_;
  NpyHeader header_;
  int64_t n_frames_ = 0;
  std::vector<std::byte> row_;
};

class NpySink final : public VideoSink {
 public:
  NpySink(const std::string& path, const VideoShape& shape, PixelType type) : file_(path), shape_(shape), type_(type) {
    file_.append(header(0).data(), header(0).size());
  }
  void write(const Image& frame) override {
    file_.append(frame.data(), frame.n_bytes());
    ++n_frames_;
  }
  void close() override {
    const std::string text = header(n_frames_);
    if (const int error_number = file_.write_at(0, text.data(), text.size()); error_number != 0) {
      throw_io_error(file_.temporary_path(), "write the header", error_number);
    }
    file_.commit();
  }

 private:
  std::string header(int64_t n_frames) const {
    return npy_header(type_ == PixelType::U8 ? "|u1" : "<u2",
                      {n_frames, shape_.height, shape_.width, shape_.n_channels});
  }

  AtomicFile file_;
  VideoShape shape_;
  PixelType type_;
  int64_t n_frames_ = 0;
};

// Values are copied as they are in memory.
static_assert(std::endian::native == std::endian::little,
              "src/io/npy_video.cpp: swap the bytes of values on this machine");

}  // namespace

std::unique_ptr<VideoSource> open_npy_source(const std::string& path) {
  return std::make_unique<NpySource>(path);
}

std::unique_ptr<VideoSink> open_npy_sink(const std::string& path, const VideoShape& shape, PixelType type) {
  return std::make_unique<NpySink>(path, shape, type);
}

}  // namespace loe
