// Does this device do what warpgroup.h says?
#pragma once

#include "backend/cuda/device/warpgroup.h"

namespace loe::cuda {
inline namespace LOE_EXECUTION {

/// Numbers of probe_warpgroups's memory: a panel of 64 rows and one of 128.
inline constexpr int kProbeSize = panel_size(64) + panel_size(128);
inline constexpr int kProbeBytes = kPanelAlignment + kProbeSize * static_cast<int>(sizeof(Bf16));
/// What probe_warpgroups finds: the worst of these.
enum ProbeResult { kProductsAreRight = 0, kProductsAreWrong = 1, kNoProducts = 2 };

/// kWarpgroupThreads; one block. Products of small integers, exact in any order, in both layouts: what a device makes
/// of PanelOperand shows here before anything is trained with it.
LOE_KERNEL void probe_warpgroups(Buffer<int> result) {
  if (!kHasWarpgroups) {
    atomic_max(result, 0, kNoProducts);
    return;
  }
  constexpr int kRight = panel_size(64);
  const auto memory = dynamic_memory<Bf16>(first_multiple(kPanelAlignment), kProbeSize);
  const auto left = [](int row, int column) { return static_cast<float>((3 * row + 5 * column) % 11 - 5); };
  const auto right = [](int row, int column) { return static_cast<float>((7 * row + 2 * column) % 13 - 6); };
  for (int i = thread_index(); i < 128 * kPanelColumns; i += kWarpgroupThreads) {
    const int row = i / kPanelColumns;
    const int column = i % kPanelColumns;
    if (row < 64) store(memory[panel_at(row, column)], left(row, column));
    store(memory[kRight + panel_at(row, column)], right(row, column));
  }
  publish_panels();
  sync_block();
  float by_rows[64];
  float by_columns[64];
  float narrow[32];
  for (float& sum : by_rows) sum = 0;
  for (float& sum : by_columns) sum = 0;
  for (float& sum : narrow) sum = 0;
  begin_products();
  for (int k = 0; k < 64; k += kProductDepth) {
    const PanelOperand a = rows_of_panel(&memory[0], 0, k);
    multiply_panels<false, false>(by_rows, a, rows_of_panel(&memory[kRight], 0, k));
    multiply_panels<false, false>(narrow, a, rows_of_panel(&memory[kRight], 64, k));
    multiply_panels<true, true>(by_columns, columns_of_panels(&memory[0], 64, k),
                                columns_of_panels(&memory[kRight], 64, k));
  }
  commit_products();
  wait_products<0>();
  take_sums(by_rows);
  take_sums(by_columns);
  take_sums(narrow);
  bool is_right = true;
  LOE_UNROLL
  for (int i = 0; i < 64; ++i) {
    const int row = sum_row(i);
    const int column = sum_column(i);
    float rows = 0;
    float columns = 0;
    for (int k = 0; k < 64; ++k) {
      rows += left(row, k) * right(column, k);
      columns += left(k, row) * right(k + column / 64 * 64, column % 64);
    }
    is_right = is_right && by_rows[i] == rows && by_columns[i] == columns;
    if (i >= 32) is_right = is_right && narrow[i - 32] == rows;
  }
  if (!is_right) atomic_max(result, 0, kProductsAreWrong);
}

inline ProbeResult run_probe() {
  const OwnStream stream;
  DeviceArray<int> result(1);
  result.clear(stream.get());
  launch_with_memory(stream.get(), 1, kWarpgroupThreads, kProbeBytes, probe_warpgroups, result.buffer());
  int found = 0;
  result.download(stream.get(), &found, 1);
  finish(stream.get());
  return static_cast<ProbeResult>(found);
}

}  // namespace LOE_EXECUTION
}  // namespace loe::cuda
