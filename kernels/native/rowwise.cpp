#include "rowwise.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "thread_pool.hpp"

namespace granite {

namespace {

// The input `back` rows before row r: of this step, or of the window.
const float* input_at(const ConvolvedRows& s, int64_t row, int64_t stride, int64_t kept,
                      int64_t channels) {
  return row >= 0 ? s.x + row * stride : s.window + (kept + row) * channels;
}

void advance_window(ConvolvedRows& s, int64_t stride, int64_t kept, int64_t channels) {
  for (int64_t i = 0; i < kept; ++i) {
    const float* from = input_at(s, s.rows - kept + i, stride, kept, channels);
    std::memmove(s.window + i * channels, from, channels * sizeof(float));
  }
}

}  // namespace

void time_step(const float* x, const float* bias, float low, float high, int64_t width, float* y) {
  for (int64_t i = 0; i < width; ++i) {
    const float z = x[i] + bias[i];
    const float soft = std::max(z, 0.0f) + std::log1p(std::exp(-std::fabs(z)));
    y[i] = std::min(std::max(soft, low), high);
  }
}

void convolve(ThreadPool& pool, const RowKernels& kernels, int64_t num_sequences,
              ConvolvedRows* sequences, int64_t input_stride, const float* weight,
              const float* bias, int64_t taps, int64_t channels) {
  for (int64_t i = 0; i < num_sequences; ++i) {
    ConvolvedRows& s = sequences[i];
    pool.run(s.rows, [&](int64_t row) {
      const float* inputs[kMaxTaps];
      for (int64_t t = 0; t < taps; ++t)
        inputs[t] = input_at(s, row - taps + 1 + t, input_stride, taps - 1, channels);
      kernels.convolve_silu(inputs, weight, bias, taps, channels, s.y + row * channels);
    });
    advance_window(s, input_stride, taps - 1, channels);
  }
}

}  // namespace granite
