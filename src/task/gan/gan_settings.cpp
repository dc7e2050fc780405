#include "task/gan/gan_settings.h"

#include <fmt/format.h>

namespace loe {
namespace {

constexpr int kMinResolution = 16;
constexpr int kMaxResolution = 4096;
constexpr int kMaxPictures = 1 << 24;
constexpr std::size_t kMaxHiddenLayers = 7;

void add_discriminator(SettingTable& table, std::vector<int>& channels) {
  const std::string values = fmt::format("1 to {} numbers in 1..{}", kMaxHiddenLayers, kMaxWidth);
  Setting& row = table.wholes("model.discriminator", channels, 1, kMaxWidth, values,
                              "channels of the hidden layers of each of the two discriminators");
  row.read = [read = row.read, values, &channels](const Settings& settings) {
    read(settings);
    if (channels.empty() || channels.size() > kMaxHiddenLayers) {
      settings.refuse("model.discriminator", values);
    }
  };
}

}  // namespace

SettingTable gan_setting_table(GanSettings& gan) {
  SettingTable table;
  table.whole("model.n_latents", gan.n_latents, 1, kMaxWidth,
              "numbers in the latent z, which the first layer reads beside the encoding");
  table.choice("model.output_activation", gan.output_activation, {ActivationKind::Tanh, ActivationKind::Identity},
               "after the head");
  add_discriminator(table, gan.discriminator_channels);
  table.whole("data.resolution", gan.resolution, kMinResolution, kMaxResolution,
              "pictures are cut to their middle square and averaged down to so many pixels a side; smaller ones are "
              "left out");
  table.flag("data.flip", gan.flip, "mirrors each picture of a batch with probability 1/2");
  table.whole("data.min_pictures", gan.min_pictures, 1, kMaxPictures, "fewer usable pictures are an error");
  table.number("train.discriminator_rate", gan.discriminator_rate, from_to(0, 1e6),
               "the discriminators' learning rate as a multiple of the generator's");
  table.number("train.average_decay", gan.average_decay, below(0, 1),
               "decay of a moving average of the generator, which then makes all pictures that are shown; 0: none, as "
               "the paper");
  table.whole("train.n_evaluated", gan.n_evaluated, 16, kMaxPictures, "pictures that an evaluation generates");
  return table;
}

GanSettings gan_settings_from(const Settings& settings) {
  GanSettings gan;
  gan_setting_table(gan).read(settings);
  return gan;
}

}  // namespace loe
