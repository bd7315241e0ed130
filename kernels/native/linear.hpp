// Linear layers on packed weights: y[m, n] = sum_k x[m, k] w[n, k], x and y in fp32.
//
// Weights are packed 16 output rows at a time, so that one vector register holds the same few inputs
// of 16 outputs. Within a group of 32 inputs integer products are summed exactly; groups are summed in
// fp32 in ascending order with the same operations for every number of rows. A row's result therefore
// never depends on the other rows, on the blocking or on the number of threads.
#pragma once

#include <cstdint>

namespace granite {

class ThreadPool;

constexpr int64_t kPanel = 16;  // output rows packed together
constexpr int64_t kGroup = 32;  // inputs that share a scale
constexpr int64_t kRowTile = 16;
// A group of smaller activations is zero: 127 over its peak would not be finite.
constexpr float kLeastPeak = 1e-36f;

enum class Format : int32_t { kInt8 = 0, kInt4 = 1, kBfloat16 = 2 };

// One panel of a packed weight matrix.
struct Panel {
  const uint16_t* scales;  // (groups, 16) fp16; none in bf16
  const uint8_t* values;   // (groups, bytes_per_group)
};

// Rows of x in the form the kernels read: (rows, inputs).
struct PackedRows {
  const int8_t* values;         // int8 and int4
  const float* scales;          // (rows, groups)
  const int32_t* corrections;   // (rows, groups): minus zero point times the sum of the group
  const uint16_t* bfloat16;     // bf16
};

// Kernels of one instruction set.
struct LinearKernels {
  const char* name;
  // Quantise one row of `inputs` floats; `zero_point` is that of the weights.
  void (*quantize_row)(const float* x, int64_t inputs, int32_t zero_point, int8_t* values,
                       float* scales, int32_t* corrections);
  void (*round_row)(const float* x, int64_t inputs, uint16_t* bfloat16);
  // y[0..rows) x 16 outputs of one panel; rows <= kRowTile.
  void (*tile[3])(const PackedRows& x, int64_t first_row, int64_t rows, int64_t inputs,
                  const Panel& panel, float* y, int64_t y_stride);
};

const LinearKernels& generic_linear_kernels();
#if defined(__x86_64__)
const LinearKernels& avx512_linear_kernels();
#endif
const LinearKernels& best_linear_kernels();

int64_t panel_bytes(Format format, int64_t inputs);

void linear(ThreadPool& pool, const LinearKernels& kernels, Format format, const float* x,
            int64_t rows, int64_t inputs, const uint8_t* packed, int64_t outputs, float* y);

}  // namespace granite
