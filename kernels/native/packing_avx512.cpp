// Compiled with AVX-512 enabled.
#include "vectors_avx512.hpp"

#include "packing_vectors.inc"

namespace granite {

const PackingKernels& avx512_packing_kernels() {
  static const PackingKernels kernels{pack_panel};
  return kernels;
}

}  // namespace granite
