#include "state_space.hpp"

#include <algorithm>
#include <cstring>

#include "thread_pool.hpp"

namespace granite {

namespace {

void copy_rows(float* to, const float* from, int64_t rows, int64_t width, int64_t from_stride) {
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(to + r * width, from + r * from_stride, width * sizeof(float));
}

// Keep the inputs of the open block: those of this step that belong to it, behind older ones.
void store_open_rows(const StateShape& shape, const SequenceRows& s, int64_t input_stride) {
  const int64_t open = (s.offset + s.rows) % shape.block_length;
  const int64_t count = std::min(open, s.rows);
  const int64_t first = s.rows - count;
  const int64_t place = open - count;
  const int64_t x_width = shape.heads * shape.channels, b_width = shape.groups * shape.state;
  copy_rows(s.ring_x + place * x_width, s.x + first * input_stride, count, x_width, input_stride);
  copy_rows(s.ring_b + place * b_width, s.b + first * input_stride, count, b_width, input_stride);
  copy_rows(s.ring_dt + place * shape.heads, s.dt + first * shape.heads, count, shape.heads,
            shape.heads);
}

}  // namespace

void advance_state(ThreadPool& pool, const StateKernels& kernels, const StateShape& shape,
                   int64_t num_sequences, const SequenceRows* sequences, int64_t input_stride,
                   const float* a, const float* d) {
  pool.run(num_sequences * shape.heads, [&](int64_t task) {
    kernels.advance_head(shape, sequences[task / shape.heads], input_stride, a, d,
                         task % shape.heads);
  });
  for (int64_t i = 0; i < num_sequences; ++i) store_open_rows(shape, sequences[i], input_stride);
}

}  // namespace granite
