#include "kernel_set.hpp"

#include "instruction_set.hpp"

namespace granite {

KernelSet choose_kernels([[maybe_unused]] InstructionSet most) {
#if defined(__x86_64__)
  if (most == InstructionSet::kBest && has_avx512())
    return {has_avx512_vnni() ? avx512_linear_kernels() : avx2_linear_kernels(),
            avx512_state_kernels(), avx512_attention_kernels(), avx512_row_kernels(),
            avx512_packing_kernels()};
  if (most != InstructionSet::kGeneric && has_avx2())
    return {avx2_linear_kernels(), avx2_state_kernels(), avx2_attention_kernels(),
            avx2_row_kernels(), avx2_packing_kernels()};
#endif
  return {generic_linear_kernels(), generic_state_kernels(), generic_attention_kernels(),
          generic_row_kernels(), generic_packing_kernels()};
}

}  // namespace granite
