// The same arithmetic in plain C++, for any processor.
#include <cmath>

#include "rowwise.hpp"

namespace granite {
namespace {

float silu(float x) { return x / (1.0f + std::exp(-x)); }

float scale_of(const float* x, int64_t width, float eps) {
  float squares = 0.0f;
  for (int64_t i = 0; i < width; ++i) squares = std::fma(x[i], x[i], squares);
  return 1.0f / std::sqrt(squares / static_cast<float>(width) + eps);
}

void rms_norm(const float* x, const float* weight, float eps, int64_t width, float* y) {
  const float scale = scale_of(x, width, eps);
  for (int64_t i = 0; i < width; ++i) y[i] = weight[i] * (x[i] * scale);
}

void gated_rms_norm(const float* x, const float* gate, const float* weight, float eps,
                    int64_t groups, int64_t width, float* y) {
  for (int64_t i = 0; i < width; ++i) y[i] = x[i] * silu(gate[i]);
  const int64_t part = width / groups;
  for (int64_t g = 0; g < groups; ++g) rms_norm(y + g * part, weight + g * part, eps, part, y + g * part);
}

void silu_and_multiply(const float* x, int64_t width, float* y) {
  for (int64_t i = 0; i < width; ++i) y[i] = silu(x[i]) * x[width + i];
}

void convolve_silu(const float* const* inputs, const float* weight, const float* bias, int64_t taps,
                   int64_t channels, float* y) {
  for (int64_t i = 0; i < channels; ++i) {
    float sum = bias[i];
    for (int64_t t = 0; t < taps; ++t) sum = std::fma(inputs[t][i], weight[t * channels + i], sum);
    y[i] = silu(sum);
  }
}

}  // namespace

const RowKernels& generic_row_kernels() {
  static const RowKernels kernels{"generic", rms_norm, gated_rms_norm, silu_and_multiply,
                                  convolve_silu};
  return kernels;
}

}  // namespace granite
