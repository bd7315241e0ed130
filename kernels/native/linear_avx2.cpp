// Compiled with AVX2, FMA and F16C enabled; called only where the processor has them. Half a panel, the
// same few inputs of eight outputs, fills a register.
#include <immintrin.h>

#include <utility>

#include "linear.hpp"
#include "prefetch.hpp"
#include "vectors_avx2.hpp"

namespace granite {
namespace {

// As many rows as leave the 16 registers room for weights and products. Integer tiles of few rows work
// on a whole panel at once, larger ones on half of it; fp32 tiles always on a whole one.
constexpr int kIntegerRows = 6, kRowsByPanel = 3, kFloatRows = 5;
constexpr int kHalvesOfPanel = 2;

__m256i load_bytes(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// GCC puts off sums of integers to the end of an unrolled loop, where the products no longer fit into
// the registers.
void compute_here(__m256i& value) { asm("" : "+x"(value)); }

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
// bits, which hold them only if they are small. `dot` is of one group, and of kHalves times eight outputs.
struct Int8 {
  static constexpr int64_t kBytes = 512;

  // 128 * 127 twice just fits, if weights are taken less their zero point, and the activation has
  // the sign of the product.
  template <int kHalves, int kRows>
  static void dot(const int32_t* quads, const int32_t*, const uint8_t* values,
                  __m256i (&dots)[kHalves][kRows]) {
    const __m256i zero_point = _mm256_set1_epi8(static_cast<char>(kInt8ZeroPoint));
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int quad = 0; quad < 8; ++quad) {
      __m256i w[kHalves], size[kHalves];
      for (int half = 0; half < kHalves; ++half) {
        w[half] = _mm256_xor_si256(load_bytes(values + 64 * quad + 32 * half), zero_point);
        size[half] = _mm256_abs_epi8(w[half]);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m256i x = _mm256_set1_epi32(quads[quad * kRows + r]);
        for (int half = 0; half < kHalves; ++half) {
          const __m256i pairs = _mm256_maddubs_epi16(size[half], _mm256_sign_epi8(x, w[half]));
          const __m256i sums = _mm256_madd_epi16(pairs, ones);
          dots[half][r] = quad == 0 ? sums : _mm256_add_epi32(dots[half][r], sums);
          compute_here(dots[half][r]);
        }
      }
    }
  }
};

struct Int4 {
  static constexpr int64_t kBytes = 256;

  // 15 * 127 fits sixteen times: a whole group.
  template <int kHalves, int kRows>
  static void dot(const int32_t* quads, const int32_t* corrections, const uint8_t* values,
                  __m256i (&dots)[kHalves][kRows]) {
    const __m256i low_half = _mm256_set1_epi8(0x0f);
#pragma GCC unroll 8
    for (int quad = 0; quad < 8; ++quad) {
      __m256i w[kHalves];
      for (int half = 0; half < kHalves; ++half) {
        const __m256i both = load_bytes(values + 64 * (quad / 2) + 32 * half);
        w[half] = _mm256_and_si256(quad % 2 ? _mm256_srli_epi16(both, 4) : both, low_half);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m256i x = _mm256_set1_epi32(quads[quad * kRows + r]);
        for (int half = 0; half < kHalves; ++half) {
          const __m256i pairs = _mm256_maddubs_epi16(w[half], x);
          dots[half][r] = quad == 0 ? pairs : _mm256_add_epi16(dots[half][r], pairs);
          compute_here(dots[half][r]);
        }
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      for (int half = 0; half < kHalves; ++half)
        dots[half][r] = _mm256_add_epi32(_mm256_madd_epi16(dots[half][r], _mm256_set1_epi16(1)),
                                         _mm256_set1_epi32(corrections[r]));
  }
};

// Outputs [8 * first, 8 * (first + kHalves)) of a panel.
template <typename Weights, int kHalves, int kRows>
void multiply_halves(const RowTile& tile, int64_t inputs, const Panel& panel, int first, float* y,
                     int64_t y_stride) {
  const int32_t* quads = reinterpret_cast<const int32_t*>(tile.values);
  const int32_t* corrections = tile.corrections[static_cast<int>(Format::kInt4)];
  const bool is_cached = panel.is_cached || first > 0;
  Vector sums[kHalves][kRows];
  for (auto& half : sums)
    for (Vector& sum : half) sum = broadcast(0.0f);
  for (int64_t g = 0; g < inputs / kGroup; ++g) {
    const uint8_t* values = panel.values + g * Weights::kBytes;
    if (!is_cached) prefetch_ahead<Weights::kBytes>(values);
    __m256i dots[kHalves][kRows];
    Weights::template dot<kHalves, kRows>(quads + g * 8 * kRows, corrections + g * kRows,
                                          values + 32 * first, dots);
    Vector w_scale[kHalves];
    for (int half = 0; half < kHalves; ++half)
      w_scale[half] = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(
          panel.scales + g * kPanel + (first + half) * kLanes)));
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vector x_scale = broadcast(tile.scales[g * kRows + r]);
      for (int half = 0; half < kHalves; ++half)
        sums[half][r] = fma(_mm256_cvtepi32_ps(dots[half][r]) * x_scale, w_scale[half], sums[half][r]);
    }
  }
  for (int half = 0; half < kHalves; ++half)
    for (int r = 0; r < kRows; ++r)
      store(y + r * y_stride + (first + half) * kLanes, sums[half][r]);
}

// A whole panel at once if the registers hold it: a sum and a dot product for each row and half.
template <typename Weights, int kRows>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  if constexpr (kRows <= kRowsByPanel) {
    multiply_halves<Weights, 2, kRows>(tile, inputs, panel, 0, y, y_stride);
  } else {
    multiply_halves<Weights, 1, kRows>(tile, inputs, panel, 0, y, y_stride);
    multiply_halves<Weights, 1, kRows>(tile, inputs, panel, 1, y, y_stride);
  }
}

// One input of all outputs: the even one of a pair is in the low halves of the lanes.
template <bool kIsOdd, int kRows>
void multiply_bfloat16_input(const float* x, const uint8_t* values,
                             Vector (&sums)[kHalvesOfPanel][kRows]) {
  Vector w[kHalvesOfPanel];
  for (int half = 0; half < kHalvesOfPanel; ++half) {
    const __m256i both = load_bytes(values + 32 * half);
    w[half] = _mm256_castsi256_ps(
        kIsOdd ? _mm256_and_si256(both, _mm256_set1_epi32(static_cast<int32_t>(0xffff0000)))
               : _mm256_slli_epi32(both, 16));
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    const Vector factor = broadcast(x[r]);
    for (int half = 0; half < kHalvesOfPanel; ++half)
      sums[half][r] = fma(w[half], factor, sums[half][r]);
  }
}

template <int kRows>
void bfloat16_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                   int64_t y_stride) {
  Vector sums[kHalvesOfPanel][kRows];
  for (auto& half : sums)
    for (Vector& sum : half) sum = broadcast(0.0f);
  for (int64_t pair = 0; pair < inputs / 2; ++pair) {
    const float* x = tile.floats + 2 * pair * kRows;
    const uint8_t* values = panel.values + pair * 64;
    if (!panel.is_cached) prefetch_ahead<64>(values);
    multiply_bfloat16_input<false, kRows>(x, values, sums);
    multiply_bfloat16_input<true, kRows>(x + kRows, values, sums);
  }
  for (int half = 0; half < kHalvesOfPanel; ++half)
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
