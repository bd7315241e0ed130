// The AVX-512 instructions that the kernels use, in plain C++, for processors without them. Included before
// everything else into the files of that instruction set; a new intrinsic there wants a line here.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace emulated {

constexpr int kLanes = 16;

template <typename To, typename From>
To as(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To same;
  std::memcpy(&same, &value, sizeof same);
  return same;
}

template <typename T>
struct Lanes {
  T at[64 / sizeof(T)];
};

// One result lane from the same lane of every argument, all of them seen as lanes of T.
template <typename Result, typename T, typename Operation, typename... Vectors>
Result each(Operation operation, Vectors... vectors) {
  Lanes<T> result;
  for (int i = 0; i < static_cast<int>(64 / sizeof(T)); ++i)
    result.at[i] = operation(as<Lanes<T>>(vectors).at[i]...);
  return as<Result>(result);
}

template <typename Operation, typename... Vectors>
__m512 floats(Operation operation, Vectors... vectors) {
  return each<__m512, float>(operation, vectors...);
}

template <typename T, typename Operation, typename... Vectors>
__m512i integers(Operation operation, Vectors... vectors) {
  return each<__m512i, T>(operation, vectors...);
}

inline __m512 set1_ps(float x) { return floats([x](float) { return x; }, __m512{}); }
inline __m512i set1_epi32(int32_t x) { return integers<int32_t>([x](int32_t) { return x; }, __m512i{}); }
inline __m512i set1_epi8(int8_t x) { return integers<int8_t>([x](int8_t) { return x; }, __m512i{}); }

template <typename Vector>
Vector loadu(const void* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline void storeu_ps(float* to, __m512 values) { std::memcpy(to, &values, sizeof values); }

// Lanes that the mask leaves out are not touched in memory.
inline __m512 maskz_loadu_ps(__mmask16 mask, const float* from) {
  Lanes<float> result{};
  for (int i = 0; i < kLanes; ++i)
    if (mask >> i & 1) result.at[i] = from[i];
  return as<__m512>(result);
}
inline void mask_storeu_ps(float* to, __mmask16 mask, __m512 values) {
  for (int i = 0; i < kLanes; ++i)
    if (mask >> i & 1) to[i] = as<Lanes<float>>(values).at[i];
}

inline __m512 add_ps(__m512 a, __m512 b) { return a + b; }
inline __m512 sub_ps(__m512 a, __m512 b) { return a - b; }
inline __m512 mul_ps(__m512 a, __m512 b) { return a * b; }
inline __m512 fmadd_ps(__m512 a, __m512 b, __m512 c) {
  return floats([](float x, float y, float z) { return std::fma(x, y, z); }, a, b, c);
}
inline __m512 fnmadd_ps(__m512 a, __m512 b, __m512 c) { return fmadd_ps(-a, b, c); }
// Where either is NaN, the second.
inline __m512 max_ps(__m512 a, __m512 b) {
  return floats([](float x, float y) { return x > y ? x : y; }, a, b);
}
inline __m512 min_ps(__m512 a, __m512 b) {
  return floats([](float x, float y) { return x < y ? x : y; }, a, b);
}
inline __m512 round_to_even(__m512 a) {
  return floats([](float x) { return std::nearbyint(x); }, a);
}
inline __m512 scalef_ps(__m512 a, __m512 b) {
  return floats([](float x, float power) { return x * std::exp2(std::floor(power)); }, a, b);
}
template <int kOrder>
__m512 permute_ps(__m512 a) {
  Lanes<float> result;
  for (int i = 0; i < kLanes; ++i)
    result.at[i] = as<Lanes<float>>(a).at[i / 4 * 4 + (kOrder >> 2 * (i % 4) & 3)];
  return as<__m512>(result);
}

template <int kOrder>
__m512 shuffle_f32x4(__m512 a, __m512 b) {
  Lanes<float> result;
  for (int i = 0; i < kLanes; ++i)
    result.at[i] = as<Lanes<float>>(i < kLanes / 2 ? a : b).at[(kOrder >> 2 * (i / 4) & 3) * 4 + i % 4];
  return as<__m512>(result);
}

// By halves, as the compiler does it.
template <typename T, typename Vector, typename Operation>
T reduce(Vector values, Operation operation) {
  Lanes<T> lanes = as<Lanes<T>>(values);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes.at[i] = operation(lanes.at[i], lanes.at[i + half]);
  return lanes.at[0];
}
inline float reduce_add_ps(__m512 a) {
  return reduce<float>(a, [](float x, float y) { return x + y; });
}
inline float reduce_max_ps(__m512 a) {
  return reduce<float>(a, [](float x, float y) { return x > y ? x : y; });
}
inline int32_t reduce_add_epi32(__m512i a) {
  return reduce<int32_t>(a, [](int32_t x, int32_t y) { return x + y; });
}

inline __m512i add_epi32(__m512i a, __m512i b) {
  return integers<uint32_t>([](uint32_t x, uint32_t y) { return x + y; }, a, b);
}
inline __m512i and_si512(__m512i a, __m512i b) { return a & b; }
inline __m512i slli_epi32(__m512i a, int by) {
  return integers<uint32_t>([by](uint32_t x) { return x << by; }, a);
}
inline __m512i srli_epi16(__m512i a, int by) {
  return integers<uint16_t>([by](uint16_t x) { return static_cast<uint16_t>(x >> by); }, a);
}
// Four products of an unsigned and a signed byte, and the sum so far: exact in 32 bits.
inline __m512i dpbusd_epi32(__m512i sums, __m512i a, __m512i b) {
  Lanes<int32_t> result = as<Lanes<int32_t>>(sums);
  for (int i = 0; i < 4 * kLanes; ++i)
    result.at[i / 4] += as<Lanes<uint8_t>>(a).at[i] * as<Lanes<int8_t>>(b).at[i];
  return as<__m512i>(result);
}

inline __m512 cvtepi32_ps(__m512i a) {
  Lanes<float> result;
  for (int i = 0; i < kLanes; ++i) result.at[i] = static_cast<float>(as<Lanes<int32_t>>(a).at[i]);
  return as<__m512>(result);
}
inline __m512i maskz_cvtps_epi32(__mmask16 mask, __m512 a) {
  Lanes<int32_t> result{};
  for (int i = 0; i < kLanes; ++i) {
    const float rounded = std::nearbyint(as<Lanes<float>>(a).at[i]);
    if (mask >> i & 1) result.at[i] = std::fabs(rounded) < 0x1p31f ? static_cast<int32_t>(rounded) : INT32_MIN;
  }
  return as<__m512i>(result);
}
inline __m128i cvtsepi32_epi8(__m512i a) {
  int8_t result[kLanes];
  for (int i = 0; i < kLanes; ++i)
    result[i] = static_cast<int8_t>(std::clamp(as<Lanes<int32_t>>(a).at[i], -128, 127));
  return loadu<__m128i>(result);
}
inline __m512 cvtph_ps(__m256i a) {
  __m256 halves[] = {_mm256_cvtph_ps(_mm256_castsi256_si128(a)),
                     _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))};
  return loadu<__m512>(halves);
}

}  // namespace emulated

