#include "io/image_channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>

namespace loe {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// What a channel is within its layer: "r" of "beauty.R" and of "beauty.red".
std::string role_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  const std::string last = lower(dot == std::string::npos ? name : name.substr(dot + 1));
  if (last == "red") return "r";
  if (last == "green") return "g";
  if (last == "blue") return "b";
  if (last == "alpha") return "a";
  return last;
}

std::string layer_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

/// Channels of one layer by role.
using Layer = std::map<std::string, int>;

std::vector<int> colors_of(const Layer& layer) {
  std::vector<int> indices;
  if (layer.contains("r") && layer.contains("g") && layer.contains("b")) {
    indices = {layer.at("r"), layer.at("g"), layer.at("b")};
  } else if (layer.contains("y") && !layer.contains("ry") && !layer.contains("by")) {
    indices = {layer.at("y")};
  } else {
    return {};
  }
  if (layer.contains("a")) indices.push_back(layer.at("a"));
  return indices;
}

/// Whether a layer is called as renderers call the whole picture.
bool is_whole_picture(const std::string& layer) {
  const std::string name = lower(layer);
  const std::string last = name.substr(name.rfind('.') + 1);
  constexpr const char* kNames[] = {"rgba", "rgb",   "beauty", "combined", "composite",
                                    "main", "color", "colour", "image",    "default"};
  return std::find(std::begin(kNames), std::end(kNames), last) != std::end(kNames);
}

/// The layer to read; end() if none or several have colours.
std::map<std::string, Layer>::const_iterator choose_layer(const std::map<std::string, Layer>& layers) {
  if (const auto top = layers.find(""); top != layers.end() && !colors_of(top->second).empty()) return top;
  auto found = layers.end();
  int n_found = 0;
  for (auto each = layers.begin(); each != layers.end(); ++each) {
    if (colors_of(each->second).empty()) continue;
    if (is_whole_picture(each->first)) return each;
    found = each;
    ++n_found;
  }
  return n_found == 1 ? found : layers.end();
}

void leave_out_others(const std::vector<std::string>& names, ChannelChoice& choice) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::count(choice.indices.begin(), choice.indices.end(), static_cast<int>(i)) == 0) {
      choice.left_out.push_back(names[i]);
    }
  }
}

constexpr int kMaxChannels = 4;

/// How many of a TIFF's channels are colours; 0: the decoder turns them into others (palettes, JPEG's own).
int tiff_colors(const TiffDirectory& directory, int n_channels) {
  const uint32_t photometric = directory.photometric;
  const bool is_grey = photometric == 0 || photometric == 1;
  const bool is_color = photometric == 2 || photometric == 6;
  if ((!is_grey && !is_color) || n_channels != static_cast<int>(directory.n_samples)) return 0;
  // Three or four channels that are said to be grey and not to be extra: colours of writers that do not care.
  const bool is_unsaid = directory.extra_samples.empty() && n_channels >= 3 && n_channels <= kMaxChannels;
  return is_grey && !is_unsaid ? 1 : 3;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

/// By name, else by number from 1; -1: there is none.
int index_of_channel(const std::vector<std::string>& names, const std::string& word) {
  const auto same = std::find(names.begin(), names.end(), word);
  const auto alike =
      same != names.end() ? same : std::find_if(names.begin(), names.end(), [&](const std::string& name) {
        return lower(name) == lower(word);
      });
  if (alike != names.end()) return static_cast<int>(alike - names.begin());
  constexpr std::size_t kMaxDigits = 4;
  const bool is_number = !word.empty() && word.size() <= kMaxDigits &&
                         std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int number = is_number ? std::stoi(word) : 0;
  return number >= 1 && number <= static_cast<int>(names.size()) ? number - 1 : -1;
}

}  // namespace

ChannelChoice choose_exr_channels(const std::vector<std::string>& names) {
  std::map<std::string, Layer> layers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    layers[layer_of(names[i])].emplace(role_of(names[i]), static_cast<int>(i));
  }
  ChannelChoice choice;
  if (const auto layer = choose_layer(layers); layer != layers.end()) {
    choice.indices = colors_of(layer->second);
    choice.layer = layer->first;
    choice.alpha = AlphaKind::Associated;
    leave_out_others(names, choice);
    return choice;
  }
  const bool has_colors =
      std::any_of(layers.begin(), layers.end(), [](const auto& layer) { return !colors_of(layer.second).empty(); });
  if (has_colors || names.size() > kMaxChannels) {
    const auto colored =
        std::find_if(layers.begin(), layers.end(), [](const auto& layer) { return !colors_of(layer.second).empty(); });
    const std::vector<int> some = colored == layers.end() ? std::vector<int>() : colors_of(colored->second);
    for (const int i : some) {
      choice.example += (choice.example.empty() ? "" : ",") + names[static_cast<std::size_t>(i)];
    }
    if (some.empty()) choice.example = "3,2,1";
    return choice;
  }
  choice.indices.resize(names.size());
  std::iota(choice.indices.begin(), choice.indices.end(), 0);
  choice.alpha = AlphaKind::None;
  choice.names = names;
  return choice;
}

