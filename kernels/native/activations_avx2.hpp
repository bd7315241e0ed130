// Rows of activations into the steps that AVX2 multiplies. Include only where AVX2 and FMA are enabled.
#pragma once

#include <immintrin.h>

#include "linear.hpp"
#include "vectors_avx2.hpp"

namespace granite {
namespace {

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

}  // namespace
}  // namespace granite
