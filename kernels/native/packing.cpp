#include "packing.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "thread_pool.hpp"

namespace granite {

namespace {

void widen(const void* weight, bool is_bfloat16, int64_t first, int64_t count, float* to) {
  if (!is_bfloat16) {
    std::memcpy(to, static_cast<const float*>(weight) + first, count * sizeof(float));
    return;
  }
  const uint16_t* from = static_cast<const uint16_t*>(weight) + first;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
    std::memcpy(to + i, &bits, sizeof bits);
  }
}

}  // namespace

void pack(ThreadPool& pool, const PackingKernels& kernels, Format format, const void* weight,
          bool is_bfloat16, int64_t outputs, int64_t inputs, uint8_t* packed) {
  const int64_t panels = (outputs + kPanel - 1) / kPanel;
  pool.run(panels, [&](int64_t p) {
    std::vector<float> rows(kPanel * inputs, 0.0f);
    const int64_t count = std::min(kPanel, outputs - p * kPanel);
    widen(weight, is_bfloat16, p * kPanel * inputs, count * inputs, rows.data());
    kernels.pack_panel(format, rows.data(), inputs, packed + p * panel_bytes(format, inputs));
  });
}

}  // namespace granite
