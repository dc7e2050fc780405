// The settings of training: stopping, schedule, Adam, cadences.
#include <limits>

#include "task/fit_config_internal.h"

namespace loe {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
/// More would leave the tables of a short run where they began.
constexpr int kMaxUpdatesPerMove = 64;

void add_stopping(SettingTable& table, TrainOptions& train) {
  table.whole("train.max_steps", train.max_steps, 1, kMaxInt, "updates of the whole run; schedules stretch over them");
  table
      .number("train.max_seconds", train.max_seconds, from_to(0, 1e9),
              "0: no limit. Stops after the step that passes it; counted over all sessions of a resumed run")
      .decides = Decides::Stop;
  table.choice("train.schedule_by", train.schedule_by, {ScheduleBy::Time, ScheduleBy::Steps},
               "what the schedule follows if `max_seconds` would end the run before `max_steps`. `time`: the rate "
               "comes down with the time that is left, whatever the speed, planned again about fifty times as the run "
               "learns it; `steps`: the run is cut off");
  table
      .number("train.until_psnr_db", train.until_psnr_db, from_to(0, 200),
              "0: none. Stops when an evaluation reaches it; tried when the smoothed loss suggests it, at most about a "
              "tenth of the time")
      .decides = Decides::Stop;
}

void add_schedule(SettingTable& table, Schedule& schedule) {
  table.choice("train.schedule", schedule.kind,
               {ScheduleKind::Constant, ScheduleKind::Step, ScheduleKind::Exponential, ScheduleKind::Cosine},
               "the learning rate over the run");
  table.number("train.learning_rate", schedule.learning_rate, above(0, 1e6), "rate of the first update");
  table.numbers("train.milestones", schedule.milestones, "increasing, between 0 and 1",
                "`step`: fractions of the run at which the rate is multiplied by `factor`");
  table.number("train.factor", schedule.factor, above(0, 1), "`step`");
  table.number("train.final_factor", schedule.final_factor, from_to(0, 1),
               "`exponential` (above 0), `cosine`: rate at the end, as a share of `learning_rate`");
}

void add_adam(SettingTable& table, AdamUpdate& adam) {
  table.number("train.beta1", adam.beta1, below(0, 1), "Adam's decay rate of the gradient's average");
  table.number("train.beta2", adam.beta2, below(0, 1), "Adam's decay rate of the squared gradient's average");
  // Not 0: an expert that saw no sample yet has m = v = 0.
  table.number("train.epsilon", adam.epsilon, from_to(1e-30, 1), "Adam's epsilon");
  EmbeddingUpdate& embedding = adam.embedding;
  table.number("train.embedding_rate", embedding.rate, from_to(0, 1e6),
               "the tables of a grid or an `embedding` learn at this times the learning rate");
  table.number("train.embedding_beta2", embedding.beta2, below(-1, 1), "theirs; below 0: `beta2`");
  table.number("train.embedding_epsilon", embedding.epsilon, from_to(-1, 1), "theirs; below 0: `epsilon`");
  table.whole("train.embedding_every", embedding.every, 1, kMaxUpdatesPerMove,
              "k: they move in every k-th update only, with the sum of k gradients (Adam over a large table costs as "
              "much as a step). A run then stops and saves after multiples of k. Not on `cuda`");
  table.flag("train.embedding_skips_zeros", embedding.skips_zeros,
             "numbers of a table without a gradient keep value and moments, instead of moving on by them; what is "
             "usual for hashed grids");
}

void add_cadences(SettingTable& table, TrainOptions& train) {
  const auto add = [&](const char* key, int64_t& value, const char* meaning) {
    table.whole(key, value, 0, kMaxInt, meaning).decides = Decides::Report;
  };
  add("train.steps_per_log", train.steps_per_log,
      "cadence of the progress line and of `metrics.jsonl`; 0: about twice a second");
  add("train.steps_per_eval", train.steps_per_eval, "cadence of evaluations on the whole signal; 0: only at the end");
  add("train.steps_per_save", train.steps_per_save,
      "cadence of checkpoints; 0: about every 60 s. The end always saves");
}

}  // namespace

SettingTable train_setting_table(TrainOptions& train) {
  SettingTable table;
  add_stopping(table, train);
  add_schedule(table, train.schedule);
  add_adam(table, train.adam);
  add_cadences(table, train);
  return table;
}

}  // namespace loe
