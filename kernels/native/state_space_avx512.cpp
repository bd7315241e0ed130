// Compiled with AVX-512 enabled.
#include "vectors_avx512.hpp"

#include "state_space_vectors.inc"

namespace granite {

const StateKernels& avx512_state_kernels() {
  static const StateKernels kernels{"avx512", compare<Kernel<1>>, any_channels};
  return kernels;
}

}  // namespace granite
