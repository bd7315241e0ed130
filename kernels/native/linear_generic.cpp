// The same arithmetic in plain C++, for processors without AVX-512: the compiler vectorises it.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "linear.hpp"

namespace granite {
namespace {

float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * std::ldexp(static_cast<float>(fraction), -24);
  const uint32_t bits = sign | (exponent + 112) << 23 | fraction << 13;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float from_bfloat16(uint16_t rounded) {
  const uint32_t bits = static_cast<uint32_t>(rounded) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

void quantize_row(const float* x, int64_t inputs, int32_t zero_point, int8_t* values, float* scales,
                  int32_t* corrections) {
  for (int64_t group = 0; group < inputs / kGroup; ++group) {
    const float* own = x + group * kGroup;
    float peak = 0.0f, lost = 0.0f;
    for (int i = 0; i < kGroup; ++i) {
      peak = std::max(peak, std::fabs(own[i]));
      lost += 0.0f * own[i];  // a maximum may lose a NaN; this is 0 for finite x only
    }
    peak += lost;
    const float inverse = peak > kLeastPeak ? 127.0f / peak : 0.0f;
    int32_t sum = 0;
    for (int i = 0; i < kGroup; ++i) {
      const float step = std::nearbyint(own[i] * inverse);
      const int32_t q = step == step ? static_cast<int32_t>(step) : 0;
      values[group * kGroup + i] = static_cast<int8_t>(q);
      sum += q;
    }
    scales[group] = peak / 127.0f;
    corrections[group] = -zero_point * sum;
  }
}

void round_row(const float* x, int64_t inputs, uint16_t* bfloat16) {
  for (int64_t i = 0; i < inputs; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bfloat16[i] = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

struct Int8 {
  static int32_t at(const uint8_t* values, int quad, int n, int k) {
    return values[quad * 64 + n * 4 + k];
  }
  static constexpr int64_t kBytes = 512;
};

struct Int4 {
  static int32_t at(const uint8_t* values, int quad, int n, int k) {
    const uint8_t both = values[quad / 2 * 64 + n * 4 + k];
    return quad % 2 ? both >> 4 : both & 0x0f;
  }
  static constexpr int64_t kBytes = 256;
};

template <typename Weights>
void integer_tile(const PackedRows& x, int64_t first_row, int64_t rows, int64_t inputs,
                  const Panel& panel, float* y, int64_t y_stride) {
  const int64_t groups = inputs / kGroup;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t row = first_row + r;
    float sum[kPanel] = {};
    for (int64_t g = 0; g < groups; ++g) {
      const int8_t* a = x.values + row * inputs + g * kGroup;
      const uint8_t* values = panel.values + g * Weights::kBytes;
      int32_t dot[kPanel];
      std::fill_n(dot, kPanel, x.corrections[row * groups + g]);
      for (int quad = 0; quad < 8; ++quad)
        for (int n = 0; n < kPanel; ++n)
          for (int k = 0; k < 4; ++k) dot[n] += Weights::at(values, quad, n, k) * a[quad * 4 + k];
      const float a_scale = x.scales[row * groups + g];
      for (int n = 0; n < kPanel; ++n)
        sum[n] = std::fma(static_cast<float>(dot[n]) * a_scale,
                          from_half(panel.scales[g * kPanel + n]), sum[n]);
    }
    std::copy_n(sum, kPanel, y + r * y_stride);
  }
}

void bfloat16_tile(const PackedRows& x, int64_t first_row, int64_t rows, int64_t inputs,
                   const Panel& panel, float* y, int64_t y_stride) {
  const uint16_t* weights = reinterpret_cast<const uint16_t*>(panel.values);
  for (int64_t r = 0; r < rows; ++r) {
    const uint16_t* a = x.bfloat16 + (first_row + r) * inputs;
    float sum[kPanel] = {};
    for (int64_t k = 0; k < inputs; ++k)
      for (int n = 0; n < kPanel; ++n)
        sum[n] = std::fma(from_bfloat16(a[k]),
                          from_bfloat16(weights[k / 2 * 32 + n * 2 + k % 2]), sum[n]);
    std::copy_n(sum, kPanel, y + r * y_stride);
  }
}

}  // namespace

const LinearKernels& generic_linear_kernels() {
  static const LinearKernels kernels{
      "generic",
      quantize_row,
      round_row,
      {integer_tile<Int8>, integer_tile<Int4>, bfloat16_tile},
  };
  return kernels;
}

}  // namespace granite
