#include "linear.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "instruction_set.hpp"
#include "thread_pool.hpp"

namespace granite {

namespace {

// Rows processed together keep their packed form in the second-level cache.
constexpr int64_t kRowBlockBytes = 1 << 20;

struct Scratch {
  std::vector<int8_t> values;
  std::vector<float> scales;
  std::vector<int32_t> corrections;
  std::vector<uint16_t> bfloat16;
};

int64_t group_bytes(Format format) {
  return format == Format::kInt8 ? 512 : format == Format::kInt4 ? 256 : 1024;
}

int32_t zero_point(Format format) { return format == Format::kInt8 ? 128 : 8; }

Panel panel_at(Format format, const uint8_t* packed, int64_t inputs, int64_t number) {
  const int64_t groups = inputs / kGroup;
  const uint8_t* start = packed + number * panel_bytes(format, inputs);
  if (format == Format::kBfloat16) return {nullptr, start};
  return {reinterpret_cast<const uint16_t*>(start), start + groups * kPanel * 2};
}

PackedRows pack_rows(ThreadPool& pool, const LinearKernels& kernels, Format format, const float* x,
                     int64_t rows, int64_t inputs, Scratch& scratch) {
  const int64_t groups = inputs / kGroup;
  const int64_t per_task = 8;
  const int64_t tasks = (rows + per_task - 1) / per_task;
  if (format == Format::kBfloat16) {
    scratch.bfloat16.resize(rows * inputs);
  } else {
    scratch.values.resize(rows * inputs);
    scratch.scales.resize(rows * groups);
    scratch.corrections.resize(rows * groups);
  }
  pool.run(tasks, [&](int64_t task) {
    for (int64_t r = task * per_task; r < std::min(rows, (task + 1) * per_task); ++r) {
      if (format == Format::kBfloat16) {
        kernels.round_row(x + r * inputs, inputs, scratch.bfloat16.data() + r * inputs);
      } else {
        kernels.quantize_row(x + r * inputs, inputs, zero_point(format),
                             scratch.values.data() + r * inputs, scratch.scales.data() + r * groups,
                             scratch.corrections.data() + r * groups);
      }
    }
  });
  return {scratch.values.data(), scratch.scales.data(), scratch.corrections.data(),
          scratch.bfloat16.data()};
}

}  // namespace

int64_t panel_bytes(Format format, int64_t inputs) {
  const int64_t scales = format == Format::kBfloat16 ? 0 : kPanel * 2;
  return inputs / kGroup * (group_bytes(format) + scales);
}

void linear(ThreadPool& pool, const LinearKernels& kernels, Format format, const float* x,
            int64_t rows, int64_t inputs, const uint8_t* packed, int64_t outputs, float* y) {
  static thread_local Scratch scratch;
  const int64_t row_bytes = format == Format::kBfloat16 ? inputs * 2 : inputs;
  const int64_t row_block = std::max(kRowTile, kRowBlockBytes / row_bytes / kRowTile * kRowTile);
  const int64_t panels = outputs / kPanel;
  const int64_t tasks = std::min<int64_t>(panels, pool.num_threads() * 8);
  for (int64_t first = 0; first < rows; first += row_block) {
    const int64_t count = std::min(row_block, rows - first);
    const PackedRows packed_rows =
        pack_rows(pool, kernels, format, x + first * inputs, count, inputs, scratch);
    pool.run(tasks, [&](int64_t task) {
      for (int64_t p = task * panels / tasks; p < (task + 1) * panels / tasks; ++p) {
        const Panel panel = panel_at(format, packed, inputs, p);
        for (int64_t r = 0; r < count; r += kRowTile) {
          kernels.tile[static_cast<int>(format)](packed_rows, r, std::min(kRowTile, count - r),
                                                 inputs, panel,
                                                 y + (first + r) * outputs + p * kPanel, outputs);
        }
      }
    });
  }
}

const LinearKernels& best_linear_kernels() {
#if defined(__x86_64__)
  if (has_avx512() && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16"))
    return avx512_linear_kernels();
#endif
  return generic_linear_kernels();
}

}  // namespace granite
