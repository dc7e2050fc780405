// Kernels of the CUDA backend, run on the CPU, against the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include "backend/cuda/kernels/encode.h"
#include "backend/cuda/kernels/expert_product.h"
#include "backend/cuda/kernels/route.h"
#include "backend/cuda/kernels/weight_gradient.h"
#include "backend/cuda/schedules.h"
#include "backend/reference/expert_linear.h"
#include "loe/backend/encoding.h"
#include "loe/backend/routing.h"

namespace loe::cuda {
namespace {

using test::for_each_schedule;

/// Unit roundoffs.
constexpr double kUnitF32 = 0x1p-24;
constexpr double kUnitTf32 = 0x1p-11;
constexpr double kUnitBf16 = 0x1p-8;

std::vector<float> some_numbers(std::size_t n, uint64_t seed, float low = -1, float high = 1) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> numbers(n);
  for (float& number : numbers) number = uniform(generator);
  return numbers;
}

LayerSpec some_layer(int n_in, int n_out, Tile tile, double scale, bool is_turned = false) {
  LayerSpec layer;
  layer.name = "levels.0";
  layer.n_in = n_in;
  layer.n_out = n_out;
  layer.tile = tile;
  for (std::size_t d = 0; d < 2; ++d) {
    layer.grid.a[d][d] = scale;
    layer.grid.b[d] = 0.3 * static_cast<double>(d);
    if (is_turned) layer.grid.a[d][1 - d] = d == 0 ? 0.37 * scale : -0.61 * scale;
  }
  return layer;
}

/// A batch in the order of its experts.
struct SortedBatch {
  SortedBatch(const LayerSpec& layer, std::vector<float> batch_coords)
      : n(static_cast<int64_t>(batch_coords.size()) / 2),
        n_experts(layer.n_experts()),
        coords(std::move(batch_coords)),
        experts(static_cast<std::size_t>(n)),
        starts(static_cast<std::size_t>(n_experts * n_route_chunks(n))),
        order(static_cast<std::size_t>(n)),
        offsets(static_cast<std::size_t>(n_experts) + 1),
        tile_offsets(offsets.size()) {
    sort_by_expert({}, route_spec(layer, 2), n, kTileRows,
                   {coords.data(), experts.data(), starts.data(), order.data(), offsets.data(), tile_offsets.data()});
  }
  Buffer<const int> order_buffer() const { return {order.data(), n}; }
  Buffer<const int> offset_buffer() const { return {offsets.data(), n_experts + 1}; }
  Buffer<const int> tile_buffer() const { return {tile_offsets.data(), n_experts + 1}; }

  int64_t n;
  int n_experts;
  std::vector<float> coords;
  std::vector<int> experts;
  std::vector<int> starts;
  std::vector<int> order;
  std::vector<int> offsets;
  std::vector<int> tile_offsets;
};

void expect_sorted(const LayerSpec& layer, const std::vector<float>& coords) {
  const SortedBatch batch(layer, coords);
  std::vector<int> experts(static_cast<std::size_t>(batch.n));
  for (std::size_t i = 0; i < experts.size(); ++i) experts[i] = route_index(layer, 2, coords.data() + 2 * i);
  ASSERT_EQ(batch.experts, experts);
  std::vector<int> order(experts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return experts[static_cast<std::size_t>(a)] < experts[static_cast<std::size_t>(b)];
  });
  ASSERT_EQ(batch.order, order);
  int n_before = 0;
  int n_tiles = 0;
  for (int e = 0; e < batch.n_experts; ++e) {
    ASSERT_EQ(batch.offsets[static_cast<std::size_t>(e)], n_before);
    ASSERT_EQ(batch.tile_offsets[static_cast<std::size_t>(e)], n_tiles);
    const auto n = static_cast<int>(std::count(experts.begin(), experts.end(), e));
    n_before += n;
    n_tiles += (n + kTileRows - 1) / kTileRows;
  }
  ASSERT_EQ(batch.offsets.back(), batch.n);
  ASSERT_EQ(batch.tile_offsets.back(), n_tiles);
}

