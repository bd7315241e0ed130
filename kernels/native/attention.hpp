// Grouped-query attention over paged keys and values; semantics are those of kernels/attention.py.
// Keys are visited in ascending position, sixteen at a time, with a running softmax (Milakov and
// Gimelshein 2018): a row's bits depend on its own position only.
#pragma once

#include <cstdint>

namespace granite {

class ThreadPool;

struct AttentionShape {
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t page_length;  // a multiple of 16
};

// One sequence's consecutive rows; their own keys and values are in the pages already.
struct AttentionRows {
  int64_t rows;
  int64_t start;         // position of the first row
  const float* queries;  // (rows, heads, head_dim), row stride query_stride
  const int64_t* pages;
  float* y;              // (rows, heads, head_dim)
};

struct AttentionKernels {
  const char* name;
  // All query heads of one row that share a key head; they see positions 0 to `length` - 1.
  void (*attend)(const AttentionShape& shape, const float* queries, const float* keys,
                 const float* values, const int64_t* pages, int64_t length, float scale, float* y);
};

const AttentionKernels& generic_attention_kernels();
#if defined(__x86_64__)
const AttentionKernels& avx2_attention_kernels();
const AttentionKernels& avx512_attention_kernels();
#endif

// keys, values: (pages, page_length, kv_heads, head_dim).
void attend(ThreadPool& pool, const AttentionKernels& kernels, const AttentionShape& shape,
            int64_t num_sequences, const AttentionRows* sequences, int64_t query_stride,
            const float* keys, const float* values, float scale);

}  // namespace granite
