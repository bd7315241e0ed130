#include "attention.hpp"

#include "thread_pool.hpp"

namespace granite {

void attend(ThreadPool& pool, const AttentionKernels& kernels, const AttentionShape& shape,
            int64_t num_sequences, const AttentionRows* sequences, int64_t query_stride,
            const float* keys, const float* values, float scale) {
  const int64_t shared = shape.heads / shape.kv_heads * shape.head_dim;
  for (int64_t i = 0; i < num_sequences; ++i) {
    const AttentionRows& s = sequences[i];
    pool.run(s.rows * shape.kv_heads, [&](int64_t task) {
      const int64_t row = task / shape.kv_heads, kv_head = task % shape.kv_heads;
      const int64_t place = row * shape.heads * shape.head_dim + kv_head * shared;
      kernels.attend(shape, s.queries + row * query_stride + kv_head * shared, keys + kv_head * shape.head_dim,
                     values + kv_head * shape.head_dim, s.pages, s.start + row + 1, scale,
                     s.y + place);
    });
  }
}

}  // namespace granite
