#include "layers.hpp"

#include <algorithm>
#include <cstring>

#include "thread_pool.hpp"

namespace granite {

int64_t Matrix::outputs() const {
  int64_t total = 0;
  for (int64_t i = 0; i < num_parts; ++i) total += parts[i].outputs;
  return total;
}

namespace {

float* sized(std::vector<float>& memory, int64_t count) {
  if (static_cast<int64_t>(memory.size()) < count) memory.resize(count);
  return memory.data();
}

// One step through the layers; each method is one operation of kernels/interface.py or a few.
class Pass {
 public:
  Pass(ThreadPool& pool, const KernelSet& kernels, const NetworkShape& shape,
       const StateMemory& memory, const Step& step, Workspace& workspace, float* x)
      : pool_(pool),
        kernels_(kernels),
        shape_(shape),
        memory_(memory),
        step_(step),
        work_(workspace),
        x_(x),
        rows_(step.rows) {}

  void layer(const LayerWeights& weights, bool is_last) {
    const float* normed = norm(weights.mixer_norm);
    float* mixed = static_cast<Mixer>(weights.mixer) == Mixer::kMamba
                       ? mamba(weights, normed, num_mamba_++)
                       : attention(weights, normed, num_attention_++);
    if (is_last) keep_wanted(mixed, weights.mixer_out.inputs);
    add(linear(weights.mixer_out, mixed, work_.update));
    const float* gated = silu_and_multiply(weights.mlp_in, norm(weights.mlp_norm));
    add(linear(weights.mlp_out, gated, work_.update));
  }

 private:
  // The state is advanced: nothing else remains of the other rows.
  void keep_wanted(float* mixed, int64_t width) {
    rows_ = step_.num_wanted;
    for (int64_t r = 0; r < rows_; ++r) {
      std::copy_n(mixed + step_.wanted[r] * width, width, mixed + r * width);
      std::copy_n(x_ + step_.wanted[r] * shape_.hidden, shape_.hidden, x_ + r * shape_.hidden);
    }
  }

  const float* norm(const float* weight) {
    const int64_t width = shape_.hidden;
    float* y = sized(work_.normed, rows_ * width);
    for_rows(pool_, rows_, [&](int64_t r) {
      kernels_.rows.rms_norm(x_ + r * width, weight, shape_.eps, width, y + r * width);
    });
    return y;
  }

  float* linear(const Matrix& matrix, const float* x, std::vector<float>& memory) {
    const int64_t outputs = matrix.outputs();
    float* y = sized(memory, rows_ * outputs);
    granite::linear(pool_, kernels_.linear, x, rows_, matrix.inputs, matrix.num_parts,
                    matrix.parts, y, outputs);
    return y;
  }

  void add(const float* update) {
    const int64_t width = shape_.hidden, stride = (width + kPanel - 1) / kPanel * kPanel;
    for_rows(pool_, rows_, [&](int64_t r) {
      float* row = x_ + r * width;
      for (int64_t i = 0; i < width; ++i)
        row[i] += shape_.residual_multiplier * update[r * stride + i];
    });
  }

  const float* silu_and_multiply(const Matrix& matrix, const float* normed) {
    const float* both = linear(matrix, normed, work_.wide);
    const int64_t stride = matrix.outputs(), width = stride / 2;
    float* y = sized(work_.mixed, rows_ * width);
    for_rows(pool_, rows_, [&](int64_t r) {
      kernels_.rows.silu_and_multiply(both + r * stride, width, y + r * width);
    });
    return y;
  }

  float* mamba(const LayerWeights& weights, const float* normed, int64_t index) {
    const StateShape& s = shape_.state;
    const int64_t width = s.heads * s.channels, channels = width + 2 * s.groups * s.state;
    const int64_t stride = weights.mixer_in.outputs();
    const float* projected = linear(weights.mixer_in, normed, work_.wide);
    float* dt = sized(work_.dt, rows_ * s.heads);
    for_rows(pool_, rows_, [&](int64_t r) {
      time_step(projected + r * stride + width + channels, weights.dt_bias,
                              shape_.least_time_step, shape_.most_time_step, s.heads,
                              dt + r * s.heads);
    });
    const float* convolved = convolve(weights, projected + width, stride, channels, index);
    float* y = advance(weights, convolved, channels, dt, index);
    for_rows(pool_, rows_, [&](int64_t r) {
      kernels_.rows.gated_rms_norm(y + r * width, projected + r * stride, weights.gated_norm,
                                   shape_.eps, s.groups, width, y + r * width);
    });
    return y;
  }