#define _mm512_add_epi32 emulated::add_epi32
#define _mm512_add_ps emulated::add_ps
#define _mm512_and_si512 emulated::and_si512
#define _mm512_castsi512_ps emulated::as<__m512>
#define _mm512_cvtepi32_ps emulated::cvtepi32_ps
#define _mm512_cvtph_ps emulated::cvtph_ps
#define _mm512_cvtsepi32_epi8 emulated::cvtsepi32_epi8
#define _mm512_cvtss_f32(a) ((a)[0])
#define _mm512_dpbusd_epi32 emulated::dpbusd_epi32
#define _mm512_fmadd_ps emulated::fmadd_ps
#define _mm512_fnmadd_ps emulated::fnmadd_ps
#define _mm512_loadu_ps emulated::loadu<__m512>
#define _mm512_loadu_si512 emulated::loadu<__m512i>
#define _mm512_mask_storeu_ps emulated::mask_storeu_ps
#define _mm512_maskz_cvtps_epi32 emulated::maskz_cvtps_epi32
#define _mm512_maskz_loadu_ps emulated::maskz_loadu_ps
#define _mm512_max_ps emulated::max_ps
#define _mm512_min_ps emulated::min_ps
#define _mm512_mul_ps emulated::mul_ps
#define _mm512_permute_ps(a, order) emulated::permute_ps<order>(a)
#define _mm512_reduce_add_epi32 emulated::reduce_add_epi32
#define _mm512_reduce_add_ps emulated::reduce_add_ps
#define _mm512_reduce_max_ps emulated::reduce_max_ps
#define _mm512_roundscale_ps(a, to_even) emulated::round_to_even(a)
#define _mm512_scalef_ps emulated::scalef_ps
#define _mm512_set1_epi32 emulated::set1_epi32
#define _mm512_set1_epi8 emulated::set1_epi8
#define _mm512_set1_ps emulated::set1_ps
#define _mm512_setzero_ps() emulated::set1_ps(0.0f)
#define _mm512_setzero_si512() emulated::set1_epi32(0)
#define _mm512_shuffle_f32x4(a, b, order) emulated::shuffle_f32x4<order>(a, b)
#define _mm512_slli_epi32 emulated::slli_epi32
#define _mm512_srli_epi16 emulated::srli_epi16
#define _mm512_storeu_ps emulated::storeu_ps
#define _mm512_sub_ps emulated::sub_ps
