// Which kernels run: of each kind the best that the processor has, unless a test asks for less.
#pragma once

#include <cstdint>

#include "attention.hpp"
#include "linear.hpp"
#include "packing.hpp"
#include "rowwise.hpp"
#include "state_space.hpp"

namespace granite {

// The most that may be used. Where the processor has not even that, less is.
enum class InstructionSet : int32_t { kBest = 0, kAvx2 = 1, kGeneric = 2 };

struct KernelSet {
  const LinearKernels& linear;
  const StateKernels& state;
  const AttentionKernels& attention;
  const RowKernels& rows;
  const PackingKernels& packing;
};

KernelSet choose_kernels(InstructionSet most);

}  // namespace granite
