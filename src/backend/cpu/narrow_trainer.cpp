#include "backend/cpu/narrow_trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "loe/backend/encoding.h"
#include "loe/base/error.h"

namespace loe::cpu {
namespace {

/// Parts feed as many threads; each costs a set of sums that is cleared and added up once a step.
constexpr int kMaxParts = 64;
constexpr int kMinParts = 8;
constexpr int64_t kPartsBytes = int64_t{4} << 20;

/// Far below the largest float: omega of a sine is at most 10^6, and errors are squared in double.
constexpr double kLargest = 1e30;

float centre(int64_t j, int64_t size) {
  return static_cast<float>((static_cast<double>(j) + 0.5) / static_cast<double>(size));
}

int n_waves(const InputSpec& input) {
  return input.kind == InputKind::Constant ? 0 : 2 * input.n_frequencies;
}

ProductChunks::Groups one_group(int n_rows) {
  ProductChunks::Groups groups;
  groups.n = 1;
  groups.first = {0, n_rows};
  groups.rows.resize(n_rows);
  std::iota(groups.rows.begin(), groups.rows.end(), uint16_t{0});
  while (groups.rows.size() % kNarrowRows != 0) groups.rows.push_back(groups.rows.back());
  groups.padded_first = {0, static_cast<int>(groups.rows.size())};
  return groups;
}

int first_chunk(int part, int n_parts, int n_chunks) {
  return static_cast<int>(int64_t{n_chunks} * part / n_parts);
}

}  // namespace

NarrowTrainer::NarrowTrainer(const NetworkSpec& spec, const KernelTable& kernels, int n_threads)
    : plan_(spec), kernels_(&kernels), params_(plan_), workers_(n_threads) {}

int64_t NarrowTrainer::n_bytes() const {
  int64_t bytes = params_.n_bytes() + sums_.n_bytes();
  if (embedding_ != nullptr) bytes += embedding_->n_bytes();
  bytes += static_cast<int64_t>(places_.capacity() * sizeof(PixelPlace));
  for (const AlignedBuffer<float>& table : tables_) bytes += table.n_bytes();
  for (const Worker& worker : workers_) {
    bytes += worker.input.n_bytes() + worker.turned.n_bytes();
    for (const auto& buffer : worker.values) bytes += buffer.n_bytes();
    for (const auto& buffer : worker.derivatives) bytes += buffer.n_bytes();
    for (const auto& buffer : worker.grads) bytes += buffer.n_bytes();
  }
  return bytes;
}

void NarrowTrainer::build_tables(const std::array<int64_t, 3>& size) {
  for (int axis = 0; axis < plan_.spec.n_dims; ++axis) {
    coords_[axis].resize(size[axis]);
    for (int64_t j = 0; j < size[axis]; ++j) coords_[axis][j] = centre(j, size[axis]);
  }
  if (plan_.spec.input.kind == InputKind::Constant) return;
  const int n = n_waves(plan_.spec.input);
  const bool has_raw = plan_.spec.input.include_coordinates;
  table_stride_ = (n + 1 + kPadding - 1) / kPadding * kPadding;
  std::vector<float> row(n + 1);
  for (int axis = 0; axis < plan_.spec.n_dims; ++axis) {
    tables_[axis].resize(size[axis] * table_stride_);
    for (int64_t j = 0; j < size[axis]; ++j) {
      encode(plan_.spec.input, 1, &coords_[axis][j], row.data());
      float* to = tables_[axis].data() + j * table_stride_;
      std::copy_n(row.data() + (has_raw ? 1 : 0), n, to);
      if (has_raw) to[n] = row[0];
    }
  }
}

void NarrowTrainer::find_idle(const ProductChunks& chunks) {
  idle_.clear();
  for (int l = 0; l < static_cast<int>(plan_.layers.size()); ++l) {
    const NarrowLayer& layer = plan_.layers[l];
    std::vector<bool> occurs(layer.n_experts);
    const auto& levels = chunks.levels();
    const auto level = std::find_if(levels.begin(), levels.end(), [&](const auto& it) { return it.layer == l; });
    if (level == levels.end()) {
      occurs[0] = true;
    } else {
      for (const int expert : level->experts) occurs[expert] = true;
    }
    for (int expert = 0; expert < layer.n_experts; ++expert) {
      const float* moments = params_.current(l, expert) + layer.matrix_size();
      const bool rests = std::all_of(moments, moments + 2 * layer.matrix_size(), [](float x) { return x == 0; });
      if (!occurs[expert] && !rests) idle_.emplace_back(l, expert);
    }
  }
}

void NarrowTrainer::prepare(const ProductChunks& chunks) {
  const auto& size = chunks.size();
  const std::array<int64_t, 5> drawn_as = {size[0], size[1], size[2], chunks.n_chunks(), chunks.chunk_samples()};
  if (drawn_as == drawn_as_) return;
  const int64_t n = chunks.chunk_samples();
  const int64_t n_padded = (n + kNarrowRows - 1) / kNarrowRows * kNarrowRows;
  all_rows_ = one_group(static_cast<int>(n));
  places_.resize(chunks.n_draws());
  if (!std::equal(size.begin(), size.end(), drawn_as_.begin())) build_tables(size);
  for (Worker& worker : workers_) {
    worker.input.resize(n_padded * plan_.input_stride);
    if (plan_.spec.input.kind == InputKind::Constant) {
      for (int64_t i = 0; i < n; ++i) worker.input[i * plan_.input_stride] = 1;
    }
    worker.values.resize(plan_.layers.size());
    worker.derivatives.resize(plan_.layers.size());
    for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
      worker.values[l].resize(n_padded * plan_.layers[l].width);
      if (plan_.layers[l].activation.is_sine) worker.derivatives[l].resize(n_padded * plan_.layers[l].width);
    }
    for (auto& buffer : worker.grads) buffer.resize(n_padded * plan_.max_width);
    worker.turned.resize(int64_t{plan_.max_width} * std::max(plan_.max_width, plan_.feature_stride));
    if (plan_.n_features > 0) worker.coords.resize(n_padded * plan_.spec.n_dims);
    worker.targets.resize(n * plan_.n_outputs);
    worker.weights.resize(n);
    worker.inside.resize(n);
  }
  drawn_as_ = drawn_as;
}

