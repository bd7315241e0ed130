// Compiled with AVX2, FMA and F16C enabled; called only where the processor has them. Half a panel, the
// same few inputs of eight outputs, fills a register.
#include <immintrin.h>

#include <cstring>
#include <utility>

#include "activations_avx2.hpp"
#include "linear.hpp"
#include "vectors_avx2.hpp"

#define ALWAYS_INLINE __attribute__((always_inline)) inline

namespace granite {
namespace {

// A block is as many rows as leave the 16 registers room for weights and products: integers keep there what
// they sum up exactly, floats their results. A lone tile may be two blocks.
constexpr int kBlock = 5, kIntegerRows = 10, kFloatRows = 8;
constexpr int kHalvesOfPanel = 2;

__m256i load_bytes(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// GCC puts off sums of integers to the end of an unrolled loop, where the products no longer fit into
// the registers.
void compute_here(__m256i& value) { asm("" : "+x"(value)); }

// It also keeps what is used later in registers that are needed now.
void leave_registers(Vector (*sums)[kHalvesOfPanel]) { asm volatile("" : : "r"(sums) : "memory"); }

// Exact sums of a group for 16 outputs of each row, less what the zero point of the weights adds.
template <int kRows>
using Dots = __m256i[kRows][kHalvesOfPanel];

__m256i widened_pairs(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

// The instruction for bytes multiplies unsigned by signed ones and adds pairs of products into 16 bits.
// Two pairs of int8 fit, of quads next to each other: that is what the peak of activations is for.
// The quads of a row are `tile_rows` apart.
struct Int8 {
  static constexpr Format kFormat = Format::kInt8;
  static constexpr int64_t kBytes = kPanel * kGroup;

  template <int kRows>
  static void dot(const int32_t* quads, int tile_rows, const uint8_t* values,
                  const int32_t* corrections, Dots<kRows>& dots) {
    for (int r = 0; r < kRows; ++r)
      for (__m256i& dot : dots[r]) dot = _mm256_set1_epi32(corrections[r]);
    // Two blocks by turns are slower with more.
#pragma GCC unroll 2
    for (int quad = 0; quad < kGroup / 4; quad += 2) {
      const uint8_t* even = values + 64 * quad;
      const uint8_t* odd = even + 64;
      const __m256i w[] = {load_bytes(even), load_bytes(even + 32), load_bytes(odd), load_bytes(odd + 32)};
#pragma GCC unroll 5
      for (int r = 0; r < kRows; ++r) {
        const __m256i x_even = _mm256_set1_epi32(quads[quad * tile_rows + r]);
        const __m256i x_odd = _mm256_set1_epi32(quads[(quad + 1) * tile_rows + r]);
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
  static void dot(const int32_t* quads, int tile_rows, const uint8_t* values,
                  const int32_t* corrections, Dots<kRows>& dots) {
    Dots<kRows> sums;
#pragma GCC unroll 16
    for (int quad = 0; quad < kGroup / 4; ++quad) {
      const __m256i w[] = {load_quad(values, quad), load_quad(values + 32, quad)};
#pragma GCC unroll 5
      for (int r = 0; r < kRows; ++r) {
        const __m256i x = _mm256_set1_epi32(quads[quad * tile_rows + r]);
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

// `add` multiplies some groups of weights by kRows rows of a tile, from `first` on, and adds that to the sums of these
// rows; what follows in memory it asks for.
template <typename Weights>
struct Integers {
  template <int kRows, int kTileRows>
  static ALWAYS_INLINE void add(const RowTile& tile, int first, int64_t group, int64_t groups,
                                const Panel& panel, Vector (*sums)[kHalvesOfPanel]) {
    for (int64_t g = group; g < group + groups; ++g)
      add_group<kRows, kTileRows>(tile, first, g, panel, sums);
  }

 private:
  template <int kRows, int kTileRows>
  static ALWAYS_INLINE void add_group(const RowTile& tile, int first, int64_t group, const Panel& panel,
                                      Vector (*sums)[kHalvesOfPanel]) {
    const uint8_t* values = panel.values + group * Weights::kBytes;
    // Of two blocks each asks for its part.
    constexpr int64_t kShare = kRows < kTileRows ? Weights::kBytes / 2 : Weights::kBytes;
    if (!panel.is_cached) prefetch<kShare>(first == 0 ? values : values + kShare);
    const int64_t place = group * kTileRows + first;
    const int32_t* quads =
        reinterpret_cast<const int32_t*>(tile.values) + group * kGroup / 4 * kTileRows + first;
    Dots<kRows> dots;
    Weights::template dot<kRows>(
        quads, kTileRows, values, tile.corrections[static_cast<int>(Weights::kFormat)] + place, dots);
    for (int half = 0; half < kHalvesOfPanel; ++half) {
      const Vector w_scale = _mm256_cvtph_ps(_mm_loadu_si128(
          reinterpret_cast<const __m128i*>(panel.scales + group * kPanel + half * kLanes)));
      for (int r = 0; r < kRows; ++r) {
        const Vector x_scale = broadcast(tile.scales[place + r]);
        sums[r][half] = fma(_mm256_cvtepi32_ps(dots[r][half]) * x_scale, w_scale, sums[r][half]);
      }
    }
  }
};

struct Bfloat16 {
  template <int kRows, int kTileRows>
  static ALWAYS_INLINE void add(const RowTile& tile, int first, int64_t group, int64_t groups,
                                const Panel& panel, Vector (*sums)[kHalvesOfPanel]) {
    Vector own[kRows][kHalvesOfPanel];
    std::memcpy(own, sums, sizeof own);
    const float* x = tile.floats + group * kGroup * kTileRows + first;
    const uint8_t* values = panel.values + group * kGroup * kPanel * 2;
    for (int64_t pair = 0; pair < groups * kGroup / 2; ++pair) {
      if (!panel.is_cached && first == 0) prefetch<64>(values);
      add_input<false, kRows>(x, values, own);
      add_input<true, kRows>(x + kTileRows, values, own);
      x += 2 * kTileRows;
      values += 64;
    }
    std::memcpy(sums, own, sizeof own);
  }

 private:
  // One input of all outputs: the even one of a pair is in the low halves of the lanes.
  template <bool kIsOdd, int kRows>
  static ALWAYS_INLINE void add_input(const float* x, const uint8_t* values,
                                      Vector (&sums)[kRows][kHalvesOfPanel]) {
    Vector w[kHalvesOfPanel];
    for (int half = 0; half < kHalvesOfPanel; ++half) {
      const __m256i both = load_bytes(values + 32 * half);
      w[half] = _mm256_castsi256_ps(
          kIsOdd ? _mm256_and_si256(both, _mm256_set1_epi32(static_cast<int32_t>(0xffff0000)))
                 : _mm256_slli_epi32(both, 16));
    }
#pragma GCC unroll 5
    for (int r = 0; r < kRows; ++r) {
      const Vector factor = broadcast(x[r]);
      for (int half = 0; half < kHalvesOfPanel; ++half)
        sums[r][half] = fma(w[half], factor, sums[r][half]);
    }
  }
};

// Two blocks take turns with every group of weights. One after the other, the first would wait for memory and the
// second leave it idle.
template <typename Weights, int kRows>
void any_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y, int64_t y_stride) {
  constexpr int kFirst = kRows > kBlock ? (kRows + 1) / 2 : kRows;
  // Not in y: rows that are a power of two apart would compete for the same lines of the cache.
  Vector sums[kRows][kHalvesOfPanel];
  for (auto& row : sums)
    for (Vector& sum : row) sum = broadcast(0.0f);
  const int64_t groups = inputs / kGroup;
  if constexpr (kFirst == kRows) {
    Weights::template add<kRows, kRows>(tile, 0, 0, groups, panel, sums);
  } else {
    for (int64_t g = 0; g < groups; ++g) {
      Weights::template add<kFirst, kRows>(tile, 0, g, 1, panel, sums);
      leave_registers(sums);
      Weights::template add<kRows - kFirst, kRows>(tile, kFirst, g, 1, panel, sums + kFirst);
      leave_registers(sums);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int half = 0; half < kHalvesOfPanel; ++half)
      store(y + r * y_stride + half * kLanes, sums[r][half]);
}

template <typename Weights, int kRows>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  any_tile<Integers<Weights>, kRows>(tile, inputs, panel, y, y_stride);
}

template <int kRows>
void bfloat16_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                   int64_t y_stride) {
  any_tile<Bfloat16, kRows>(tile, inputs, panel, y, y_stride);
}

#include "linear_dispatch.inc"

}  // namespace

const LinearKernels& avx2_linear_kernels() {
  static const LinearKernels kernels{
      "avx2",
      {kBlock, kBlock, kBlock},
      {kIntegerRows, kIntegerRows, kFloatRows},
      quantize_row,
      {multiply_integers<Int8>, multiply_integers<Int4>, multiply_bfloat16},
  };
  return kernels;
}

}  // namespace granite
