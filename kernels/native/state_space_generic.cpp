// The same arithmetic in plain C++, for any processor.
#include <cmath>

#include "state_block.hpp"

namespace granite {
namespace {

struct Kernel {
  static float dot(const float* left, const float* right, int64_t count) {
    float total = 0.0f;
    for (int64_t n = 0; n < count; ++n) total = std::fma(left[n], right[n], total);
    return total;
  }

  static void rows(const HeadBlock& block, const float* boundary, const float* decay,
                   const float* dt, int64_t first, int64_t end, float d) {
    for (int64_t p = first; p < end; ++p) row(block, boundary, decay, dt, p, d);
  }

  static void row(const HeadBlock& block, const float* boundary, const float* decay,
                  const float* dt, int64_t p, float d) {
    const int64_t channels = block.shape.channels, state = block.shape.state;
    const float* c = block.c(p);
    float* y = block.y(p);
    std::fill_n(y, channels, 0.0f);
    for (int64_t n = 0; n < state; ++n)
      for (int64_t i = 0; i < channels; ++i) y[i] = std::fma(boundary[n * channels + i], c[n], y[i]);
    const float carried = std::exp(decay[p]);
    for (int64_t i = 0; i < channels; ++i) y[i] *= carried;
    for (int64_t s = 0; s <= p; ++s) {
      const float* x = block.x(s);
      const float weight = std::exp(decay[p] - decay[s]) * dt[s] * block.similarity(p)[s];
      for (int64_t i = 0; i < channels; ++i) y[i] = std::fma(weight, x[i], y[i]);
    }
    const float* x = block.x(p);
    for (int64_t i = 0; i < channels; ++i) y[i] = std::fma(d, x[i], y[i]);
  }

  static void fold(const HeadBlock& block, float* boundary, const float* decay, const float* dt) {
    const int64_t channels = block.shape.channels, state = block.shape.state;
    const int64_t last = block.shape.block_length - 1;
    const float kept = std::exp(decay[last]);
    for (int64_t i = 0; i < state * channels; ++i) boundary[i] *= kept;
    for (int64_t s = 0; s <= last; ++s) {
      const float weight = std::exp(decay[last] - decay[s]) * dt[s];
      const float* b = block.b(s);
      const float* x = block.x(s);
      for (int64_t n = 0; n < state; ++n)
        for (int64_t i = 0; i < channels; ++i)
          boundary[n * channels + i] = std::fma(weight * b[n], x[i], boundary[n * channels + i]);
    }
  }
};

}  // namespace

const StateKernels& generic_state_kernels() {
  static const StateKernels kernels{"generic", compare<Kernel>, advance_head<Kernel>};
  return kernels;
}

}  // namespace granite