NarrowTrainer::Step NarrowTrainer::plan_step(const ProductSamples& samples, const AdamScalars& adam) const {
  const ProductChunks& chunks = samples.chunks();
  Step step{&samples, &chunks, chunks.draw_round(samples.seed(), samples.step()), {}, true, {}, plan_.n_small, 1,
            0,        adam};
  step.level_of_layer.assign(plan_.layers.size(), -1);
  for (int i = 0; i < static_cast<int>(chunks.levels().size()); ++i) step.level_of_layer[chunks.levels()[i].layer] = i;
  for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
    const int level = step.level_of_layer[l];
    const bool is_shared = level < 0 || chunks.levels()[level].is_shared;
    const int64_t n_experts = level < 0 ? 1 : static_cast<int64_t>(chunks.levels()[level].experts.size());
    step.sums_of.push_back(is_shared ? step.n_sums : -1);
    if (is_shared) step.n_sums += n_experts * plan_.layers[l].matrix_size();
  }
  const int64_t affordable = kPartsBytes / (step.n_sums * static_cast<int64_t>(sizeof(float)));
  const int64_t wanted = std::clamp<int64_t>(affordable, kMinParts, kMaxParts);
  step.n_parts = static_cast<int>(std::min<int64_t>(wanted, chunks.n_chunks()));
  return step;
}

const ProductChunks::Groups& NarrowTrainer::groups(const Step& step, int layer, int chunk) const {
  const int level = step.level_of_layer[layer];
  return level < 0 ? all_rows_ : step.chunks->groups(level, chunk);
}

int NarrowTrainer::index_of(const Step& step, int layer, int chunk, int group) const {
  const int level = step.level_of_layer[layer];
  return level < 0 ? 0 : step.chunks->expert(step.round, level, chunk, group);
}

int NarrowTrainer::expert_of(const Step& step, int layer, int index) const {
  const int level = step.level_of_layer[layer];
  return level < 0 ? 0 : step.chunks->levels()[level].experts[index];
}