TEST(CudaKernels, SamplesAreSortedByTheExpertThatAllBackendsPick) {
  const std::vector<LayerSpec> layers = {some_layer(4, 4, {{1, 1, 1, 1}}, 1), some_layer(4, 4, {{2, 2, 1, 1}}, 8),
                                         some_layer(4, 4, {{3, 5, 1, 1}}, 100, true),
                                         some_layer(4, 4, {{40, 40, 1, 1}}, 1e7, true)};
  for_each_schedule([&] {
    for (const LayerSpec& layer : layers) {
      for (const std::size_t n : {0, 1, 31, 256, 1500}) {
        SCOPED_TRACE(testing::Message() << layer.n_experts() << " experts, " << n << " samples");
        std::vector<float> coords = some_numbers(2 * n, n, -0.5F, 1.5F);
        if (n > 100) {
          coords[7] = std::nanf("");
          coords[8] = 1e30F;
        }
        expect_sorted(layer, coords);
      }
    }
  });
  // Ties: on the boundaries of cells.
  std::vector<float> coords;
  for (int i = 0; i < 300; ++i) {
    coords.push_back(static_cast<float>(i) / 300);
    coords.push_back(static_cast<float>(i) / 64);
  }
  for (const double scale : {3.0, 300.0, 64.0}) {
    expect_sorted(some_layer(4, 4, {{3, 4, 1, 1}}, scale), coords);
    expect_sorted(some_layer(4, 4, {{3, 4, 1, 1}}, scale, true), coords);
  }
}

TEST(CudaKernels, EncodingHasTheBitsOfEncode) {
  InputSpec constant;
  constant.kind = InputKind::Constant;
  InputSpec centred;
  centred.n_frequencies = 3;
  centred.coordinate_range = {-1, 1};
  const std::vector<InputSpec> inputs = {{.n_frequencies = 10},
                                         {.n_frequencies = 13, .include_coordinates = false},
                                         {.n_frequencies = 0},
                                         centred,
                                         constant};
  const std::vector<float> coords = some_numbers(3 * 50, 1, 0, 1);
  for (const InputSpec& input : inputs) {
    const auto width = static_cast<std::size_t>(input.encoding_width(3));
    const std::size_t row_size = (width + 7) / 8 * 8;
    for_each_schedule([&] {
      std::vector<float> rows(50 * row_size, -7);
      std::vector<Bf16> halves(rows.size());
      encode_inputs({}, encode_spec(input, 3), 50, static_cast<int>(row_size), coords.data(), rows.data());
      encode_inputs({}, encode_spec(input, 3), 50, static_cast<int>(row_size), coords.data(), halves.data());
      std::vector<float> expected(width);
      for (std::size_t i = 0; i < 50; ++i) {
        encode(input, 3, coords.data() + 3 * i, expected.data());
        for (std::size_t k = 0; k < row_size; ++k) {
          const float value = k < width ? expected[k] : 0;
          ASSERT_EQ(rows[i * row_size + k], value) << i << " " << k;
          ASSERT_EQ(halves[i * row_size + k].bits, to_bf16(value).bits) << i << " " << k;
        }
      }
    });
  }
}

/// Numbers in rows that begin at multiples of 16 bytes; what lies behind a row's end is NaN, for nobody may use it.
template <typename Number>
class Rows {
 public:
  Rows(std::size_t n_rows, int width) : n_rows_(n_rows), width_(width), memory_(n_rows * stride() / kPerUnit + 1) {
    for (std::size_t i = 0; i < size(); ++i) store(data()[i], std::nanf(""));
  }
  Rows(const std::vector<float>& values, int width) : Rows(values.size() / static_cast<std::size_t>(width), width) {
    for (std::size_t i = 0; i < values.size(); ++i) store((*this)(i / row_width(), i % row_width()), values[i]);
  }
  int stride() const { return (width_ + 7) / 8 * 8; }
  std::size_t size() const { return n_rows_ * static_cast<std::size_t>(stride()); }
  Number* data() { return reinterpret_cast<Number*>(memory_.data()); }
  Number& operator()(std::size_t row, std::size_t column) {
    return data()[row * static_cast<std::size_t>(stride()) + column];
  }
  /// As the kernels see them: rounded.
  std::vector<double> numbers() {
    std::vector<double> all;
    for (std::size_t i = 0; i < n_rows_ * row_width(); ++i) {
      all.push_back(number_of((*this)(i / row_width(), i % row_width())));
    }
    return all;
  }
  Buffer<Number> buffer() { return {data(), static_cast<int64_t>(size())}; }
  Buffer<const Number> const_buffer() { return {data(), static_cast<int64_t>(size())}; }

 private:
  struct alignas(16) Unit {
    std::byte bytes[16];
  };
  static constexpr std::size_t kPerUnit = 16 / sizeof(Number);
  std::size_t row_width() const { return static_cast<std::size_t>(width_); }
  std::size_t n_rows_;
  int width_;
  std::vector<Unit> memory_;
};

