#include <fmt/format.h>

#include <cstring>

#include "loe/task/fit_config.h"
#include "task/fit_config_internal.h"

namespace loe {
namespace {

uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x100000001B3ULL;
  return hash ^ (hash >> 29);
}

uint64_t hash_bytes(uint64_t hash, const void* data, std::size_t n_bytes) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::size_t i = 0;
  for (; i + 8 <= n_bytes; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + i, 8);
    hash = mix(hash, word);
  }
  for (; i < n_bytes; ++i) {
    hash = mix(hash, bytes[i]);
  }
  return mix(hash, n_bytes);
}

struct ValueText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{:a}", value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const std::vector<double>& values) const {
    std::string text = "[";
    for (const double value : values) {
      text += (*this)(value) + ",";
    }
    return text + "]";
  }
  std::string operator()(const std::vector<std::vector<double>>& lists) const {
    std::string text = "[";
    for (const std::vector<double>& list : lists) {
      text += (*this)(list) + ",";
    }
    return text + "]";
  }
};

}  // namespace

std::string fit_config_hash(const FitConfig& config, const std::string& shape,
                            std::span<const std::span<const std::byte>> content) {
  uint64_t hash = 0xCBF29CE484222325ULL;
  const Settings defaults =
      fit_config_to_settings(fit_config_from_settings({}, config.kind, config.network.n_channels));
  const Settings settings = fit_config_to_settings(config);
  FitConfig bound = config;
  InputDraft input = input_draft(bound.network);
  const SettingTable table = fit_setting_table(bound, input);
  const bool has_embedding = config.network.input.has_embedding();
  for (const auto& [key, entry] : settings.entries()) {
    const bool is_default = defaults.contains(key) && defaults.entries().at(key).value == entry.value;
    const bool says_nothing = !has_embedding && key.starts_with("model.embedding");
    if (table.find(key)->decides == Decides::Result && !is_default && !says_nothing) {
      const std::string text = key + "=" + std::visit(ValueText{}, entry.value);
      hash = hash_bytes(hash, text.data(), text.size());
    }
  }
  hash = hash_bytes(hash, shape.data(), shape.size());
  for (const std::span<const std::byte> piece : content) {
    hash = hash_bytes(hash, piece.data(), piece.size());
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace loe
