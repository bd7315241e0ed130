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

void place_words(__m256i words, int64_t input, const RowTile& tile, int64_t row) {
  const __m256i even_first = _mm256_shufflehi_epi16(
      _mm256_shufflelo_epi16(words, _MM_SHUFFLE(3, 1, 2, 0)), _MM_SHUFFLE(3, 1, 2, 0));
  int32_t* pairs = reinterpret_cast<int32_t*>(tile.words) + input / 2 * tile.rows + row;
  pairs[0] = _mm256_extract_epi32(even_first, 0);
  pairs[tile.rows] = _mm256_extract_epi32(even_first, 1);
  pairs[2 * tile.rows] = _mm256_extract_epi32(even_first, 4);
  pairs[3 * tile.rows] = _mm256_extract_epi32(even_first, 5);
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
    __m256i total = _mm256_setzero_si256();
    for (int k = 0; k < kGroup; k += kLanes) {
      const __m256i steps = round_steps(x + i + k, 127.0f / peak, peak > kLeastPeak);
      total = _mm256_add_epi32(total, steps);
      const __m256i words = _mm256_packs_epi32(steps, steps);
      if (tile.values != nullptr) place_bytes(words, i + k, tile, row);
      if (tile.words != nullptr) place_words(words, i + k, tile, row);
    }
    const int64_t place = i / kGroup * tile.rows + row;
    tile.scales[place] = peak / 127.0f;
    tile.corrections[static_cast<int>(Format::kInt8)][place] = -kInt8ZeroPoint * integer_sum(total);
    tile.corrections[static_cast<int>(Format::kInt4)][place] = -kInt4ZeroPoint * integer_sum(total);
  }
}

// Exact sums of a group for 16 outputs of each row, less what the zero point of the weights adds.
template <int kRows>
using Dots = __m256i[kRows][kHalvesOfPanel];

template <int kRows>
void start_from(const int32_t* corrections, Dots<kRows>& dots) {
  for (int r = 0; r < kRows; ++r)
    for (__m256i& half : dots[r]) half = _mm256_set1_epi32(corrections[r]);
}

// In 16 bits each: products of bytes do not fit into the 16 bits that the instruction for bytes has.
struct Int8 {
  static constexpr int64_t kBytes = kPanel * kGroup;

  // The even or odd inputs of four, of eight outputs.
  template <bool kIsOdd>
  static __m256i widened(const uint8_t* quads) {
    const __m256i both = load_bytes(quads);
    return kIsOdd ? _mm256_srli_epi16(both, 8) : _mm256_and_si256(both, _mm256_set1_epi16(0xff));
  }

  template <bool kIsOdd, int kRows>
  static void add_pair(const int32_t* pairs, const uint8_t* quads, Dots<kRows>& dots) {
    const __m256i w[] = {widened<kIsOdd>(quads), widened<kIsOdd>(quads + 32)};
#pragma GCC unroll 5
    for (int r = 0; r < kRows; ++r) {
      const __m256i x = _mm256_set1_epi32(pairs[r]);
      for (int half = 0; half < kHalvesOfPanel; ++half) {
        dots[r][half] = _mm256_add_epi32(dots[r][half], _mm256_madd_epi16(w[half], x));
        compute_here(dots[r][half]);
      }
    }
  }

  template <int kRows>
  static void dot(const RowTile& tile, int64_t group, const uint8_t* values, Dots<kRows>& dots) {
    start_from<kRows>(tile.corrections[static_cast<int>(Format::kInt8)] + group * kRows, dots);
    const int32_t* pairs = reinterpret_cast<const int32_t*>(tile.words) + group * kGroup / 2 * kRows;
#pragma GCC unroll 4
    for (int quad = 0; quad < kGroup / 4; ++quad) {
      add_pair<false, kRows>(pairs + 2 * quad * kRows, values + 64 * quad, dots);
      add_pair<true, kRows>(pairs + (2 * quad + 1) * kRows, values + 64 * quad, dots);
    }
  }
};

// The instruction for bytes multiplies unsigned by signed ones and adds pairs of products into 16 bits.
struct Int4 {
  static constexpr int64_t kBytes = kPanel * kGroup / 2;
  static constexpr int kQuads = 8;  // 15 * 127 fits sixteen times into 16 bits: so many in each lane

  template <int kRows>
  static void dot_quads(const int32_t* quads, const uint8_t* values, Dots<kRows>& sums) {
    const __m256i low_half = _mm256_set1_epi8(0x0f);
#pragma GCC unroll 8
    for (int quad = 0; quad < kQuads; ++quad) {
      __m256i w[kHalvesOfPanel];
      for (int half = 0; half < kHalvesOfPanel; ++half) {
        const __m256i both = load_bytes(values + 64 * (quad / 2) + 32 * half);
        w[half] = _mm256_and_si256(quad % 2 ? _mm256_srli_epi16(both, 4) : both, low_half);
      }
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
  }

  template <int kRows>
  static void dot(const RowTile& tile, int64_t group, const uint8_t* values, Dots<kRows>& dots) {
    start_from<kRows>(tile.corrections[static_cast<int>(Format::kInt4)] + group * kRows, dots);
    const int32_t* quads = reinterpret_cast<const int32_t*>(tile.values) + group * kGroup / 4 * kRows;
    for (int first = 0; first < kGroup / 4; first += kQuads) {
      Dots<kRows> sums;
      dot_quads<kRows>(quads + first * kRows, values + 32 * first, sums);
      for (int r = 0; r < kRows; ++r)
        for (int half = 0; half < kHalvesOfPanel; ++half)
          dots[r][half] = _mm256_add_epi32(
              dots[r][half], _mm256_madd_epi16(sums[r][half], _mm256_set1_epi16(1)));
    }
  }
};

template <typename Weights, int kRows>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  for (int64_t g = 0; g < inputs / kGroup; ++g) {
    const uint8_t* values = panel.values + g * Weights::kBytes;
    if (!panel.is_cached) prefetch<Weights::kBytes>(values);
    Dots<kRows> dots;
    Weights::template dot<kRows>(tile, g, values, dots);
    for (int half = 0; half < kHalvesOfPanel; ++half) {
      const Vector w_scale = _mm256_cvtph_ps(_mm_loadu_si128(
          reinterpret_cast<const __m128i*>(panel.scales + g * kPanel + half * kLanes)));
      for (int r = 0; r < kRows; ++r) {
        float* to = y + r * y_stride + half * kLanes;
        const Vector x_scale = broadcast(tile.scales[g * kRows + r]);
        const Vector sum = g == 0 ? broadcast(0.0f) : load(to);
        store(to, fma(_mm256_cvtepi32_ps(dots[r][half]) * x_scale, w_scale, sum));
      }
    }
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
      true,
      quantize_row,
      {multiply_integers<Int8>, multiply_integers<Int4>, multiply_bfloat16},
  };
  return kernels;
}

}  // namespace granite
