// The same arithmetic in plain C++, for any processor and for odd head sizes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "attention.hpp"

namespace granite {
namespace {

constexpr int64_t kTile = 16;

void attend_head(const AttentionShape& shape, const float* query, const float* keys,
                 const float* values, const int64_t* pages, int64_t length, float scale, float* y) {
  const int64_t stride = shape.kv_heads * shape.head_dim;
  float peak = -std::numeric_limits<float>::infinity(), total = 0.0f;
  std::fill_n(y, shape.head_dim, 0.0f);
  for (int64_t first = 0; first < length; first += kTile) {
    const int64_t row = pages[first / shape.page_length] * shape.page_length + first % shape.page_length;
    const int64_t count = std::min(kTile, length - first);
    float scores[kTile];
    float tile_peak = peak;
    for (int64_t j = 0; j < count; ++j) {
      float dot = 0.0f;
      for (int64_t i = 0; i < shape.head_dim; ++i)
        dot = std::fma(query[i], keys[(row + j) * stride + i], dot);
      scores[j] = dot * scale;
      tile_peak = std::max(tile_peak, scores[j]);
    }
    const float kept = std::exp(peak - tile_peak);
    peak = tile_peak;
    total *= kept;
    for (int64_t i = 0; i < shape.head_dim; ++i) y[i] *= kept;
    for (int64_t j = 0; j < count; ++j) {
      const float weight = std::exp(scores[j] - peak);
      total += weight;
      for (int64_t i = 0; i < shape.head_dim; ++i)
        y[i] = std::fma(weight, values[(row + j) * stride + i], y[i]);
    }
  }
  for (int64_t i = 0; i < shape.head_dim; ++i) y[i] /= total;
}

void attend(const AttentionShape& shape, const float* queries, const float* keys,
            const float* values, const int64_t* pages, int64_t length, float scale, float* y) {
  for (int64_t h = 0; h < shape.heads / shape.kv_heads; ++h)
    attend_head(shape, queries + h * shape.head_dim, keys, values, pages, length, scale,
                y + h * shape.head_dim);
}

}  // namespace

const AttentionKernels& generic_attention_kernels() {
  static const AttentionKernels kernels{"generic", attend};
  return kernels;
}

}  // namespace granite
