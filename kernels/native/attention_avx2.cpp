// Compiled with AVX2 enabled.
#include "vectors_avx2.hpp"

#include "attention_vectors.inc"

namespace granite {

const AttentionKernels& avx2_attention_kernels() {
  static const AttentionKernels kernels{"avx2", any_head_dim};
  return kernels;
}

}  // namespace granite
