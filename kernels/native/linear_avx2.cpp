// Compiled with AVX2, FMA and F16C enabled; called only where the processor has them. Half a panel, the
// same few inputs of eight outputs, fills a register.
#include <immintrin.h>

#include <utility>

#include "linear.hpp"
#include "vectors_avx2.hpp"

namespace granite {
namespace {

// As many rows as leave the 16 registers room for weights and products. An integer tile keeps there what
// it sums up exactly, a float tile its results.
constexpr int kIntegerRows = 5, kFloatRows = 5;
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

// Two times four inputs, each four twice in its half of `words`.
void place_bytes(__m256i words, int64_t input, const RowTile& tile, int64_t row) {
  const __m256i bytes = _mm256_packs_epi16(words, words);
  int32_t* quads = reinterpret_cast<int32_t*>(tile.values) + input / 4 * tile.rows + row;
  quads[0] = _mm256_extract_epi32(bytes, 0);
  quads[tile.rows] = _mm256_extract_epi32(bytes, 4);
}

// In each lane, the sum of its four of eight inputs.
Vector sums_of_fours(Vector inputs) {
  const Vector pairs = inputs + _mm256_permute2f128_ps(inputs, inputs, 1);
  return pairs + _mm256_permute_ps(pairs, _MM_SHUFFLE(2, 3, 0, 1));
}

void quantize_row(const float* x, int64_t first, int64_t last, const RowTile& tile, int64_t row) {
  const Vector zero = broadcast(0.0f);
  for (int64_t i = first; i < last; i += kGroup) {
    // A maximum may lose a NaN; 0 * x does not, and is 0 for finite x.
    Vector peaks = zero, lost = zero;
    for (int k = 0; k < kGroup; k += kLanes) {
      const Vector own = load(x + i + k);
      peaks = larger(peaks, sums_of_fours(larger(own, zero)));
      peaks = larger(peaks, sums_of_fours(larger(zero - own, zero)));
      lost = fma(own, zero, lost);
    }
    const float peak = largest(peaks) + granite::sum(lost);
    __m256i total = _mm256_setzero_si256();
    for (int k = 0; k < kGroup; k += kLanes) {
      const __m256i steps = round_steps(x + i + k, kStepsOfPeak / peak, peak > kLeastPeak);
      total = _mm256_add_epi32(total, steps);
      place_bytes(_mm256_packs_epi32(steps, steps), i + k, tile, row);
    }
    const int64_t place = i / kGroup * tile.rows + row;
    tile.scales[place] = peak / kStepsOfPeak;
    tile.corrections[static_cast<int>(Format::kInt8)][place] = -kInt8ZeroPoint * integer_sum(total);
    tile.corrections[static_cast<int>(Format::kInt4)][place] = -kInt4ZeroPoint * integer_sum(total);
  }
}

// Exact sums of a group for 16 outputs of each row, less what the zero point of the weights adds.
template <int kRows>
using Dots = __m256i[kRows][kHalvesOfPanel];

__m256i widened_pairs(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// The instruction for bytes multiplies unsigned by signed ones and adds pairs of products into 16 bits.
// Two pairs of int8 fit, of quads next to each other: that is what the peak of activations is for.
struct Int8 {
  static constexpr Format kFormat = Format::kInt8;
  static constexpr int64_t kBytes = kPanel * kGroup;

  template <int kRows>
  static void dot(const int32_t* quads, const uint8_t* values, const int32_t* corrections,
                  Dots<kRows>& dots) {
    for (int r = 0; r < kRows; ++r)
      for (__m256i& dot : dots[r]) dot = _mm256_set1_epi32(corrections[r]);
#pragma GCC unroll 8
    for (int quad = 0; quad < kGroup / 4; quad += 2) {
      const uint8_t* even = values + 64 * quad;
      const uint8_t* odd = even + 64;
      const __m256i w[] = {load_bytes(even), load_bytes(even + 32), load_bytes(odd), load_bytes(odd + 32)};
#pragma GCC unroll 5
      for (int r = 0; r < kRows; ++r) {
        const __m256i x_even = _mm256_set1_epi32(quads[quad * kRows + r]);
        const __m256i x_odd = _mm256_set1_epi32(quads[(quad + 1) * kRows + r]);
        for (int half = 0; half < kHalvesOfPanel; ++half) {
          const __m256i fours = _mm256_add_epi16(_mm256_maddubs_epi16(w[half], x_even),
                                                 _mm256_maddubs_epi16(w[2 + half], x_odd));
          dots[r][half] = _mm256_add_epi32(dots[r][half], widened_pairs(fours));
          compute_here(dots[r][half]);
        }
      }
    }
  }
};

// Of int4 all 16 pairs of a lane and group fit.
struct Int4 {
  static constexpr Format kFormat = Format::kInt4;
  static constexpr int64_t kBytes = kPanel * kGroup / 2;

  static __m256i load_quad(const uint8_t* values, int quad) {
    const __m256i both = load_bytes(values + 64 * (quad / 2));
    return _mm256_and_si256(quad % 2 ? _mm256_srli_epi16(both, 4) : both, _mm256_set1_epi8(0x0f));
  }

  template <int kRows>
  static void dot(const int32_t* quads, const uint8_t* values, const int32_t* corrections,
                  Dots<kRows>& dots) {
    Dots<kRows> sums;
#pragma GCC unroll 16
    for (int quad = 0; quad < kGroup / 4; ++quad) {
      const __m256i w[] = {load_quad(values, quad), load_quad(values + 32, quad)};
#pragma GCC unroll 5
      for (int r = 0; r < kRows; ++r) {
        const __m256i x = _mm256_set1_epi32(quads[quad * kRows + r]);
        for (int half = 0; half < kHalvesOfPanel; ++half) {
          const __m256i pairs = _mm256_maddubs_epi16(w[half], x);
          sums[r][half] = quad == 0 ? pairs : _mm256_add_epi16(sums[r][half], pairs);
          compute_here(sums[r][half]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int half = 0; half < kHalvesOfPanel; ++half)
        dots[r][half] =
            _mm256_add_epi32(_mm256_set1_epi32(corrections[r]), widened_pairs(sums[r][half]));
  }
};

// One group of inputs, into the sums over groups.
template <typename Weights, int kRows>
void add_group(const RowTile& tile, int64_t group, const Panel& panel,
               Vector (&sums)[kRows][kHalvesOfPanel]) {
  const int32_t* quads = reinterpret_cast<const int32_t*>(tile.values) + group * kGroup / 4 * kRows;
  const int32_t* corrections = tile.corrections[static_cast<int>(Weights::kFormat)] + group * kRows;
  Dots<kRows> dots;
  Weights::template dot<kRows>(quads, panel.values + group * Weights::kBytes, corrections, dots);
  for (int half = 0; half < kHalvesOfPanel; ++half) {
    const Vector w_scale = _mm256_cvtph_ps(_mm_loadu_si128(
        reinterpret_cast<const __m128i*>(panel.scales + group * kPanel + half * kLanes)));
    for (int r = 0; r < kRows; ++r) {
      const Vector x_scale = broadcast(tile.scales[group * kRows + r]);
      sums[r][half] = fma(_mm256_cvtepi32_ps(dots[r][half]) * x_scale, w_scale, sums[r][half]);
    }
  }
}

template <typename Weights, int kRows>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  // Not in y: rows that are a power of two apart would compete for the same lines of the cache.
  Vector sums[kRows][kHalvesOfPanel];
  for (auto& row : sums)
    for (Vector& sum : row) sum = broadcast(0.0f);
  for (int64_t g = 0; g < inputs / kGroup; ++g) {
    if (!panel.is_cached) prefetch<Weights::kBytes>(panel.values + g * Weights::kBytes);
    add_group<Weights, kRows>(tile, g, panel, sums);
  }
  for (int r = 0; r < kRows; ++r)
    for (int half = 0; half < kHalvesOfPanel; ++half)
      store(y + r * y_stride + half * kLanes, sums[r][half]);
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
    if (!panel.is_cached) prefetch<64>(values);
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
