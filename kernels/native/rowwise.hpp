// Operations on single rows between the linear layers. Each row is computed by itself, in the same
// order of operations whatever the batch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "thread_pool.hpp"

namespace granite {

// One sequence's rows in the convolution. `window` holds its newest `kernel - 1` earlier inputs.
struct ConvolvedRows {
  int64_t rows;
  const float* x;  // (rows, channels), row stride input_stride
  float* window;   // (kernel - 1, channels); advanced to this step's end
  float* y;        // (rows, channels) contiguous
};

struct RowKernels {
  const char* name;
  // y = weight * x / rms(x)
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t width, float* y);
  // z = x * silu(gate); y = weight * z / rms(z) within equal groups
  void (*gated_rms_norm)(const float* x, const float* gate, const float* weight, float eps,
                         int64_t groups, int64_t width, float* y);
  // y = silu(x[0..width)) * x[width..2 width)
  void (*silu_and_multiply)(const float* x, int64_t width, float* y);
  // y = silu(bias + sum_t weight[t] * inputs[t]); weight is (taps, channels), inputs oldest first
  void (*convolve_silu)(const float* const* inputs, const float* weight, const float* bias,
                        int64_t taps, int64_t channels, float* y);
};

const RowKernels& generic_row_kernels();
#if defined(__x86_64__)
const RowKernels& avx2_row_kernels();
const RowKernels& avx512_row_kernels();
#endif

// y = clamp(log(1 + exp(x + bias)), low, high): too few numbers to gain from vectors.
void time_step(const float* x, const float* bias, float low, float high, int64_t width, float* y);

constexpr int64_t kMaxTaps = 8;

void convolve(ThreadPool& pool, const RowKernels& kernels, int64_t num_sequences,
              ConvolvedRows* sequences, int64_t input_stride, const float* weight,
              const float* bias, int64_t taps, int64_t channels);

// Rows a task takes of a row-wise operation: enough to outweigh handing it over.
constexpr int64_t kRowsPerTask = 4;

template <typename Body>
void for_rows(ThreadPool& pool, int64_t rows, Body body) {
  pool.run((rows + kRowsPerTask - 1) / kRowsPerTask, [&](int64_t task) {
    const int64_t end = std::min(rows, (task + 1) * kRowsPerTask);
    for (int64_t r = task * kRowsPerTask; r < end; ++r) body(r);
  });
}

}  // namespace granite
