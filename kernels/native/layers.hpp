// All layers of the network in one call: the same operations as one by one, in the same order,
// without the caller in between. The twin is the network written in Python over the single operations.
#pragma once

#include <cstdint>
#include <vector>

#include "kernel_set.hpp"

namespace granite {

// A linear layer's weight: parts side by side. Columns of a result row beyond the last part's true
// outputs are padding.
struct Matrix {
  int64_t inputs;
  int64_t num_parts;
  const PackedWeight* parts;

  int64_t outputs() const;
};

enum class Mixer : int64_t { kMamba = 0, kAttention = 1 };

struct LayerWeights {
  int64_t mixer;
  const float* mixer_norm;  // (hidden)
  Matrix mixer_in;          // gate, x, B, C, dt; or queries, keys, values
  Matrix mixer_out;
  const float* mlp_norm;  // (hidden)
  Matrix mlp_in;          // gate, up
  Matrix mlp_out;
  // Mamba layers only.
  const float* taps;       // (taps, channels of the convolution)
  const float* conv_bias;  // (channels of the convolution)
  const float* dt_bias;    // (H)
  const float* a;          // (H)
  const float* d;          // (H)
  const float* gated_norm; // (H * P)
};

struct NetworkShape {
  int64_t num_layers;
  int64_t hidden;
  int64_t taps;
  StateShape state;
  AttentionShape attention;
  float eps;
  float residual_multiplier;
  float attention_scale;
  float least_time_step;
  float most_time_step;
};

// State of all slots and pages in all layers; each tensor is contiguous.
struct StateMemory {
  int64_t num_mamba_layers;
  int64_t num_pages;
  float* boundary;  // (slots, Mamba layers, H, N, P)
  float* ring_x;    // (slots, Mamba layers, Q, H, P)
  float* ring_b;    // (slots, Mamba layers, Q, G, N)
  float* ring_dt;   // (slots, Mamba layers, Q, H)
  float* windows;   // (slots, Mamba layers, taps - 1, channels of the convolution)
  float* keys;      // (attention layers, pages, page_length, kv_heads, head_dim)
  float* values;
};

// Consecutive rows of one sequence.
struct StepSpan {
  int64_t first_row;
  int64_t rows;
  int64_t slot;
  int64_t start;         // position of the first row
  const int64_t* pages;  // in order
};

struct Step {
  int64_t rows;
  int64_t num_spans;
  const StepSpan* spans;
  const int64_t* page_rows;  // (rows) where each row's key and value go, in flattened pages
  int64_t num_fresh_pages;   // pages to clear before they are written
  const int64_t* fresh_pages;
  int64_t num_wanted;
  const int64_t* wanted;  // ascending: the rows whose result is asked for
};

// Activations between operations, kept from step to step.
struct Workspace {
  std::vector<float> normed, wide, convolved, dt, mixed, update;
  std::vector<ConvolvedRows> convolved_rows;
  std::vector<SequenceRows> sequence_rows;
  std::vector<AttentionRows> attention_rows;
};

// Advance the state by x (rows, hidden). Then the first rows of x are the results of the wanted ones. Of the others
// the last layer computes no more than the state needs.
void run_layers(ThreadPool& pool, const KernelSet& kernels, const NetworkShape& shape,
                const LayerWeights* layers, const StateMemory& memory, const Step& step,
                Workspace& workspace, float* x);

}  // namespace granite
