// Compiled with AVX-512 enabled.
#include <immintrin.h>

#include "packing.hpp"

namespace granite {
namespace {

float error_of(const float* group, float scale) {
  const __m512 inverse = _mm512_set1_ps(1.0f / scale), factor = _mm512_set1_ps(scale);
  __m512 total = _mm512_setzero_ps();
  for (int i = 0; i < kGroup; i += 16) {
    const __m512 value = _mm512_loadu_ps(group + i);
    const __m512 rounded = _mm512_roundscale_ps(_mm512_mul_ps(value, inverse),
                                                _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 step =
        _mm512_min_ps(_mm512_max_ps(rounded, _mm512_set1_ps(-8.0f)), _mm512_set1_ps(7.0f));
    const __m512 error = _mm512_fmsub_ps(step, factor, value);
    total = _mm512_fmadd_ps(error, error, total);
  }
  return _mm512_reduce_add_ps(total);
}

}  // namespace
}  // namespace granite

#include "packing_kernel.inc"

namespace granite {

const PackingKernels& avx512_packing_kernels() {
  static const PackingKernels kernels{pack_panel};
  return kernels;
}

}  // namespace granite
