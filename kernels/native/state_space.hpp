// The Mamba-2 state space in block-aligned form; formulas and shapes are those of
// kernels/state_space.py, its slow twin. Each row is computed by itself from the boundary state and
// the rows before it in its block, so its bits never depend on how rows were grouped.
#pragma once

#include <cstdint>

namespace granite {

class ThreadPool;

struct StateShape {
  int64_t block_length;  // Q
  int64_t heads;         // H
  int64_t channels;      // P
  int64_t groups;        // G
  int64_t state;         // N
};

// One sequence's rows in one step. Strides are in floats.
struct SequenceRows {
  int64_t rows;
  int64_t offset;      // rows already in the open block
  const float* x;      // (rows, H, P), row stride input_stride
  const float* b;      // (rows, G, N), row stride input_stride
  const float* c;      // (rows, G, N), row stride input_stride
  const float* dt;     // (rows, H) contiguous
  float* boundary;     // (H, N, P)
  float* ring_x;       // (Q, H, P)
  float* ring_b;       // (Q, G, N)
  float* ring_dt;      // (Q, H)
  float* y;            // (rows, H, P) contiguous
};

struct StateKernels {
  const char* name;
  // Of one row, (G, Q): c of the row times b of each row of its block up to itself. The rings hold nothing yet of
  // the step's rows, here and below.
  void (*compare)(const StateShape& shape, const SequenceRows& sequence, int64_t input_stride,
                  int64_t row, float* similarities);
  // All rows of one head of one sequence; `similarities` are those of its rows.
  void (*advance_head)(const StateShape& shape, const SequenceRows& sequence, int64_t input_stride,
                       const float* similarities, const float* a, const float* d, int64_t head);
};

const StateKernels& generic_state_kernels();
#if defined(__x86_64__)
const StateKernels& avx2_state_kernels();
const StateKernels& avx512_state_kernels();
#endif

// y includes the D term. `a` and `d` are (H,).
void advance_state(ThreadPool& pool, const StateKernels& kernels, const StateShape& shape,
                   int64_t num_sequences, const SequenceRows* sequences, int64_t input_stride,
                   const float* a, const float* d);

}  // namespace granite
