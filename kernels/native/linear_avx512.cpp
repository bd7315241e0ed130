// Compiled with AVX-512 VNNI enabled; called only where the processor has it.
#include <immintrin.h>

#include <utility>

#include "linear.hpp"
#include "vectors_avx512.hpp"

namespace granite {
namespace {

// As many rows as leave the 32 registers room for weights and scales: integer tiles need two each.
constexpr int kIntegerRows = 12, kFloatRows = 24;

// In each lane, the sum of its four of eight inputs.
__m512 sums_of_fours(__m512 inputs) {
  const __m512 pairs = _mm512_add_ps(inputs, _mm512_shuffle_f32x4(inputs, inputs, _MM_SHUFFLE(2, 3, 0, 1)));
  return _mm512_add_ps(pairs, _mm512_permute_ps(pairs, _MM_SHUFFLE(2, 3, 0, 1)));
}

void quantize_row(const float* x, int64_t first, int64_t last, const RowTile& tile, int64_t row) {
  for (int64_t i = first; i < last; i += kGroup) {
    // A maximum may lose a NaN; 0 * x does not, and is 0 for finite x.
    const __m512 zero = _mm512_setzero_ps();
    __m512 peaks = zero, lost = zero;
    for (int k = 0; k < kGroup; k += kLanes) {
      const __m512 own = _mm512_loadu_ps(x + i + k);
      peaks = _mm512_max_ps(peaks, sums_of_fours(_mm512_max_ps(own, zero)));
      peaks = _mm512_max_ps(peaks, sums_of_fours(_mm512_max_ps(_mm512_sub_ps(zero, own), zero)));
      lost = _mm512_fmadd_ps(own, zero, lost);
    }
    const float peak = _mm512_reduce_max_ps(peaks) + _mm512_reduce_add_ps(lost);
    const __mmask16 counted = peak > kLeastPeak ? 0xffff : 0;
    const __m512 factor = _mm512_set1_ps(kStepsOfPeak / peak);
    int32_t* values = reinterpret_cast<int32_t*>(tile.values) + i / 4 * tile.rows + row;
    __m512i total = _mm512_setzero_si512();
    for (int k = 0; k < kGroup; k += kLanes) {
      const __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(x + i + k), factor);
      const __m512i steps = _mm512_maskz_cvtps_epi32(counted, scaled);
      total = _mm512_add_epi32(total, steps);
      alignas(16) int32_t quads[4];
      _mm_store_si128(reinterpret_cast<__m128i*>(quads), _mm512_cvtsepi32_epi8(steps));
      for (int quad = 0; quad < 4; ++quad) values[(k / 4 + quad) * tile.rows] = quads[quad];
    }
    const int32_t sum = _mm512_reduce_add_epi32(total);
    const int64_t place = i / kGroup * tile.rows + row;
    tile.scales[place] = peak / kStepsOfPeak;
    tile.corrections[static_cast<int>(Format::kInt8)][place] = -kInt8ZeroPoint * sum;
    tile.corrections[static_cast<int>(Format::kInt4)][place] = -kInt4ZeroPoint * sum;
  }
}

struct Int8 {
  static constexpr Format kFormat = Format::kInt8;
  static constexpr int64_t kBytes = kPanel * kGroup;
  // Quads 2 i and 2 i + 1 of 16 outputs.
  static void load(const uint8_t* values, int i, __m512i& even, __m512i& odd) {
    even = _mm512_loadu_si512(values + 128 * i);
    odd = _mm512_loadu_si512(values + 128 * i + 64);
  }
};

struct Int4 {
  static constexpr Format kFormat = Format::kInt4;
  static constexpr int64_t kBytes = kPanel * kGroup / 2;
  static void load(const uint8_t* values, int i, __m512i& even, __m512i& odd) {
    const __m512i mask = _mm512_set1_epi8(0x0f);
    const __m512i both = _mm512_loadu_si512(values + 64 * i);
    even = _mm512_and_si512(both, mask);
    odd = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
  }
};

// Integer sums of one group of inputs of each row by 16 outputs.
template <typename Weights, int kRows>
void dot_group(const int32_t* quads, const int32_t* corrections, const uint8_t* values,
               __m512i* dots) {
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) dots[r] = _mm512_set1_epi32(corrections[r]);
#pragma GCC unroll 8
  for (int i = 0; i < kGroup / 8; ++i) {
    __m512i even, odd;
    Weights::load(values, i, even, odd);
    const int32_t* pair = quads + 2 * i * kRows;
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
      dots[r] = _mm512_dpbusd_epi32(dots[r], even, _mm512_set1_epi32(pair[r]));
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
      dots[r] = _mm512_dpbusd_epi32(dots[r], odd, _mm512_set1_epi32(pair[kRows + r]));
  }
}

template <typename Weights, int kRows>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  const int32_t* quads = reinterpret_cast<const int32_t*>(tile.values);
  const int32_t* corrections = tile.corrections[static_cast<int>(Weights::kFormat)];
  __m512 sums[kRows];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int64_t g = 0; g < inputs / kGroup; ++g) {
    const uint8_t* values = panel.values + g * Weights::kBytes;
    if (!panel.is_cached) prefetch<Weights::kBytes>(values);
    __m512i dots[kRows];
    dot_group<Weights, kRows>(quads + g * kGroup / 4 * kRows, corrections + g * kRows, values, dots);
    const __m512 w_scale = _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel.scales + g * kPanel)));
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const __m512 x_scale = _mm512_set1_ps(tile.scales[g * kRows + r]);
      sums[r] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dots[r]), x_scale), w_scale, sums[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) _mm512_storeu_ps(y + r * y_stride, sums[r]);
}

// In fp32: a bf16 multiply-add does no more per cycle here than two of fp32 do, and often less.
template <int kRows>
void bfloat16_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                   int64_t y_stride) {
  const __m512i high_half = _mm512_set1_epi32(static_cast<int32_t>(0xffff0000));
  __m512 sums[kRows];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int64_t pair = 0; pair < inputs / 2; ++pair) {
    const uint8_t* values = panel.values + pair * 64;
    if (!panel.is_cached) prefetch<64>(values);
    const __m512i both = _mm512_loadu_si512(values);
    const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(both, high_half));
    const float* x = tile.floats + 2 * pair * kRows;
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r) sums[r] = _mm512_fmadd_ps(even, _mm512_set1_ps(x[r]), sums[r]);
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r)
      sums[r] = _mm512_fmadd_ps(odd, _mm512_set1_ps(x[kRows + r]), sums[r]);
  }
  for (int r = 0; r < kRows; ++r) _mm512_storeu_ps(y + r * y_stride, sums[r]);
}

#include "linear_dispatch.inc"

}  // namespace

const LinearKernels& avx512_linear_kernels() {
  static const LinearKernels kernels{
      "avx512-vnni",
      {kIntegerRows, kIntegerRows, kFloatRows},
      {kIntegerRows, kIntegerRows, kFloatRows},
      quantize_row,
      {multiply_integers<Int8>, multiply_integers<Int4>, multiply_bfloat16},
  };
  return kernels;
}

}  // namespace granite
