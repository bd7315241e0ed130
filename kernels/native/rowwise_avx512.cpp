// Compiled with AVX-512 enabled. Rests that fill no whole register are masked, so that every element
// goes through the same operations wherever it stands.
#include <cmath>

#include "rowwise.hpp"
#include "vector_math.hpp"

namespace granite {
namespace {

template <typename Body>
void for_lanes(int64_t width, Body body) {
  int64_t i = 0;
  for (; i + 16 <= width; i += 16) body(i, static_cast<__mmask16>(0xffff));
  if (i < width) body(i, static_cast<__mmask16>((1u << (width - i)) - 1));
}

__m512 load(const float* from, __mmask16 lanes) { return _mm512_maskz_loadu_ps(lanes, from); }
void store(float* to, __mmask16 lanes, __m512 value) { _mm512_mask_storeu_ps(to, lanes, value); }

void rms_norm(const float* x, const float* weight, float eps, int64_t width, float* y) {
  __m512 squares = _mm512_setzero_ps();
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    const __m512 value = load(x + i, lanes);
    squares = _mm512_fmadd_ps(value, value, squares);
  });
  const float mean = _mm512_reduce_add_ps(squares) / static_cast<float>(width);
  const __m512 scale = _mm512_set1_ps(1.0f / std::sqrt(mean + eps));
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    const __m512 scaled = _mm512_mul_ps(load(x + i, lanes), scale);
    store(y + i, lanes, _mm512_mul_ps(load(weight + i, lanes), scaled));
  });
}

void gated_rms_norm(const float* x, const float* gate, const float* weight, float eps,
                    int64_t groups, int64_t width, float* y) {
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    store(y + i, lanes, _mm512_mul_ps(load(x + i, lanes), silu(load(gate + i, lanes))));
  });
  const int64_t part = width / groups;
  for (int64_t g = 0; g < groups; ++g)
    rms_norm(y + g * part, weight + g * part, eps, part, y + g * part);
}

void silu_and_multiply(const float* x, int64_t width, float* y) {
  for_lanes(width, [&](int64_t i, __mmask16 lanes) {
    store(y + i, lanes, _mm512_mul_ps(silu(load(x + i, lanes)), load(x + width + i, lanes)));
  });
}

void convolve_silu(const float* const* inputs, const float* weight, const float* bias, int64_t taps,
                   int64_t channels, float* y) {
  for_lanes(channels, [&](int64_t i, __mmask16 lanes) {
    __m512 sum = load(bias + i, lanes);
    for (int64_t t = 0; t < taps; ++t)
      sum = _mm512_fmadd_ps(load(inputs[t] + i, lanes), load(weight + t * channels + i, lanes), sum);
    store(y + i, lanes, silu(sum));
  });
}

}  // namespace

const RowKernels& avx512_row_kernels() {
  static const RowKernels kernels{"avx512", rms_norm, gated_rms_norm, silu_and_multiply,
                                  convolve_silu};
  return kernels;
}

}  // namespace granite