std::vector<std::string> tiff_channel_names(const TiffDirectory& directory, int n_channels) {
  const int n_colors = tiff_colors(directory, n_channels);
  std::vector<std::string> names;
  if (n_colors == 0) return names;
  for (int i = 0; i < n_channels; ++i) {
    if (n_channels > kMaxChannels && n_colors == 1) {
      names.push_back(fmt::format("{}", i + 1));
    } else if (i < n_colors) {
      names.emplace_back(n_colors == 1 ? "Y" : i == 0 ? "R" : i == 1 ? "G" : "B");
    } else {
      names.push_back(fmt::format("extra {}", i - n_colors + 1));
    }
  }
  return names;
}

ChannelChoice choose_tiff_channels(const TiffDirectory& directory, int n_channels) {
  const int n_colors = tiff_colors(directory, n_channels);
  const bool is_too_many = n_channels > kMaxChannels;
  if (n_colors == 0 || n_channels < n_colors || (is_too_many && n_colors == 1)) return all_channels(n_channels);
  ChannelChoice choice;
  const std::vector<std::string> names = tiff_channel_names(directory, n_channels);
  int alpha = -1;
  for (int i = n_colors; i < n_channels && alpha < 0; ++i) {
    const auto extra = static_cast<std::size_t>(i - n_colors);
    const uint32_t kind = extra < directory.extra_samples.size() ? directory.extra_samples[extra] : 0;
    if (kind != 1 && kind != 2) continue;
    alpha = i;
    choice.alpha = kind == 1 ? AlphaKind::Associated : AlphaKind::Straight;
  }
  const int n_kept = alpha < 0 && !is_too_many ? n_channels : n_colors;
  for (int i = 0; i < n_kept; ++i) choice.indices.push_back(i);
  if (alpha >= 0) choice.indices.push_back(alpha);
  if (alpha < 0 && n_kept > n_colors) {
    choice.alpha = AlphaKind::None;
    choice.names = names;
  }
  leave_out_others(names, choice);
  return choice;
}

ChannelChoice choose_asked_channels(const std::vector<std::string>& names, const std::string& asked,
                                    const ChannelChoice& usual, std::string& found) {
  ChannelChoice choice;
  std::vector<std::string> chosen;
  for (std::size_t begin = 0; begin <= asked.size();) {
    const std::size_t end = std::min(asked.find(',', begin), asked.size());
    const std::string word = trimmed(asked.substr(begin, end - begin));
    begin = end + 1;
    const int index = index_of_channel(names, word);
    if (index < 0) {
      found = word.empty() ? "nothing between two commas" : fmt::format("'{}'", word);
      return {};
    }
    choice.indices.push_back(index);
    chosen.push_back(names[static_cast<std::size_t>(index)]);
  }
  if (choice.indices.size() > kMaxChannels) {
    found = fmt::format("{} channels", choice.indices.size());
    return {};
  }
  if (choice.indices.size() % 2 != 0) return choice;
  const bool has_alpha = usual.alpha == AlphaKind::Straight || usual.alpha == AlphaKind::Associated;
  const bool is_alpha = has_alpha && usual.indices.size() % 2 == 0 && !usual.indices.empty() &&
                        usual.indices.back() == choice.indices.back();
  choice.alpha = is_alpha ? usual.alpha : AlphaKind::None;
  if (!is_alpha) choice.names = chosen;
  return choice;
}

ChannelChoice all_channels(int n_channels) {
  ChannelChoice choice;
  if (n_channels > kMaxChannels) {
    choice.example = "3,2,1";
    return choice;
  }
  choice.indices.resize(static_cast<std::size_t>(n_channels));
  std::iota(choice.indices.begin(), choice.indices.end(), 0);
  if (n_channels % 2 == 0) choice.alpha = AlphaKind::Straight;
  return choice;
}

}  // namespace loe