int64_t NarrowTrainer::draw_places(ThreadPool& pool, const Step& step) {
  const ProductChunks& chunks = *step.chunks;
  std::vector<int64_t> n_inside(chunks.n_chunks());
  pool.parallel_for(chunks.n_chunks(), [&](int64_t chunk, int) {
    const std::span<PixelPlace> places(places_.data() + chunk * chunks.chunk_samples(), chunks.chunk_samples());
    chunks.draw_chunk(step.round, static_cast<int>(chunk), places);
    n_inside[chunk] = chunks.fills_signal() ? chunks.chunk_samples()
                                            : std::count_if(places.begin(), places.end(), [&](const PixelPlace& place) {
                                                return chunks.is_inside(place);
                                              });
  });
  return std::accumulate(n_inside.begin(), n_inside.end(), int64_t{0});
}

void NarrowTrainer::load_chunk(const Step& step, int chunk, Worker& worker) const {
  const ProductChunks& chunks = *step.chunks;
  const int n = chunks.chunk_samples();
  const PixelPlace* places = places_.data() + int64_t{chunk} * n;
  if (!chunks.fills_signal()) {
    for (int i = 0; i < n; ++i) {
      const bool is_inside = chunks.is_inside(places[i]);
      worker.weights[i] = is_inside ? 1.0F : 0.0F;
      worker.inside[i] = is_inside ? places[i] : PixelPlace{};
    }
    places = worker.inside.data();
  }
  step.samples->read({places, static_cast<std::size_t>(n)}, worker.targets.data());
  if (plan_.spec.input.kind == InputKind::Constant) return;
  const float* const tables[3] = {tables_[0].data(), tables_[1].data(), tables_[2].data()};
  NarrowEncode args;
  args.places = places;
  args.n_rows = n;
  args.n_dims = plan_.spec.n_dims;
  args.tables = tables;
  args.table_stride = table_stride_;
  args.n_waves = n_waves(plan_.spec.input);
  args.has_raw = plan_.spec.input.include_coordinates;
  args.x = worker.input.data();
  args.x_stride = plan_.input_stride;
  kernels_->narrow.encode(args);
  if (embedding_ == nullptr) return;
  float* p = worker.coords.data();
  for (int i = 0; i < n; ++i) {
    *p++ = coords_[0][places[i].x];
    *p++ = coords_[1][places[i].y];
    if (args.n_dims == 3) *p++ = coords_[2][places[i].t];
  }
  embedding_->features(worker.coords.data(), n, chunk, worker.input.data() + plan_.n_encoded, plan_.input_stride);
}

void NarrowTrainer::forward(const Step& step, int chunk, Worker& worker) const {
  for (int l = 0; l < static_cast<int>(plan_.layers.size()); ++l) {
    const NarrowLayer& layer = plan_.layers[l];
    const ProductChunks::Groups& list = groups(step, l, chunk);
    NarrowForward args;
    args.x = l == 0 ? worker.input.data() : worker.values[l - 1].data();
    args.x_stride = l == 0 ? plan_.input_stride : layer.depth;
    args.n_in = layer.depth;
    args.n_out = layer.width;
    args.bias = params_.small(0) + layer.bias;
    args.activation = layer.activation;
    args.y = worker.values[l].data();
    args.dy = worker.derivatives[l].data();
    args.y_stride = layer.width;
    const auto matrix = [&](int group) {
      return params_.current(l, expert_of(step, l, index_of(step, l, chunk, group)));
    };
    args.w = matrix(0);
    for (int group = 0; group < list.n; ++group) {
      args.rows = list.rows.data() + list.padded_first[group];
      args.n_rows = list.n_padded_rows(group);
      args.next_w = group + 1 < list.n ? matrix(group + 1) : nullptr;
      kernels_->narrow.forward(args);
      args.w = args.next_w;
    }
  }
}

