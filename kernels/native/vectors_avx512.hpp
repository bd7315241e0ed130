// Sixteen floats at a time: what the *_vectors.inc files are written in. Include only where AVX-512 is
// enabled.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "prefetch.hpp"

namespace granite {
namespace {

using Vector = __m512;
constexpr int64_t kLanes = 16;

// Called for each piece of kBytes that is about to be read.
template <int64_t kBytes>
void prefetch(const void* piece) {
  prefetch_ahead<kBytes, 8192, _MM_HINT_T1>(piece);
  prefetch_ahead<kBytes, 1024, _MM_HINT_T0>(piece);
}

inline Vector broadcast(float x) { return _mm512_set1_ps(x); }
inline Vector load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(float* to, Vector values) { _mm512_storeu_ps(to, values); }

// The first lanes only, fewer than all: the others read as zero, and are not written.
inline __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
inline Vector load_first(int64_t count, const float* from) {
  return _mm512_maskz_loadu_ps(first_lanes(count), from);
}
inline void store_first(int64_t count, float* to, Vector values) {
  _mm512_mask_storeu_ps(to, first_lanes(count), values);
}

// a * b + c and c - a * b, rounded once.
inline Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
inline Vector negated_fma(Vector a, Vector b, Vector c) { return _mm512_fnmadd_ps(a, b, c); }

// If either is NaN, the second.
inline Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }
inline Vector smaller(Vector a, Vector b) { return _mm512_min_ps(a, b); }

inline float sum(Vector values) { return _mm512_reduce_add_ps(values); }
inline float largest(Vector values) { return _mm512_reduce_max_ps(values); }
inline float first(Vector values) { return _mm512_cvtss_f32(values); }

// To the nearest integer, ties to even.
inline Vector round(Vector values) {
  return _mm512_roundscale_ps(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// values * 2^power for whole powers, rounded once.
inline Vector scale_by_power(Vector values, Vector power) {
  return _mm512_scalef_ps(values, power);
}

}  // namespace
}  // namespace granite
