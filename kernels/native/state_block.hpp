// One block of one head: where its rows are, and the loop over blocks. Shared by all instruction sets.
#pragma once

#include <algorithm>

#include "state_space.hpp"

namespace granite {

constexpr int64_t kMaxBlockLength = 64;

// The rows of the block that starts `start` rows after the step's first row (negative: in the ring).
struct HeadBlock {
  const StateShape& shape;
  const SequenceRows& rows;
  int64_t input_stride;
  const float* similarities;  // (rows, G, Q)
  int64_t head;
  int64_t group;
  int64_t start;

  const float* x(int64_t s) const {
    const int64_t row = start + s;
    return row < 0 ? rows.ring_x + ((rows.offset + row) * shape.heads + head) * shape.channels
                   : rows.x + row * input_stride + head * shape.channels;
  }
  const float* b(int64_t s) const {
    const int64_t row = start + s;
    return row < 0 ? rows.ring_b + ((rows.offset + row) * shape.groups + group) * shape.state
                   : rows.b + row * input_stride + group * shape.state;
  }
  const float* c(int64_t s) const { return rows.c + (start + s) * input_stride + group * shape.state; }
  // Of row p to the rows of the block up to p.
  const float* similarity(int64_t p) const {
    return similarities + ((start + p) * shape.groups + group) * shape.block_length;
  }
  float dt(int64_t s) const {
    const int64_t row = start + s;
    return row < 0 ? rows.ring_dt[(rows.offset + row) * shape.heads + head]
                   : rows.dt[row * shape.heads + head];
  }
  float* y(int64_t s) const {
    return rows.y + ((start + s) * shape.heads + head) * shape.channels;
  }
};

// Kernel: `dot(left, right, count)`.
template <typename Kernel>
void compare(const StateShape& shape, const SequenceRows& rows, int64_t input_stride, int64_t row,
             float* similarities) {
  const int64_t p = (rows.offset + row) % shape.block_length;
  for (int64_t group = 0; group < shape.groups; ++group) {
    const HeadBlock block{shape, rows, input_stride, nullptr, 0, group, row - p};
    for (int64_t s = 0; s <= p; ++s)
      similarities[group * shape.block_length + s] = Kernel::dot(block.b(s), block.c(p), shape.state);
  }
}

// Kernel: `rows(block, boundary, decay, dt, first, end, d)` computes rows; `fold(...)` closes a full block.
template <typename Kernel>
void advance_head(const StateShape& shape, const SequenceRows& rows, int64_t input_stride,
                  const float* similarities, const float* a, const float* d, int64_t head) {
  const int64_t group = head * shape.groups / shape.heads;
  float* boundary = rows.boundary + head * shape.state * shape.channels;
  alignas(64) float decay[kMaxBlockLength], dt[kMaxBlockLength];
  for (int64_t start = -rows.offset; start < rows.rows; start += shape.block_length) {
    const HeadBlock block{shape, rows, input_stride, similarities, head, group, start};
    const int64_t end = std::min(shape.block_length, rows.rows - start);
    std::fill_n(dt, kMaxBlockLength, 0.0f);
    float total = 0.0f;
    for (int64_t s = 0; s < end; ++s) {
      dt[s] = block.dt(s);
      total += dt[s] * a[head];
      decay[s] = total;
    }
    std::fill(decay + end, decay + kMaxBlockLength, total);
    Kernel::rows(block, boundary, decay, dt, std::max<int64_t>(0, -start), end, d[head]);
    if (end == shape.block_length) Kernel::fold(block, boundary, decay, dt);
  }
}

}  // namespace granite
