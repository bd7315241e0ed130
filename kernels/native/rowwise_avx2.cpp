// Compiled with AVX2 enabled.
#include "vectors_avx2.hpp"

#include "rowwise_vectors.inc"

namespace granite {

const RowKernels& avx2_row_kernels() {
  static const RowKernels kernels{"avx2", rms_norm, gated_rms_norm, silu_and_multiply,
                                  convolve_silu};
  return kernels;
}

}  // namespace granite
