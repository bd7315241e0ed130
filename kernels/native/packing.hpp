// Weights into packed form; formats and rounding are those of kernels/packing.py.
#pragma once

#include <cstdint>

#include "linear.hpp"

namespace granite {

// To the nearest integer, ties to even, for |x| < 2^22.
static inline float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

struct PackingKernels {
  // 16 rows of `inputs` floats to one panel of panel_bytes(format, inputs).
  void (*pack_panel)(Format format, const float* rows, int64_t inputs, uint8_t* panel);
};

const PackingKernels& generic_packing_kernels();
#if defined(__x86_64__)
const PackingKernels& avx2_packing_kernels();
const PackingKernels& avx512_packing_kernels();
#endif

// `weight` is (outputs, inputs), bf16 if `is_bfloat16` else fp32. Rows beyond `outputs` are zero.
void pack(ThreadPool& pool, const PackingKernels& kernels, Format format, const void* weight,
          bool is_bfloat16, int64_t outputs, int64_t inputs, uint8_t* packed);

}  // namespace granite
