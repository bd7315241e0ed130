// Compiled with AVX2 enabled.
#include "vectors_avx2.hpp"

#include "packing_vectors.inc"

namespace granite {

const PackingKernels& avx2_packing_kernels() {
  static const PackingKernels kernels{pack_panel};
  return kernels;
}

}  // namespace granite
