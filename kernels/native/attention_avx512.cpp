// Compiled with AVX-512 enabled. Head sizes 16, 32, 64 and 128; others go the generic way.
#include <algorithm>
#include <limits>

#include "attention.hpp"
#include "vector_math.hpp"

namespace granite {
namespace {

constexpr int64_t kTile = 16;
constexpr int kMaxVectors = 8;

template <int kVectors>
struct Head {
  __m512 query[kVectors];
  __m512 sum[kVectors];
  float peak = -std::numeric_limits<float>::infinity();
  float total = 0.0f;

  explicit Head(const float* from) {
    for (int v = 0; v < kVectors; ++v) {
      query[v] = _mm512_loadu_ps(from + 16 * v);
      sum[v] = _mm512_setzero_ps();
    }
  }

  void visit(const float* keys, const float* values, int64_t stride, int64_t count, float scale) {
    alignas(64) float scores[kTile];
    std::fill_n(scores, kTile, -std::numeric_limits<float>::infinity());
    for (int64_t j = 0; j < count; ++j) {
      __m512 dot = _mm512_setzero_ps();
      for (int v = 0; v < kVectors; ++v)
        dot = _mm512_fmadd_ps(query[v], _mm512_loadu_ps(keys + j * stride + 16 * v), dot);
      scores[j] = _mm512_reduce_add_ps(dot) * scale;
    }
    const __m512 tile = _mm512_load_ps(scores);
    const float tile_peak = std::max(peak, _mm512_reduce_max_ps(tile));
    const __m512 weights = exp(_mm512_sub_ps(tile, _mm512_set1_ps(tile_peak)));
    const float kept = _mm512_cvtss_f32(exp(_mm512_set1_ps(peak - tile_peak)));
    peak = tile_peak;
    const __mmask16 seen = static_cast<__mmask16>((1u << count) - 1);
    total = total * kept + _mm512_reduce_add_ps(_mm512_maskz_mov_ps(seen, weights));
    _mm512_store_ps(scores, weights);
    for (int v = 0; v < kVectors; ++v) sum[v] = _mm512_mul_ps(sum[v], _mm512_set1_ps(kept));
    for (int64_t j = 0; j < count; ++j) {
      const __m512 weight = _mm512_set1_ps(scores[j]);
      for (int v = 0; v < kVectors; ++v)
        sum[v] = _mm512_fmadd_ps(weight, _mm512_loadu_ps(values + j * stride + 16 * v), sum[v]);
    }
  }

  void store(float* y) const {
    const __m512 divisor = _mm512_set1_ps(total);
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(y + 16 * v, _mm512_div_ps(sum[v], divisor));
  }
};

template <int kVectors>
void attend(const AttentionShape& shape, const float* queries, const float* keys,
            const float* values, const int64_t* pages, int64_t length, float scale, float* y) {
  const int64_t stride = shape.kv_heads * shape.head_dim;
  for (int64_t h = 0; h < shape.heads / shape.kv_heads; ++h) {
    Head<kVectors> head(queries + h * shape.head_dim);
    for (int64_t first = 0; first < length; first += kTile) {
      const int64_t row =
          pages[first / shape.page_length] * shape.page_length + first % shape.page_length;
      head.visit(keys + row * stride, values + row * stride, stride,
                 std::min(kTile, length - first), scale);
    }
    head.store(y + h * shape.head_dim);
  }
}

template <int kVectors>
void for_vectors(const AttentionShape& shape, const float* queries, const float* keys,
                 const float* values, const int64_t* pages, int64_t length, float scale, float* y) {
  if (shape.head_dim == kVectors * 16)
    attend<kVectors>(shape, queries, keys, values, pages, length, scale, y);
  else if constexpr (kVectors < kMaxVectors)
    for_vectors<2 * kVectors>(shape, queries, keys, values, pages, length, scale, y);
  else
    generic_attention_kernels().attend(shape, queries, keys, values, pages, length, scale, y);
}

void any_head_dim(const AttentionShape& shape, const float* queries, const float* keys,
                  const float* values, const int64_t* pages, int64_t length, float scale, float* y) {
  for_vectors<1>(shape, queries, keys, values, pages, length, scale, y);
}

}  // namespace

const AttentionKernels& avx512_attention_kernels() {
  static const AttentionKernels kernels{"avx512", any_head_dim};
  return kernels;
}

}  // namespace granite
