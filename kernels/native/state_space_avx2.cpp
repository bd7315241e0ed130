// Compiled with AVX2 enabled.
#include "vectors_avx2.hpp"

#include "state_space_vectors.inc"

namespace granite {

const StateKernels& avx2_state_kernels() {
  static const StateKernels kernels{"avx2", compare<Kernel<1>>, any_channels};
  return kernels;
}

}  // namespace granite
