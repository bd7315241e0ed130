#include "state_space.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "rowwise.hpp"
#include "thread_pool.hpp"

namespace granite {

namespace {

// Of heads that follow each other in memory: one alone is over before reading is at its full pace.
constexpr int64_t kRangesPerThread = 8;

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

// Of each sequence (rows, G, Q). All heads of a group share them.
std::vector<std::vector<float>> compare_rows(ThreadPool& pool, const StateKernels& kernels,
                                             const StateShape& shape, int64_t num_sequences,
                                             const SequenceRows* sequences, int64_t input_stride) {
  const int64_t row_size = shape.groups * shape.block_length;
  std::vector<std::vector<float>> similarities(num_sequences);
  for (int64_t i = 0; i < num_sequences; ++i) {
    similarities[i].resize(sequences[i].rows * row_size);
    for_rows(pool, sequences[i].rows, [&](int64_t r) {
      kernels.compare(shape, sequences[i], input_stride, r, similarities[i].data() + r * row_size);
    });
  }
  return similarities;
}

}  // namespace

void advance_state(ThreadPool& pool, const StateKernels& kernels, const StateShape& shape,
                   int64_t num_sequences, const SequenceRows* sequences, int64_t input_stride,
                   const float* a, const float* d) {
  const auto similarities =
      compare_rows(pool, kernels, shape, num_sequences, sequences, input_stride);
  pool.run_ranges(num_sequences * shape.heads, kRangesPerThread, [&](int64_t task) {
    const int64_t i = task / shape.heads;
    kernels.advance_head(shape, sequences[i], input_stride, similarities[i].data(), a, d,
                         task % shape.heads);
  });
  for (int64_t i = 0; i < num_sequences; ++i) store_open_rows(shape, sequences[i], input_stride);
}

}  // namespace granite
