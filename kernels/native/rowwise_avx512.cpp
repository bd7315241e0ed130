// Compiled with AVX-512 enabled.
#include "vectors_avx512.hpp"

#include "rowwise_vectors.inc"

namespace granite {

const RowKernels& avx512_row_kernels() {
  static const RowKernels kernels{"avx512", rms_norm, gated_rms_norm, silu_and_multiply,
                                  convolve_silu};
  return kernels;
}

}  // namespace granite
