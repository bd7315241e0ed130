// Eight floats at a time: what the *_vectors.inc files are written in. Include only where AVX2 and FMA
// are enabled.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "prefetch.hpp"

namespace granite {
namespace {

using Vector = __m256;
constexpr int64_t kLanes = 8;

// Called for each piece of kBytes that is about to be read.
template <int64_t kBytes>
void prefetch(const void* piece) {
  prefetch_ahead<kBytes, 2048, _MM_HINT_T0>(piece);
}

inline Vector broadcast(float x) { return _mm256_set1_ps(x); }
inline Vector load(const float* from) { return _mm256_loadu_ps(from); }
inline void store(float* to, Vector values) { _mm256_storeu_ps(to, values); }

// The first lanes only, fewer than all: the others read as zero, and are not written.
inline __m256i first_lanes(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vector load_first(int64_t count, const float* from) {
  return _mm256_maskload_ps(from, first_lanes(count));
}
inline void store_first(int64_t count, float* to, Vector values) {
  _mm256_maskstore_ps(to, first_lanes(count), values);
}

// a * b + c and c - a * b, rounded once.
inline Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector negated_fma(Vector a, Vector b, Vector c) { return _mm256_fnmadd_ps(a, b, c); }

// If either is NaN, the second.
inline Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
inline Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }

inline float first(Vector values) { return _mm256_cvtss_f32(values); }
inline float sum(Vector values) {
  const __m128 four =
      _mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float largest(Vector values) {
  const __m128 four =
      _mm_max_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// To the nearest integer, ties to even.
inline Vector round(Vector values) {
  return _mm256_round_ps(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// values * 2^power for whole powers from -252 to 254, rounded once: a result too small for an
// ordinary exponent is reached from one that is not.
inline Vector scale_by_power(Vector values, Vector power) {
  const __m256i whole = _mm256_cvtps_epi32(power);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const auto power_of_two = [](__m256i exponent) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23));
  };
  return values * power_of_two(half) * power_of_two(_mm256_sub_epi32(whole, half));
}

}  // namespace
}  // namespace granite