  const float* convolve(const LayerWeights& weights, const float* x, int64_t stride,
                        int64_t channels, int64_t index) {
    float* y = sized(work_.convolved, rows_ * channels);
    const int64_t window = (shape_.taps - 1) * channels;
    work_.convolved_rows.clear();
    for (int64_t i = 0; i < step_.num_spans; ++i) {
      const StepSpan& span = step_.spans[i];
      work_.convolved_rows.push_back({span.rows, x + span.first_row * stride,
                                      memory_.windows + place(index, span.slot) * window,
                                      y + span.first_row * channels});
    }
    granite::convolve(pool_, kernels_.rows, step_.num_spans, work_.convolved_rows.data(),
                      stride, weights.taps, weights.conv_bias, shape_.taps, channels);
    return y;
  }

  float* advance(const LayerWeights& weights, const float* convolved, int64_t channels,
                 const float* dt, int64_t index) {
    const StateShape& s = shape_.state;
    const int64_t width = s.heads * s.channels, inputs = s.groups * s.state;
    float* y = sized(work_.mixed, rows_ * width);
    work_.sequence_rows.clear();
    for (int64_t i = 0; i < step_.num_spans; ++i) {
      const StepSpan& span = step_.spans[i];
      const float* x = convolved + span.first_row * channels;
      const int64_t slot = place(index, span.slot);
      work_.sequence_rows.push_back(
          {span.rows, span.start % s.block_length, x, x + width, x + width + inputs,
           dt + span.first_row * s.heads, memory_.boundary + slot * width * s.state,
           memory_.ring_x + slot * s.block_length * width,
           memory_.ring_b + slot * s.block_length * inputs,
           memory_.ring_dt + slot * s.block_length * s.heads, y + span.first_row * width});
    }
    advance_state(pool_, kernels_.state, s, step_.num_spans, work_.sequence_rows.data(),
                  channels, weights.a, weights.d);
    return y;
  }

  float* attention(const LayerWeights& weights, const float* normed, int64_t index) {
    const AttentionShape& a = shape_.attention;
    const int64_t width = a.heads * a.head_dim, kv_width = a.kv_heads * a.head_dim;
    const int64_t stride = weights.mixer_in.outputs();
    const int64_t layer = index * memory_.num_pages * a.page_length * kv_width;
    float *keys = memory_.keys + layer, *values = memory_.values + layer;
    const float* projected = linear(weights.mixer_in, normed, work_.wide);
    store(projected + width, stride, kv_width, keys);
    store(projected + width + kv_width, stride, kv_width, values);
    float* y = sized(work_.mixed, rows_ * width);
    work_.attention_rows.clear();
    for (int64_t i = 0; i < step_.num_spans; ++i) {
      const StepSpan& span = step_.spans[i];
      work_.attention_rows.push_back({span.rows, span.start, projected + span.first_row * stride,
                                      span.pages, y + span.first_row * width});
    }
    attend(pool_, kernels_.attention, a, step_.num_spans, work_.attention_rows.data(),
           stride, keys, values, shape_.attention_scale);
    return y;
  }

  // Clear fresh pages, then put every row's key or value where it belongs.
  void store(const float* rows, int64_t stride, int64_t width, float* pages) {
    const int64_t page = shape_.attention.page_length * width;
    for (int64_t i = 0; i < step_.num_fresh_pages; ++i)
      std::memset(pages + step_.fresh_pages[i] * page, 0, page * sizeof(float));
    for (int64_t r = 0; r < rows_; ++r)
      std::memcpy(pages + step_.page_rows[r] * width, rows + r * stride, width * sizeof(float));
  }

  int64_t place(int64_t layer, int64_t slot) const { return slot * memory_.num_mamba_layers + layer; }

  ThreadPool& pool_;
  const KernelSet& kernels_;
  const NetworkShape& shape_;
  const StateMemory& memory_;
  const Step& step_;
  Workspace& work_;
  float* x_;
  int64_t rows_;  // those still computed
  int64_t num_mamba_ = 0, num_attention_ = 0;
};

}  // namespace

void run_layers(ThreadPool& pool, const KernelSet& kernels, const NetworkShape& shape,
                const LayerWeights* layers, const StateMemory& memory, const Step& step,
                Workspace& workspace, float* x) {
  Pass pass(pool, kernels, shape, memory, step, workspace, x);
  for (int64_t i = 0; i < shape.num_layers; ++i) pass.layer(layers[i], i + 1 == shape.num_layers);
}

}  // namespace granite
