// Compiled with AVX-512 VNNI and BF16 enabled; called only where the processor has them.
#include <immintrin.h>

#include "linear.hpp"

namespace granite {
namespace {

void quantize_row(const float* x, int64_t inputs, int32_t zero_point, int8_t* values, float* scales,
                  int32_t* corrections) {
  for (int64_t group = 0; group < inputs / kGroup; ++group) {
    const __m512 low = _mm512_loadu_ps(x + group * kGroup);
    const __m512 high = _mm512_loadu_ps(x + group * kGroup + 16);
    const __m512 peaks = _mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high));
    // A maximum may lose a NaN; 0 * x does not, and is 0 for finite x.
    const __m512 zero = _mm512_setzero_ps();
    const float lost = _mm512_reduce_add_ps(_mm512_fmadd_ps(low, zero, _mm512_mul_ps(high, zero)));
    const float peak = _mm512_reduce_max_ps(peaks) + lost;
    const __mmask16 counted = peak > kLeastPeak ? 0xffff : 0;
    const __m512 factor = _mm512_set1_ps(127.0f / peak);
    const __m512i q_low = _mm512_maskz_cvtps_epi32(counted, _mm512_mul_ps(low, factor));
    const __m512i q_high = _mm512_maskz_cvtps_epi32(counted, _mm512_mul_ps(high, factor));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(values + group * kGroup),
                     _mm512_cvtsepi32_epi8(q_low));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(values + group * kGroup + 16),
                     _mm512_cvtsepi32_epi8(q_high));
    scales[group] = peak / 127.0f;
    corrections[group] = -zero_point * _mm512_reduce_add_epi32(_mm512_add_epi32(q_low, q_high));
  }
}

void round_row(const float* x, int64_t inputs, uint16_t* bfloat16) {
  for (int64_t i = 0; i < inputs; i += 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(x + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(bfloat16 + i), (__m256i)rounded);
  }
}

struct Int8 {
  static constexpr int64_t kBytes = 512;
  static void load(const uint8_t* values, __m512i* w) {
    for (int i = 0; i < 8; ++i) w[i] = _mm512_loadu_si512(values + 64 * i);
  }
};

struct Int4 {
  static constexpr int64_t kBytes = 256;
  static void load(const uint8_t* values, __m512i* w) {
    const __m512i mask = _mm512_set1_epi8(0x0f);
    for (int i = 0; i < 4; ++i) {
      const __m512i both = _mm512_loadu_si512(values + 64 * i);
      w[2 * i] = _mm512_and_si512(both, mask);
      w[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    }
  }
};

template <typename Weights, int kRows>
void integer_tile(const PackedRows& x, int64_t first_row, int64_t inputs, const Panel& panel,
                  float* y, int64_t y_stride) {
  const int64_t groups = inputs / kGroup;
  const int8_t* a = x.values + first_row * inputs;
  const float* a_scale = x.scales + first_row * groups;
  const int32_t* correction = x.corrections + first_row * groups;
  __m512 sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; ++g) {
    __m512i w[8];
    const uint8_t* values = panel.values + g * Weights::kBytes;
    _mm_prefetch(reinterpret_cast<const char*>(values + 4096), _MM_HINT_T0);
    Weights::load(values, w);
    const __m512 w_scale = _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel.scales + g * kPanel)));
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const int32_t* quads = reinterpret_cast<const int32_t*>(a + r * inputs + g * kGroup);
      __m512i dot = _mm512_set1_epi32(correction[r * groups + g]);
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) dot = _mm512_dpbusd_epi32(dot, w[i], _mm512_set1_epi32(quads[i]));
      const __m512 scaled =
          _mm512_mul_ps(_mm512_cvtepi32_ps(dot), _mm512_set1_ps(a_scale[r * groups + g]));
      sum[r] = _mm512_fmadd_ps(scaled, w_scale, sum[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) _mm512_storeu_ps(y + r * y_stride, sum[r]);
}

template <int kRows>
void bfloat16_tile(const PackedRows& x, int64_t first_row, int64_t inputs, const Panel& panel,
                   float* y, int64_t y_stride) {
  // Four partial sums per row, by input pair modulo 4, keep the multipliers busy with one row too;
  // four rows at a time are as many as the registers hold.
  constexpr int kChains = 4;
  constexpr int kBlock = kRows > 4 ? 4 : kRows;
  for (int block = 0; block < kRows; block += kBlock) {
    const uint16_t* a = x.bfloat16 + (first_row + block) * inputs;
    __m512 sum[kBlock][kChains];
    for (int r = 0; r < kBlock; ++r)
      for (int c = 0; c < kChains; ++c) sum[r][c] = _mm512_setzero_ps();
    for (int64_t pair = 0; pair < inputs / 2; pair += kChains) {
      const uint8_t* values = panel.values + pair * 64;
      _mm_prefetch(reinterpret_cast<const char*>(values + 4096), _MM_HINT_T0);
#pragma GCC unroll 4
      for (int c = 0; c < kChains; ++c) {
        const __m512bh w = (__m512bh)_mm512_loadu_si512(values + 64 * c);
#pragma GCC unroll 4
        for (int r = 0; r < kBlock; ++r) {
          const int32_t both =
              *reinterpret_cast<const int32_t*>(a + r * inputs + 2 * (pair + c));
          sum[r][c] = _mm512_dpbf16_ps(sum[r][c], w, (__m512bh)_mm512_set1_epi32(both));
        }
      }
    }
    for (int r = 0; r < kBlock; ++r) {
      const __m512 total = _mm512_add_ps(_mm512_add_ps(sum[r][0], sum[r][1]),
                                         _mm512_add_ps(sum[r][2], sum[r][3]));
      _mm512_storeu_ps(y + (block + r) * y_stride, total);
    }
  }
}

template <int kRows>
struct Int8Tile {
  static constexpr auto call = integer_tile<Int8, kRows>;
};
template <int kRows>
struct Int4Tile {
  static constexpr auto call = integer_tile<Int4, kRows>;
};
template <int kRows>
struct Bfloat16Tile {
  static constexpr auto call = bfloat16_tile<kRows>;
};

// Any number of rows as tiles of 16, 8, 4, 2 and 1.
template <template <int> typename Tile, int kRows = kRowTile>
void any_tile(const PackedRows& x, int64_t first_row, int64_t rows, int64_t inputs,
              const Panel& panel, float* y, int64_t y_stride) {
  int64_t done = 0;
  for (; rows - done >= kRows; done += kRows)
    Tile<kRows>::call(x, first_row + done, inputs, panel, y + done * y_stride, y_stride);
  if constexpr (kRows > 1) {
    if (done < rows)
      any_tile<Tile, kRows / 2>(x, first_row + done, rows - done, inputs, panel,
                                y + done * y_stride, y_stride);
  }
}

}  // namespace

const LinearKernels& avx512_linear_kernels() {
  static const LinearKernels kernels{
      "avx512-vnni-bf16",
      quantize_row,
      round_row,
      {any_tile<Int8Tile>, any_tile<Int4Tile>, any_tile<Bfloat16Tile>},
  };
  return kernels;
}

}  // namespace granite
