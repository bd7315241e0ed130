// Compiled with AVX2, FMA and F16C enabled; called only where the processor has them. Half a panel, the
// same few inputs of eight outputs, fills a register.
#include <immintrin.h>

#include <utility>

#include "linear.hpp"
#include "prefetch.hpp"
#include "vectors_avx2.hpp"

namespace granite {
namespace {

// As many rows as leave the 16 registers room for weights and products: integer tiles work on half a
// panel, fp32 tiles on a whole one.
constexpr int kIntegerRows = 8, kFloatRows = 6;
constexpr int kHalves = 2;

__m256i load_bytes(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

int32_t integer_sum(__m256i values) {
  const __m128i four =
      _mm_add_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

// Steps of eight activations; those that do not count are 0.
__m256i round_steps(const float* x, float factor, bool is_counted) {
  const Vector counted = _mm256_castsi256_ps(_mm256_set1_epi32(is_counted ? -1 : 0));
  return _mm256_cvtps_epi32(_mm256_and_ps(counted, load(x) * broadcast(factor)));
}

void quantize_row(const float* x, int64_t first, int64_t last, const RowTile& tile, int64_t row) {
  const Vector sign = broadcast(-0.0f), zero = broadcast(0.0f);
  for (int64_t i = first; i < last; i += kGroup) {
    // A maximum may lose a NaN; 0 * x does not, and is 0 for finite x.
    Vector peaks = zero, lost = zero;
    for (int k = 0; k < kGroup; k += kLanes) {
      peaks = larger(peaks, _mm256_andnot_ps(sign, load(x + i + k)));
      lost = fma(load(x + i + k), zero, lost);
    }
    const float peak = largest(peaks) + granite::sum(lost);
    int32_t* quads = reinterpret_cast<int32_t*>(tile.values) + i / 4 * tile.rows + row;
    __m256i total = _mm256_setzero_si256();
    for (int k = 0; k < kGroup; k += kLanes) {
      const __m256i steps = round_steps(x + i + k, 127.0f / peak, peak > kLeastPeak);
      total = _mm256_add_epi32(total, steps);
      const __m256i words = _mm256_packs_epi32(steps, steps);
      const __m256i bytes = _mm256_packs_epi16(words, words);
      quads[k / 4 * tile.rows] = _mm256_extract_epi32(bytes, 0);
      quads[(k / 4 + 1) * tile.rows] = _mm256_extract_epi32(bytes, 4);
    }
    const int64_t place = i / kGroup * tile.rows + row;
    tile.scales[place] = peak / 127.0f;
    tile.corrections[static_cast<int>(Format::kInt8)][place] = -kInt8ZeroPoint * integer_sum(total);
    tile.corrections[static_cast<int>(Format::kInt4)][place] = -kInt4ZeroPoint * integer_sum(total);
  }
}

// The instruction for bytes multiplies unsigned by signed ones and adds pairs of products into 16
// bits, which hold them only if they are small.
struct Int8 {
  static constexpr int64_t kBytes = 512;

  // 128 * 127 twice just fits, if weights are taken less their zero point, and the activation has
  // the sign of the product.
  template <int kRows>
  static void dot(const int32_t* quads, const int32_t*, const uint8_t* values, __m256i* dots) {
    const __m256i zero_point = _mm256_set1_epi8(static_cast<char>(kInt8ZeroPoint));
    const __m256i ones = _mm256_set1_epi16(1);
    for (int r = 0; r < kRows; ++r) dots[r] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int quad = 0; quad < 8; ++quad) {
      const __m256i w = _mm256_xor_si256(load_bytes(values + 64 * quad), zero_point);
      const __m256i size = _mm256_abs_epi8(w);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m256i x = _mm256_sign_epi8(_mm256_set1_epi32(quads[quad * kRows + r]), w);
        const __m256i pairs = _mm256_maddubs_epi16(size, x);
        dots[r] = _mm256_add_epi32(dots[r], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
};

struct Int4 {
  static constexpr int64_t kBytes = 256;

  // 15 * 127 fits sixteen times: a whole group.
  template <int kRows>
  static void dot(const int32_t* quads, const int32_t* corrections, const uint8_t* values,
                  __m256i* dots) {
    const __m256i low_half = _mm256_set1_epi8(0x0f);
    for (int r = 0; r < kRows; ++r) dots[r] = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256i both = load_bytes(values + 64 * i);
      const __m256i even = _mm256_and_si256(both, low_half);
      const __m256i odd = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half);
      const int32_t* pair = quads + 2 * i * kRows;
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m256i sums = _mm256_maddubs_epi16(even, _mm256_set1_epi32(pair[r]));
        const __m256i more = _mm256_maddubs_epi16(odd, _mm256_set1_epi32(pair[kRows + r]));
        dots[r] = _mm256_add_epi16(dots[r], _mm256_add_epi16(sums, more));
      }
    }
    for (int r = 0; r < kRows; ++r)
      dots[r] = _mm256_add_epi32(_mm256_madd_epi16(dots[r], _mm256_set1_epi16(1)),
                                 _mm256_set1_epi32(corrections[r]));
  }
};

template <typename Weights, int kRows>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  const int32_t* quads = reinterpret_cast<const int32_t*>(tile.values);
  const int32_t* corrections = tile.corrections[static_cast<int>(Format::kInt4)];
  Vector sums[kHalves][kRows];
  for (auto& half : sums)
    for (Vector& sum : half) sum = broadcast(0.0f);
  for (int64_t g = 0; g < inputs / kGroup; ++g) {
    const uint8_t* values = panel.values + g * Weights::kBytes;
    if (!panel.is_cached) prefetch_ahead<Weights::kBytes>(values);
    for (int half = 0; half < kHalves; ++half) {
      __m256i dots[kRows];
      Weights::template dot<kRows>(quads + g * 8 * kRows, corrections + g * kRows,
                                   values + 32 * half, dots);
      const Vector w_scale = _mm256_cvtph_ps(_mm_loadu_si128(
          reinterpret_cast<const __m128i*>(panel.scales + g * kPanel + half * kLanes)));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Vector scaled = _mm256_cvtepi32_ps(dots[r]) * broadcast(tile.scales[g * kRows + r]);
        sums[half][r] = fma(scaled, w_scale, sums[half][r]);
      }
    }
  }
  for (int half = 0; half < kHalves; ++half)
    for (int r = 0; r < kRows; ++r) store(y + r * y_stride + half * kLanes, sums[half][r]);
}

template <int kRows>
void bfloat16_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                   int64_t y_stride) {
  const __m256i high_half = _mm256_set1_epi32(static_cast<int32_t>(0xffff0000));
  Vector sums[kHalves][kRows];
  for (auto& half : sums)
    for (Vector& sum : half) sum = broadcast(0.0f);
  for (int64_t pair = 0; pair < inputs / 2; ++pair) {
    const float* x = tile.floats + 2 * pair * kRows;
    const uint8_t* values = panel.values + pair * 64;
    if (!panel.is_cached) prefetch_ahead<64>(values);
    const __m256i both[kHalves] = {load_bytes(values), load_bytes(values + 32)};
    for (int odd = 0; odd < 2; ++odd) {
      Vector w[kHalves];
      for (int half = 0; half < kHalves; ++half)
        w[half] = _mm256_castsi256_ps(odd ? _mm256_and_si256(both[half], high_half)
                                          : _mm256_slli_epi32(both[half], 16));
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const Vector factor = broadcast(x[odd * kRows + r]);
        for (int half = 0; half < kHalves; ++half)
          sums[half][r] = fma(w[half], factor, sums[half][r]);
      }
    }
  }
  for (int half = 0; half < kHalves; ++half)
    for (int r = 0; r < kRows; ++r) store(y + r * y_stride + half * kLanes, sums[half][r]);
}

#include "linear_dispatch.inc"

}  // namespace

const LinearKernels& avx2_linear_kernels() {
  static const LinearKernels kernels{
      "avx2",
      {kIntegerRows, kIntegerRows, kFloatRows},
      quantize_row,
      {multiply_integers<Int8>, multiply_integers<Int4>, multiply_bfloat16},
  };
  return kernels;
}

}  // namespace granite