std::vector<double> magnitudes(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

/// Bound on the error of a sum of n products in f32 whose operands are rounded once more by `unit`, as a share of the
/// sum of their magnitudes.
double share_of_error(double unit, std::size_t n) {
  return 2 * unit + unit * unit + 1.01 * (static_cast<double>(n) + 2) * kUnitF32;
}

template <typename Math>
constexpr double kOperandUnit = std::is_same_v<Math, Tf32> ? kUnitTf32 : 0;  // bf16 operands are bf16 already
template <typename Out>
constexpr double kStoredUnit = std::is_same_v<Out, Bf16> ? kUnitBf16 : kUnitF32;

std::vector<ExpertBlend> blends_of(const LayerSpec& layer, const std::vector<float>& coords) {
  std::vector<ExpertBlend> blends;
  for (std::size_t i = 0; i < coords.size() / 2; ++i) blends.push_back(route_blend(layer, 2, coords.data() + 2 * i));
  return blends;
}

/// One layer on one batch: the kernels' results and the reference's with bounds.
template <typename Math, typename Out>
void check_forward(const LayerSpec& layer, std::size_t n, double slope) {
  using Number = typename Math::Number;
  SortedBatch batch(layer, some_numbers(2 * n, 3, 0, 1));
  const auto n_in = static_cast<std::size_t>(layer.n_in);
  const auto n_out = static_cast<std::size_t>(layer.n_out);
  const auto n_rows = static_cast<std::size_t>(layer.n_experts()) * n_out;
  Rows<Number> x(some_numbers(n * n_in, 4), layer.n_in);
  Rows<Number> w(some_numbers(n_rows * n_in, 5), layer.n_in);
  const std::vector<float> bias = some_numbers(n_out, 6);
  Rows<Out> y(n, layer.n_out);
  const ProductShape shape{batch.n,     layer.n_experts(), layer.n_in, layer.n_out,
                           layer.n_out, x.stride(),        w.stride(), y.stride()};
  const ProductArguments<Number, Out> product{
      shape,     x.const_buffer(), w.const_buffer(), batch.order_buffer(), batch.offset_buffer(), batch.tile_buffer(),
      y.buffer()};
  multiply_by_experts<Math>(
      {}, product, LayerEpilogue<Number>{{bias.data(), layer.n_out}, {nullptr, 0}, 0, static_cast<float>(slope)});
  const std::vector<ExpertBlend> blends = blends_of(layer, batch.coords);
  const std::vector<double> b(bias.begin(), bias.end());
  std::vector<double> expected(n * n_out);
  std::vector<double> sizes(n * n_out);
  reference::expert_linear_forward(layer, blends, w.numbers(), b, x.numbers(), expected);
  reference::expert_linear_forward(layer, blends, magnitudes(w.numbers()), magnitudes(b), magnitudes(x.numbers()),
                                   sizes);
  const double share = share_of_error(kOperandUnit<Math>, n_in + 1);
  const std::vector<double> found = y.numbers();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double value = expected[i] > 0 ? expected[i] : static_cast<float>(slope) * expected[i];
    const double bound = share * sizes[i] + 1.01 * (kStoredUnit<Out> + kUnitF32) * (std::abs(value) + share * sizes[i]);
    ASSERT_NEAR(found[i], value, bound) << i;
  }
}

const std::vector<LayerSpec>& layers() {
  static const std::vector<LayerSpec> all = {
      some_layer(64, 64, {{2, 2, 1, 1}}, 4),   // Table 5's
      some_layer(100, 70, {{3, 1, 1, 1}}, 7),  // partial blocks and turns
      some_layer(5, 3, {{1, 1, 1, 1}}, 1),
  };
  return all;
}

TEST(CudaKernels, ForwardIsTheReferences) {
  const auto check = [](const LayerSpec& layer, std::size_t n) {
    SCOPED_TRACE(testing::Message() << layer.n_in << " to " << layer.n_out << ", " << n << " samples");
    check_forward<PlainF32, float>(layer, n, 0.2);
    check_forward<Tf32, float>(layer, n, 0.2);
    check_forward<Bf16Products, Bf16>(layer, n, 0.2);
    check_forward<Bf16Products, float>(layer, n, 1);
  };
  for_each_schedule([&] {
    for (const LayerSpec& layer : layers()) check(layer, 100);
  });
  check(layers()[1], 1);
}