double NarrowTrainer::loss(const Step& step, float* sums, Worker& worker) const {
  const NarrowLayer& last = plan_.layers.back();
  NarrowHead args;
  args.n_rows = step.chunks->chunk_samples();
  args.n_in = plan_.head_width;
  args.n_out = plan_.n_outputs;
  args.a = worker.values.back().data();
  args.da = worker.derivatives.back().data();
  args.stride = last.width;
  args.activation = last.activation;
  args.w = params_.small(0) + plan_.head_weight;
  args.bias = params_.small(0) + plan_.head_bias;
  args.scale = static_cast<float>(plan_.spec.output.scale);
  args.offset = static_cast<float>(plan_.spec.output.offset);
  args.targets = worker.targets.data();
  args.weights = step.chunks->fills_signal() ? nullptr : worker.weights.data();
  args.gradient_scale = step.gradient_scale;
  args.d = worker.grads[0].data();
  args.sums = sums + plan_.head_weight;
  args.bias_sums = sums + plan_.head_bias;
  return kernels_->narrow.head(args);
}

void NarrowTrainer::weight_grads(const Step& step, int l, int chunk, int group, const float* grads, float* sums,
                                 Worker& worker) {
  const NarrowLayer& layer = plan_.layers[l];
  const ProductChunks::Groups& list = groups(step, l, chunk);
  const int index = index_of(step, l, chunk, group);
  const int expert = expert_of(step, l, index);
  NarrowWeightGrad args;
  args.rows = list.rows.data() + list.padded_first[group];
  args.n_rows = list.n_rows(group);
  args.x = l == 0 ? worker.input.data() : worker.values[l - 1].data();
  args.x_stride = l == 0 ? plan_.input_stride : layer.depth;
  args.n_in = layer.depth;
  args.d = grads;
  args.d_stride = layer.width;
  args.n_out = layer.width;
  args.bias_sums = sums + layer.bias;
  args.adam = &step.adam;
  if (step.sums_of[l] >= 0) {
    args.sums = sums + step.sums_of[l] + index * layer.matrix_size();
  } else {
    args.from = params_.current(l, expert);
    args.to = step.is_in_place ? params_.current(l, expert) : params_.next(l, expert);
    args.largest = &worker.largest;
  }
  kernels_->narrow.weight_grad(args);
}

void NarrowTrainer::feature_grads(const Step& step, int chunk, int group, const float* grads, Worker& worker) {
  const NarrowLayer& layer = plan_.layers.front();
  const ProductChunks::Groups& list = groups(step, 0, chunk);
  NarrowInputGrad args;
  args.rows = list.rows.data() + list.padded_first[group];
  args.n_rows = list.n_padded_rows(group);
  args.d = grads;
  args.d_stride = layer.width;
  args.n_in = plan_.feature_stride;
  args.n_out = layer.width;
  args.w =
      params_.current(0, expert_of(step, 0, index_of(step, 0, chunk, group))) + int64_t{plan_.n_encoded} * layer.width;
  args.turned = worker.turned.data();
  args.dx = embedding_->gradient_rows(chunk);
  args.x_stride = plan_.feature_stride;
  args.y = args.dx;  // read for its sign, which a slope of 1 ignores
  kernels_->narrow.input_grad(args);
}

void NarrowTrainer::backward(const Step& step, int chunk, float* sums, Worker& worker) {
  int turn = 0;
  for (int l = static_cast<int>(plan_.layers.size()) - 1; l >= 0; --l) {
    const NarrowLayer& layer = plan_.layers[l];
    const ProductChunks::Groups& list = groups(step, l, chunk);
    NarrowInputGrad args;
    args.d = worker.grads[turn].data();
    args.d_stride = layer.width;
    args.n_in = layer.depth;
    args.n_out = layer.width;
    args.turned = worker.turned.data();
    args.dx = worker.grads[1 - turn].data();
    args.x_stride = layer.depth;
    if (l > 0) {
      args.activation = plan_.layers[l - 1].activation;
      args.y = worker.values[l - 1].data();
      args.dy = worker.derivatives[l - 1].data();
    }
    for (int group = 0; group < list.n; ++group) {
      if (l > 0) {
        args.rows = list.rows.data() + list.padded_first[group];
        args.n_rows = list.n_padded_rows(group);
        args.w = params_.current(l, expert_of(step, l, index_of(step, l, chunk, group)));
        kernels_->narrow.input_grad(args);
      } else if (embedding_ != nullptr) {
        feature_grads(step, chunk, group, args.d, worker);
      }
      weight_grads(step, l, chunk, group, args.d, sums, worker);
    }
    turn = 1 - turn;
  }
  if (embedding_ != nullptr) embedding_->finish_tile(chunk, step.chunks->chunk_samples());
}

