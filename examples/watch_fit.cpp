// A fit as a program of its own would run it: data in memory, progress, a stop, a run folder that can go on, and a part
// of the result at another size.
#include <cstdlib>
#include <iostream>
#include <vector>

#include "loe/loe.h"

namespace {

/// Fits in a run folder and stops when the loss is small enough; a second call goes on from there.
loe::FitOutcome fit_in_folder(const std::string& path, const std::string& folder, double enough) {
  loe::FitRequest request;
  request.data = path;
  request.settings.set("train.max_steps", int64_t{2000}, "watch_fit");
  request.settings.set("train.steps_per_log", int64_t{10}, "watch_fit");
  bool is_enough = false;
  loe::FitEvents events;
  events.on_progress = [&](const loe::Progress& progress) { is_enough = progress.loss < enough; };
  events.should_stop = [&] { return is_enough; };
  events.on_warning = [](const std::string& text) { std::cerr << text << "\n"; };
  loe::FitPlace place;
  place.out = folder;
  place.force = true;
  loe::FitJob job = loe::resolve_fit(request, events);
  return loe::run_fit(job, place, events);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw loe::Error(loe::ErrorKind::InvalidArgument, "usage: watch_fit INPUT RUN");
  const loe::FitOutcome stopped = fit_in_folder(argv[1], argv[2], 0.01);
  std::cout << to_string(stopped.reason) << " after step " << stopped.saved_step << "\n";

  loe::FitRequest request;
  request.resume = argv[2];
  loe::FitJob job = loe::resolve_fit(request);
  const loe::FitOutcome finished = loe::run_fit(job);
  std::cout << finished.result.number("psnr_db") << " dB\n";

  const loe::Model model = loe::open_model(argv[2]).model;
  const loe::Region middle = {model.signal.width / 4, model.signal.height / 4, model.signal.width / 2,
                              model.signal.height / 2};
  const loe::PictureSize size = {256, 256};
  std::vector<float> values(size_t{256} * 256 * model.spec.main().n_out());
  loe::decode_picture(model, middle, size, values);
  std::cout << "the middle of the middle: " << values[values.size() / 2] << "\n";
} catch (const loe::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
