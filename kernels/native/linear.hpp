// Linear layers on packed weights: y[m, n] = sum_k x[m, k] w[n, k], x and y in fp32.
//
// Weights are packed 16 output rows at a time, so that one vector register holds the same few inputs
// of 16 outputs. Within a group of inputs integer products are summed exactly; groups are summed in
// fp32 in ascending order with the same operations for every number of rows. A row's result therefore
// never depends on the other rows, on the blocking or on the number of threads.
#pragma once

#include <cstdint>

namespace granite {

class ThreadPool;

constexpr int64_t kPanel = 16;  // output rows packed together
constexpr int64_t kGroup = 64;  // inputs that share a scale
// The peak of a group of activations is the largest sum of the positive ones, or of the negative ones, among
// four that share 16 bits on AVX2: inputs 8 i + 0, 1, 4, 5 or 8 i + 2, 3, 6, 7. Rounded, four of such steps add up to
// 128 at most, and 255 times 128 fits.
constexpr float kStepsOfPeak = 126.0f;
// A group of smaller activations is zero: the steps over its peak would not be finite.
constexpr float kLeastPeak = 1e-36f;

enum class Format : int32_t { kInt8 = 0, kInt4 = 1, kBfloat16 = 2 };

// What stands for 0 in a stored weight.
constexpr int32_t kInt8ZeroPoint = 128, kInt4ZeroPoint = 8;

// Output rows of one matrix that are stored in one format; `outputs` is a multiple of kPanel.
struct PackedWeight {
  int64_t format;
  int64_t outputs;
  const uint8_t* panels;
};

// One panel of a packed weight matrix.
struct Panel {
  const uint16_t* scales;  // (groups, 16) fp16; none in bf16
  const uint8_t* values;   // (groups, bytes_per_group)
  bool is_cached;          // an earlier tile of this call has read it
};

// A few rows of x, side by side in the order in which a tile reads them.
struct RowTile {
  int64_t rows;
  int8_t* values;            // (inputs / 4, rows, 4): quantised, for integer weights
  float* scales;             // (groups, rows)
  int32_t* corrections[2];   // (groups, rows) by format: minus its zero point times the group's sum
  float* floats;             // (inputs, rows): as they are, for bf16 weights
};

// Kernels of one instruction set.
struct LinearKernels {
  const char* name;
  // The most rows of a tile, by format; and of one that holds all rows there are.
  int64_t row_tile[3], lone_tile[3];
  // Put inputs [first, last) of one row, quantised, into its place in the tile; whole groups.
  void (*quantize_row)(const float* x, int64_t first, int64_t last, const RowTile& tile, int64_t row);
  // All rows of a tile by the 16 outputs of one panel.
  void (*multiply[3])(const RowTile& tile, int64_t inputs, const Panel& panel, float* y,
                      int64_t y_stride);
};

const LinearKernels& generic_linear_kernels();
#if defined(__x86_64__)
const LinearKernels& avx2_linear_kernels();
const LinearKernels& avx512_linear_kernels();
#endif

// Of the values of one group in one panel; and of a whole panel with its scales.
int64_t group_bytes(Format format);
int64_t panel_bytes(Format format, int64_t inputs);

// All parts of one matrix, their outputs side by side in y. Parts are either all bf16 or none is.
void linear(ThreadPool& pool, const LinearKernels& kernels, const float* x, int64_t rows,
            int64_t inputs, int64_t num_parts, const PackedWeight* parts, float* y,
            int64_t y_stride);

}  // namespace granite