double NarrowTrainer::run_chunk(const Step& step, int chunk, float* sums, Worker& worker) {
  load_chunk(step, chunk, worker);
  forward(step, chunk, worker);
  const double squares = loss(step, sums, worker);
  backward(step, chunk, sums, worker);
  return squares;
}

void NarrowTrainer::update_shared(ThreadPool& pool, const Step& step) {
  struct Block {
    int64_t sums;
    int64_t size;
    float* params;
    float* m;
    float* v;
  };
  std::vector<Block> blocks = {{0, plan_.n_small, params_.small(0), params_.small(1), params_.small(2)}};
  const auto add = [&](int64_t sums, int64_t size, float* matrix) {
    blocks.push_back({sums, size, matrix, matrix + size, matrix + 2 * size});
  };
  for (int l = 0; l < static_cast<int>(plan_.layers.size()); ++l) {
    if (step.sums_of[l] < 0) continue;
    const int64_t size = plan_.layers[l].matrix_size();
    const int level = step.level_of_layer[l];
    const int n = level < 0 ? 1 : static_cast<int>(step.chunks->levels()[level].experts.size());
    for (int i = 0; i < n; ++i) add(step.sums_of[l] + i * size, size, params_.current(l, expert_of(step, l, i)));
  }
  for (const auto& [l, expert] : idle_) {
    const int64_t size = plan_.layers[l].matrix_size();
    float* matrix = params_.current(l, expert);
    if (step.sums_of[l] < 0 && !step.is_in_place) {
      std::copy_n(matrix, 3 * size, params_.next(l, expert));
      matrix = params_.next(l, expert);
    }
    add(-1, size, matrix);
  }
  pool.parallel_for(static_cast<int64_t>(blocks.size()), [&](int64_t i, int) {
    const Block& block = blocks[i];
    std::vector<float> zeros;
    if (block.sums < 0) zeros.resize(block.size);
    float* sum = block.sums < 0 ? zeros.data() : sums_.data() + block.sums;
    for (int part = 1; part < step.n_parts && block.sums >= 0; ++part) {
      const float* more = sums_.data() + part * step.n_sums + block.sums;
      for (int64_t k = 0; k < block.size; ++k) sum[k] += more[k];
    }
    kernels_->adam(step.adam, sum, block.size, block.params, block.m, block.v);
  });
}

bool NarrowTrainer::is_bounded(const ProductSamples& samples) const {
  const double p = std::bit_cast<float>(largest_);
  const auto [low, high] = plan_.spec.input.coordinate_range;
  const double entry = std::bit_cast<float>(largest_entry_);
  double value = std::max({1.0, std::abs(low), std::abs(high), entry});
  double largest_sum = 0;
  for (const NarrowLayer& layer : plan_.layers) {
    const double sum = p * (layer.n_in * value + 1);
    largest_sum = std::max(largest_sum, sum);
    value = layer.activation.is_sine ? 1.0 : sum;
  }
  const double output = p * (plan_.head_width * value + 1);
  const double error = std::abs(plan_.spec.output.offset) + std::abs(plan_.spec.output.scale) * output +
                       static_cast<double>(samples.largest_value());
  return p < kLargest && entry < kLargest && largest_sum < kLargest && error < kLargest;  // false if anything is NaN
}

void NarrowTrainer::make_embedding(ThreadPool& pool, const ProductChunks& chunks, const ParamSlice& state) {
  if (!plan_.spec.input.has_embedding()) return;
  NetworkPlan plan = make_plan(plan_.spec, Precision::F32, 1, *kernels_);
  plan.tile_rows = (chunks.chunk_samples() + kNarrowRows - 1) / kNarrowRows * kNarrowRows;
  plan.max_stride = plan_.feature_stride;
  embedding_ = EmbeddingTables::make(plan, *kernels_);
  embedding_->set_params(pool, state.params.data());
  largest_entry_ = embedding_->largest(pool);
}

