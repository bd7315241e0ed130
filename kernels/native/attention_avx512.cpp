// Compiled with AVX-512 enabled.
#include "vectors_avx512.hpp"

#include "attention_vectors.inc"

namespace granite {

const AttentionKernels& avx512_attention_kernels() {
  static const AttentionKernels kernels{"avx512", any_head_dim};
  return kernels;
}

}  // namespace granite