/// dL/dx phi'(x) by transposed copies of the weights.
template <typename Math>
void check_input_gradient(const LayerSpec& layer, std::size_t n) {
  using Number = typename Math::Number;
  SortedBatch batch(layer, some_numbers(2 * n, 3, 0, 1));
  const auto n_in = static_cast<std::size_t>(layer.n_in);
  const auto n_out = static_cast<std::size_t>(layer.n_out);
  const auto n_experts = static_cast<std::size_t>(layer.n_experts());
  Rows<Number> z(some_numbers(n * n_out, 7), layer.n_out);
  Rows<Number> x(some_numbers(n * n_in, 4), layer.n_in);
  Rows<Number> w(n_experts * n_out, layer.n_in);
  Rows<Number> transposed(n_experts * n_in, layer.n_out);
  Rows<Number> gradient(n, layer.n_in);
  const auto n_weights = static_cast<int64_t>(n_experts * n_out * n_in);
  std::vector<float> params = some_numbers(static_cast<std::size_t>(n_weights), 5);
  const WeightPlaces places{layer.n_experts(), layer.n_in, layer.n_out, 1, layer.n_in, {nullptr, 0}};
  write_copies({}, n_weights, params.data(),
               WeightCopies<Number, Number>{places, w.stride(), transposed.stride(), w.buffer(), transposed.buffer()});
  const ProductShape shape{batch.n,    layer.n_experts(), layer.n_out,         layer.n_in,
                           layer.n_in, z.stride(),        transposed.stride(), gradient.stride()};
  const ProductArguments<Number, Number> product{shape,
                                                 z.const_buffer(),
                                                 transposed.const_buffer(),
                                                 batch.order_buffer(),
                                                 batch.offset_buffer(),
                                                 batch.tile_buffer(),
                                                 gradient.buffer()};
  multiply_by_experts<Math>({}, product,
                            GradientEpilogue<Number, Number>{x.const_buffer(), x.stride(), 0.2F, {nullptr, 0}, 0});
  const std::vector<ExpertBlend> blends = blends_of(layer, batch.coords);
  const auto gradients_of = [&](const std::vector<double>& weights, const std::vector<double>& grads) {
    std::vector<double> result(n * n_in);
    std::vector<double> weight_grads(weights.size());
    std::vector<double> bias_grads(n_out);
    reference::expert_linear_backward(layer, blends, weights, x.numbers(), grads, weight_grads, bias_grads, result);
    return result;
  };
  const std::vector<double> expected = gradients_of(w.numbers(), z.numbers());
  const std::vector<double> sizes = gradients_of(magnitudes(w.numbers()), magnitudes(z.numbers()));
  const double share = share_of_error(kOperandUnit<Math>, n_out);
  const std::vector<double> found = gradient.numbers();
  const std::vector<double> inputs = x.numbers();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double value = inputs[i] > 0 ? expected[i] : double{0.2F} * expected[i];
    const double bound =
        share * sizes[i] + 1.01 * (kStoredUnit<Number> + kUnitF32) * (std::abs(value) + share * sizes[i]);
    ASSERT_NEAR(found[i], value, bound) << i;
  }
}

TEST(CudaKernels, TheInputsGradientIsTheReferences) {
  for_each_schedule([] {
    for (const LayerSpec& layer : layers()) {
      SCOPED_TRACE(testing::Message() << layer.n_in << " to " << layer.n_out);
      check_input_gradient<PlainF32>(layer, 100);
      check_input_gradient<Tf32>(layer, 100);
      check_input_gradient<Bf16Products>(layer, 100);
    }
  });
}

template <typename Math>
void check_weight_gradient(const LayerSpec& layer, std::size_t n, int n_splits) {
  using Number = typename Math::Number;
  SortedBatch batch(layer, some_numbers(2 * n, 3, 0, 1));
  const auto n_in = static_cast<std::size_t>(layer.n_in);
  const auto n_out = static_cast<std::size_t>(layer.n_out);
  const std::size_t n_weights = static_cast<std::size_t>(layer.n_experts()) * n_in * n_out;
  Rows<Number> z(some_numbers(n * n_out, 7), layer.n_out);
  Rows<Number> x(some_numbers(n * n_in, 4), layer.n_in);
  std::vector<float> partials(static_cast<std::size_t>(n_splits) * n_weights, std::nanf(""));
  const WeightGradientArguments<Number> arguments{batch.n,
                                                  layer.n_experts(),
                                                  layer.n_in,
                                                  layer.n_out,
                                                  x.stride(),
                                                  z.stride(),
                                                  n_splits,
                                                  false,
                                                  x.const_buffer(),
                                                  z.const_buffer(),
                                                  batch.order_buffer(),
                                                  batch.offset_buffer(),
                                                  {partials.data(), static_cast<int64_t>(partials.size())}};
  find_weight_gradients<Math>({}, arguments);
  std::vector<float> bias_partials(static_cast<std::size_t>(n_bias_chunks(batch.n)) * n_out);
  find_bias_gradients({}, batch.n, layer.n_out, z.stride(), z.data(), bias_partials.data());

  const std::vector<ExpertBlend> blends = blends_of(layer, batch.coords);
  const std::vector<double> w(n_weights);
  std::vector<double> expected(n_weights);
  std::vector<double> sizes(n_weights);
  std::vector<double> bias(n_out);
  std::vector<double> bias_sizes(n_out);
  std::vector<double> unused(n * n_in);
  reference::expert_linear_backward(layer, blends, w, x.numbers(), z.numbers(), expected, bias, unused);
  reference::expert_linear_backward(layer, blends, w, magnitudes(x.numbers()), magnitudes(z.numbers()), sizes,
                                    bias_sizes, unused);
  const double share = share_of_error(kOperandUnit<Math>, n);
  for (std::size_t i = 0; i < n_weights; ++i) {
    double sum = 0;
    for (std::size_t split = 0; split < static_cast<std::size_t>(n_splits); ++split) {
      sum += partials[split * n_weights + i];
    }
    ASSERT_NEAR(sum, expected[i], share * sizes[i]) << i;
  }
  for (std::size_t i = 0; i < n_out; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < bias_partials.size() / n_out; ++k) sum += bias_partials[k * n_out + i];
    ASSERT_NEAR(sum, bias[i], share_of_error(0, n) * bias_sizes[i]) << i;
  }
}

