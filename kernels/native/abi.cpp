// The plain C interface that Python calls. Pointers are checked by the caller; nothing here allocates
// for it or raises.
#include "kernel_set.hpp"
#include "layers.hpp"
#include "thread_pool.hpp"

namespace {

struct Context : granite::KernelSet {
  Context(int threads, granite::InstructionSet most)
      : granite::KernelSet(granite::choose_kernels(most)), pool(threads) {}

  granite::ThreadPool pool;
  granite::Workspace workspace;
};

Context& at(void* context) { return *static_cast<Context*>(context); }

template <typename Body>
void for_rows(void* context, int64_t rows, Body body) {
  granite::for_rows(at(context).pool, rows, body);
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void* granite_create(int32_t threads, int32_t instruction_set) {
  return new Context(threads, static_cast<granite::InstructionSet>(instruction_set));
}

void granite_destroy(void* context) { delete static_cast<Context*>(context); }

const char* granite_instruction_set(void* context) { return at(context).linear.name; }

int64_t granite_panel_bytes(int32_t format, int64_t inputs) {
  return granite::panel_bytes(static_cast<granite::Format>(format), inputs);
}

void granite_pack(void* context, int32_t format, const void* weight, int32_t is_bfloat16,
                  int64_t outputs, int64_t inputs, uint8_t* packed) {
  granite::pack(at(context).pool, at(context).packing, static_cast<granite::Format>(format), weight,
                is_bfloat16 != 0, outputs, inputs, packed);
}

void granite_linear(void* context, const float* x, int64_t rows, int64_t inputs, int64_t num_parts,
                    const granite::PackedWeight* parts, float* y, int64_t y_stride) {
  granite::linear(at(context).pool, at(context).linear, x, rows, inputs, num_parts, parts, y,
                  y_stride);
}

void granite_advance_state(void* context, const granite::StateShape* shape, int64_t num_sequences,
                           const granite::SequenceRows* sequences, int64_t input_stride,
                           const float* a, const float* d) {
  granite::advance_state(at(context).pool, at(context).state, *shape, num_sequences, sequences,
                         input_stride, a, d);
}

void granite_attend(void* context, const granite::AttentionShape* shape, int64_t num_sequences,
                    const granite::AttentionRows* sequences, int64_t query_stride,
                    const float* keys, const float* values, float scale) {
  granite::attend(at(context).pool, at(context).attention, *shape, num_sequences, sequences,
                  query_stride, keys, values, scale);
}

void granite_convolve(void* context, int64_t num_sequences, granite::ConvolvedRows* sequences,
                      int64_t input_stride, const float* weight, const float* bias, int64_t taps,
                      int64_t channels) {
  granite::convolve(at(context).pool, at(context).rows, num_sequences, sequences, input_stride,
                    weight, bias, taps, channels);
}

void granite_rms_norm(void* context, const float* x, int64_t rows, int64_t width,
                      const float* weight, float eps, float* y) {
  for_rows(context, rows, [&](int64_t r) {
    at(context).rows.rms_norm(x + r * width, weight, eps, width, y + r * width);
  });
}

void granite_gated_rms_norm(void* context, const float* x, const float* gate, int64_t gate_stride,
                            int64_t rows, int64_t width, int64_t groups, const float* weight,
                            float eps, float* y) {
  for_rows(context, rows, [&](int64_t r) {
    at(context).rows.gated_rms_norm(x + r * width, gate + r * gate_stride, weight, eps, groups,
                                    width, y + r * width);
  });
}

void granite_silu_and_multiply(void* context, const float* x, int64_t rows, int64_t width,
                               float* y) {
  for_rows(context, rows, [&](int64_t r) {
    at(context).rows.silu_and_multiply(x + r * 2 * width, width, y + r * width);
  });
}

void granite_time_step(void* context, const float* x, int64_t x_stride, int64_t rows, int64_t width,
                       const float* bias, float low, float high, float* y) {
  for_rows(context, rows, [&](int64_t r) {
    granite::time_step(x + r * x_stride, bias, low, high, width, y + r * width);
  });
}

void granite_run_layers(void* context, const granite::NetworkShape* shape,
                        const granite::LayerWeights* layers, const granite::StateMemory* memory,
                        const granite::Step* step, float* x) {
  granite::run_layers(at(context).pool, at(context), *shape, layers, *memory, *step,
                      at(context).workspace, x);
}
}
