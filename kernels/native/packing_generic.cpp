// The same arithmetic in plain C++, for any processor.
#include <algorithm>

#include "packing.hpp"

namespace granite {
namespace {

float error_of(const float* group, float scale) {
  const float inverse = 1.0f / scale;
  float errors[kGroup];
  for (int i = 0; i < kGroup; ++i) {
    const float step = std::min(std::max(nearest(group[i] * inverse), -8.0f), 7.0f);
    const float error = step * scale - group[i];
    errors[i] = error * error;
  }
  float total = 0.0f;
  for (int lane = 0; lane < kGroup / 2; ++lane) errors[lane] += errors[lane + kGroup / 2];
  for (int lane = 0; lane < kGroup / 2; ++lane) total += errors[lane];
  return total;
}

}  // namespace
}  // namespace granite

#include "packing_kernel.inc"

namespace granite {

const PackingKernels& generic_packing_kernels() {
  static const PackingKernels kernels{pack_panel};
  return kernels;
}

}  // namespace granite