TEST(CudaKernels, WeightGradientsAreTheReferences) {
  const auto check = [](const LayerSpec& layer, std::size_t n, int n_splits) {
    SCOPED_TRACE(testing::Message() << layer.n_in << " to " << layer.n_out << ", " << n_splits << " splits");
    check_weight_gradient<PlainF32>(layer, n, n_splits);
    check_weight_gradient<Tf32>(layer, n, n_splits);
    check_weight_gradient<Bf16Products>(layer, n, n_splits);
  };
  for_each_schedule([&] {
    check(layers()[0], 150, 1);
    check(layers()[1], 150, 2);
    check(layers()[2], 150, 3);
  });
  check(layers()[2], 2100, 2);  // chunks of the bias
  check(layers()[1], 1, 2);     // experts and splits without samples
}

TEST(CudaKernels, AdamAddsThePartsInOrder) {
  constexpr int64_t n = 300;
  std::vector<float> partials = some_numbers(3 * n, 8);
  AdamUpdate update;
  update.learning_rate = 0.01;
  update.t = 5;
  ParamState start;
  start.params = some_numbers(n, 9);
  start.adam_m = some_numbers(n, 10);
  start.adam_v = some_numbers(n, 11, 0, 1);
  ParamState expected = start;
  for (std::size_t i = 0; i < n; ++i) {
    const float gradient = partials[i] + partials[n + i] + partials[2 * n + i];
    adam_update(AdamScalars(update), gradient, expected.params[i], expected.adam_m[i], expected.adam_v[i]);
  }
  for_each_schedule([&] {
    ParamState found = start;
    Rows<Bf16> copies(30, 10);
    Rows<Bf16> transposed(30, 10);
    const WeightPlaces places{3, 10, 10, 1, 10, {nullptr, 0}};
    const AdamScalars scalars(update);
    const double loss = 1;
    const auto run = [&](const double& of_loss) {
      const WeightCopies<Bf16, Bf16> to{places, 16, 16, copies.buffer(), transposed.buffer()};
      update_by_adam({}, n, WeightGradient{places, 3, {partials.data(), 3 * n}},
                     ParamUpdate<WeightCopies<Bf16, Bf16>>{{{&scalars, 1}, {&of_loss, 1}},
                                                           {found.params.data(), n},
                                                           {found.adam_m.data(), n},
                                                           {found.adam_v.data(), n},
                                                           to});
    };
    const double infinite = std::numeric_limits<double>::infinity();
    run(infinite);
    run(std::nan(""));
    EXPECT_EQ(found.params, start.params) << "a loss that is not finite changes nothing";
    EXPECT_EQ(found.adam_m, start.adam_m);
    run(loss);
    EXPECT_EQ(found.params, expected.params);
    EXPECT_EQ(found.adam_m, expected.adam_m);
    EXPECT_EQ(found.adam_v, expected.adam_v);
    for (std::size_t i = 0; i < n; ++i) {
      const uint16_t bits = to_bf16(expected.params[i]).bits;
      ASSERT_EQ(copies(i / 10, i % 10).bits, bits);
      ASSERT_EQ(transposed(i / 100 * 10 + i % 10, i / 10 % 10).bits, bits);
    }
  });
}

}  // namespace
}  // namespace loe::cuda