void NarrowTrainer::store(ThreadPool& pool, const ParamSlice& state) const {
  params_.store(pool, state);
  if (embedding_ != nullptr) embedding_->store(pool, state.params.data());
}

void NarrowTrainer::store_params(ThreadPool& pool, std::span<float> params) const {
  params_.store_params(pool, params);
  if (embedding_ != nullptr) embedding_->store(pool, params.data());
}

void NarrowTrainer::take_over(ThreadPool& pool, const ProductChunks& chunks, const ParamSlice& state) {
  const std::array<int64_t, 5> before = drawn_as_;
  prepare(chunks);
  if (has_params_ && before == drawn_as_) return;
  if (!has_params_) {
    params_.load(pool, state);
    largest_ = params_.largest(kernels_->narrow, std::vector<bool>(plan_.layers.size(), true));
  } else if (embedding_ != nullptr) {
    embedding_->store(pool, state.params.data());  // the state's are older than the tables that make way
  }
  make_embedding(pool, chunks, state);
  params_.outdate_next();
  find_idle(chunks);
  has_params_ = true;
}

double NarrowTrainer::step(ThreadPool& pool, const ProductSamples& samples, const AdamUpdate& update,
                           const ParamSlice& state) {
  const ProductChunks& chunks = samples.chunks();
  take_over(pool, chunks, state);
  Step step = plan_step(samples, AdamScalars(update));
  const int64_t n_inside = draw_places(pool, step);
  samples.note_inside(n_inside);
  if (n_inside == 0) return 0;
  step.is_in_place = is_bounded(samples);
  if (!step.is_in_place) params_.prepare_next();
  const double n_values = static_cast<double>(n_inside) * plan_.n_outputs;
  step.gradient_scale = static_cast<float>(2 * plan_.spec.output.scale / n_values);
  sums_.resize(step.n_parts * step.n_sums);
  for (Worker& worker : workers_) worker.largest = 0;
  if (embedding_ != nullptr) {
    embedding_->begin_gradient(pool, true);
    embedding_->begin_tiles(chunks.n_chunks());
  }
  std::vector<double> squares(step.n_parts);
  pool.parallel_for(step.n_parts, [&](int64_t part, int worker) {
    float* sums = sums_.data() + part * step.n_sums;
    std::fill_n(sums, step.n_sums, 0.0F);
    const int end = first_chunk(static_cast<int>(part) + 1, step.n_parts, chunks.n_chunks());
    for (int chunk = first_chunk(static_cast<int>(part), step.n_parts, chunks.n_chunks()); chunk < end; ++chunk) {
      squares[part] += run_chunk(step, chunk, sums, workers_[worker]);
    }
  });
  const double loss = std::accumulate(squares.begin(), squares.end(), 0.0) / n_values;
  if (std::isfinite(loss)) {
    finish(pool, step, update, state);
  } else if (embedding_ != nullptr) {
    embedding_->forget_gradient();
  }
  return loss;
}

void NarrowTrainer::update_embedding(ThreadPool& pool, const AdamUpdate& update, const ParamSlice& state) {
  embedding_->add_tiles(pool);
  largest_entry_ = embedding_->apply_adam_in_place(pool, update, state).value_or(largest_entry_);
}

void NarrowTrainer::finish(ThreadPool& pool, const Step& step, const AdamUpdate& update, const ParamSlice& state) {
  update_shared(pool, step);
  if (embedding_ != nullptr) update_embedding(pool, update, state);
  std::vector<bool> is_shared;
  for (std::size_t l = 0; l < plan_.layers.size(); ++l) {
    is_shared.push_back(step.sums_of[l] >= 0);
    if (!is_shared.back() && !step.is_in_place) params_.commit(static_cast<int>(l));
  }
  if (step.is_in_place) params_.outdate_next();
  largest_ = params_.largest(kernels_->narrow, is_shared);
  for (const Worker& worker : workers_) largest_ = std::max(largest_, worker.largest);
}

}  // namespace loe::cpu
