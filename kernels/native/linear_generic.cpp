// The same arithmetic in plain C++, for any processor: the compiler may vectorise it.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "linear.hpp"

namespace granite {
namespace {

constexpr int64_t kRowTile = 16;

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

float larger_sum_of_signs(float a, float b, float c, float d) {
  const auto up = [](float value) { return std::max(value, 0.0f); };
  // The order of the vector kernels: no other has the same bits.
  const float positive = (up(a) + up(c)) + (up(b) + up(d));
  const float negative = (up(-a) + up(-c)) + (up(-b) + up(-d));
  return std::max(positive, negative);
}

void quantize_row(const float* x, int64_t first, int64_t last, const RowTile& tile, int64_t row) {
  for (int64_t i = first; i < last; i += kGroup) {
    const float* own = x + i;
    float peak = 0.0f, lost = 0.0f;
    for (int k = 0; k < kGroup; k += 8)
      for (const float* a = own + k; a < own + k + 4; a += 2)
        peak = std::max(peak, larger_sum_of_signs(a[0], a[1], a[4], a[5]));
    // A maximum may lose a NaN; this is 0 for finite x only.
    for (int k = 0; k < kGroup; ++k) lost += 0.0f * own[k];
    peak += lost;
    const float inverse = peak > kLeastPeak ? kStepsOfPeak / peak : 0.0f;
    int32_t sum = 0;
    for (int k = 0; k < kGroup; ++k) {
      const float step = std::nearbyint(own[k] * inverse);
      const int32_t q = step == step ? static_cast<int32_t>(step) : 0;
      tile.values[((i + k) / 4 * tile.rows + row) * 4 + k % 4] = static_cast<int8_t>(q);
      sum += q;
    }
    const int64_t place = i / kGroup * tile.rows + row;
    tile.scales[place] = peak / kStepsOfPeak;
    tile.corrections[static_cast<int>(Format::kInt8)][place] = -kInt8ZeroPoint * sum;
    tile.corrections[static_cast<int>(Format::kInt4)][place] = -kInt4ZeroPoint * sum;
  }
}

struct Int8 {
  static constexpr Format kFormat = Format::kInt8;
  static constexpr int64_t kBytes = kPanel * kGroup;
  static int32_t at(const uint8_t* values, int quad, int n, int k) {
    return values[quad * 64 + n * 4 + k];
  }
};

struct Int4 {
  static constexpr Format kFormat = Format::kInt4;
  static constexpr int64_t kBytes = kPanel * kGroup / 2;
  static int32_t at(const uint8_t* values, int quad, int n, int k) {
    const uint8_t both = values[quad / 2 * 64 + n * 4 + k];
    return quad % 2 ? both >> 4 : both & 0x0f;
  }
};

template <typename Weights>
void integer_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                  int64_t y_stride) {
  const int32_t* corrections = tile.corrections[static_cast<int>(Weights::kFormat)];
  for (int64_t r = 0; r < tile.rows; ++r) {
    float* sum = y + r * y_stride;
    std::fill_n(sum, kPanel, 0.0f);
    for (int64_t g = 0; g < inputs / kGroup; ++g) {
      const uint8_t* values = panel.values + g * Weights::kBytes;
      int32_t dot[kPanel];
      std::fill_n(dot, kPanel, corrections[g * tile.rows + r]);
      for (int quad = 0; quad < kGroup / 4; ++quad) {
        const int8_t* x = tile.values + ((g * kGroup / 4 + quad) * tile.rows + r) * 4;
        for (int n = 0; n < kPanel; ++n)
          for (int k = 0; k < 4; ++k) dot[n] += Weights::at(values, quad, n, k) * x[k];
      }
      const float x_scale = tile.scales[g * tile.rows + r];
      for (int n = 0; n < kPanel; ++n)
        sum[n] = std::fma(static_cast<float>(dot[n]) * x_scale,
                          from_half(panel.scales[g * kPanel + n]), sum[n]);
    }
  }
}

void bfloat16_tile(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                   int64_t y_stride) {
  const uint16_t* weights = reinterpret_cast<const uint16_t*>(panel.values);
  for (int64_t r = 0; r < tile.rows; ++r) {
    float* sum = y + r * y_stride;
    std::fill_n(sum, kPanel, 0.0f);
    for (int64_t k = 0; k < inputs; ++k)
      for (int n = 0; n < kPanel; ++n)
        sum[n] = std::fma(tile.floats[k * tile.rows + r],
                          from_bfloat16(weights[k / 2 * 32 + n * 2 + k % 2]), sum[n]);
  }
}

}  // namespace

const LinearKernels& generic_linear_kernels() {
  static const LinearKernels kernels{
      "generic",
      {kRowTile, kRowTile, kRowTile},
      {kRowTile, kRowTile, kRowTile},
      quantize_row,
      {integer_tile<Int8>, integer_tile<Int4>, bfloat16_tile},
  };
  return kernels;
}

}  // namespace granite
