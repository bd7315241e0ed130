// Compiled with AVX-512 enabled. Heads of 16, 32, 64 or 128 channels; others go the generic way.
#include "state_block.hpp"
#include "vector_math.hpp"

namespace granite {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kMaxVectors = 8;  // 128 channels

float dot(const float* left, const float* right, int64_t count) {
  __m512 sum = _mm512_setzero_ps();
  int64_t n = 0;
  for (; n + kLanes <= count; n += kLanes)
    sum = _mm512_fmadd_ps(_mm512_loadu_ps(left + n), _mm512_loadu_ps(right + n), sum);
  const __mmask16 rest = static_cast<__mmask16>((1u << (count - n)) - 1);
  sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, left + n),
                        _mm512_maskz_loadu_ps(rest, right + n), sum);
  return _mm512_reduce_add_ps(sum);
}

// exp(decay[p] - decay[s]) * dt[s] for the rows of the block up to p; later rows have dt = 0 or are
// not read.
void weights_of(const float* decay, const float* dt, int64_t p, int64_t length, float* weights) {
  const __m512 now = _mm512_set1_ps(decay[p]);
  for (int64_t s = 0; s < length; s += kLanes) {
    const __m512 span = _mm512_sub_ps(now, _mm512_load_ps(decay + s));
    _mm512_store_ps(weights + s, _mm512_mul_ps(exp(span), _mm512_load_ps(dt + s)));
  }
}

float exp_of(float x) { return _mm512_cvtss_f32(exp(_mm512_set1_ps(x))); }

// With that many rows the boundary state comes from memory once and from the cache afterwards.
constexpr int64_t kRowsInCache = 4;

template <int kVectors>
struct Kernel {
  // sum = boundary (N, P) transposed times c (N)
  template <bool kFromMemory>
  static void read(const float* boundary, const float* c, int64_t state, __m512* sum) {
    constexpr int64_t kFar = 2048, kNear = 256;  // floats ahead, as in the linear layers
    for (int v = 0; v < kVectors; ++v) sum[v] = _mm512_setzero_ps();
    for (int64_t n = 0; n < state; ++n) {
      const float* values = boundary + n * kVectors * kLanes;
      const __m512 factor = _mm512_set1_ps(c[n]);
      for (int v = 0; v < kVectors; ++v) {
        if constexpr (kFromMemory) {
          _mm_prefetch(reinterpret_cast<const char*>(values + kFar + v * kLanes), _MM_HINT_T1);
          _mm_prefetch(reinterpret_cast<const char*>(values + kNear + v * kLanes), _MM_HINT_T0);
        }
        sum[v] = _mm512_fmadd_ps(_mm512_loadu_ps(values + v * kLanes), factor, sum[v]);
      }
    }
  }

  static void row(const HeadBlock& block, const float* boundary, const float* decay,
                  const float* dt, int64_t p, float d) {
    const int64_t state = block.shape.state;
    const float* c = block.c(p);
    __m512 sum[kVectors];
    if (block.rows.rows < kRowsInCache)
      read<true>(boundary, c, state, sum);
    else
      read<false>(boundary, c, state, sum);
    const __m512 carried = _mm512_set1_ps(exp_of(decay[p]));
    for (int v = 0; v < kVectors; ++v) sum[v] = _mm512_mul_ps(sum[v], carried);
    alignas(64) float weights[kMaxBlockLength];
    weights_of(decay, dt, p, block.shape.block_length, weights);
    for (int64_t s = 0; s <= p; ++s)
      add(sum, block.x(s), weights[s] * dot(block.b(s), c, state));
    add(sum, block.x(p), d);
    for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(block.y(p) + v * kLanes, sum[v]);
  }

  static void add(__m512* sum, const float* x, float weight) {
    const __m512 factor = _mm512_set1_ps(weight);
    for (int v = 0; v < kVectors; ++v)
      sum[v] = _mm512_fmadd_ps(_mm512_loadu_ps(x + v * kLanes), factor, sum[v]);
  }

  static void fold(const HeadBlock& block, float* boundary, const float* decay, const float* dt) {
    const int64_t state = block.shape.state, length = block.shape.block_length;
    constexpr int64_t channels = kVectors * kLanes;
    alignas(64) float weights[kMaxBlockLength];
    weights_of(decay, dt, length - 1, length, weights);
    const __m512 kept = _mm512_set1_ps(exp_of(decay[length - 1]));
    for (int64_t n = 0; n < state; ++n) {
      __m512 sum[kVectors];
      for (int v = 0; v < kVectors; ++v)
        sum[v] = _mm512_mul_ps(_mm512_loadu_ps(boundary + n * channels + v * kLanes), kept);
      for (int64_t s = 0; s < length; ++s) add(sum, block.x(s), weights[s] * block.b(s)[n]);
      for (int v = 0; v < kVectors; ++v)
        _mm512_storeu_ps(boundary + n * channels + v * kLanes, sum[v]);
    }
  }
};

template <int kVectors>
void for_vectors(const StateShape& shape, const SequenceRows& rows, int64_t input_stride,
                 const float* a, const float* d, int64_t head) {
  if (shape.channels == kVectors * kLanes)
    advance_head<Kernel<kVectors>>(shape, rows, input_stride, a, d, head);
  else if constexpr (kVectors < kMaxVectors)
    for_vectors<2 * kVectors>(shape, rows, input_stride, a, d, head);
  else
    generic_state_kernels().advance_head(shape, rows, input_stride, a, d, head);
}

void any_channels(const StateShape& shape, const SequenceRows& rows, int64_t input_stride,
                  const float* a, const float* d, int64_t head) {
  for_vectors<1>(shape, rows, input_stride, a, d, head);
}

}  // namespace

const StateKernels& avx512_state_kernels() {
  static const StateKernels kernels{"avx512", any_channels};
  return kernels;
}

}  // namespace granite
