// Runs every exported operation over odd sizes, on a few threads, for the sanitizers to watch.
// Buffers have exactly the size that the operation may touch. Results are checked elsewhere.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "layers.hpp"

extern "C" {
void* granite_create(int32_t threads, int32_t instruction_set);
void granite_destroy(void* context);
int64_t granite_panel_bytes(int32_t format, int64_t inputs);
void granite_pack(void*, int32_t format, const void* weight, int32_t is_bfloat16, int64_t outputs,
                  int64_t inputs, uint8_t* packed);
void granite_linear(void*, const float* x, int64_t rows, int64_t inputs, int64_t num_parts,
                    const granite::PackedWeight* parts, float* y, int64_t y_stride);
void granite_advance_state(void*, const granite::StateShape* shape, int64_t num_sequences,
                           const granite::SequenceRows* sequences, int64_t input_stride,
                           const float* a, const float* d);
void granite_attend(void*, const granite::AttentionShape* shape, int64_t num_sequences,
                    const granite::AttentionRows* sequences, int64_t query_stride, const float* keys,
                    const float* values, float scale);
void granite_convolve(void*, int64_t num_sequences, granite::ConvolvedRows* sequences,
                      int64_t input_stride, const float* weight, const float* bias, int64_t taps,
                      int64_t channels);
void granite_rms_norm(void*, const float* x, int64_t rows, int64_t width, const float* weight,
                      float eps, float* y);
void granite_gated_rms_norm(void*, const float* x, const float* gate, int64_t gate_stride,
                            int64_t rows, int64_t width, int64_t groups, const float* weight,
                            float eps, float* y);
void granite_silu_and_multiply(void*, const float* x, int64_t rows, int64_t width, float* y);
void granite_time_step(void*, const float* x, int64_t x_stride, int64_t rows, int64_t width,
                       const float* bias, float low, float high, float* y);
void granite_run_layers(void*, const granite::NetworkShape* shape,
                        const granite::LayerWeights* layers, const granite::StateMemory* memory,
                        const granite::Step* step, float* x);
}

namespace {

// Sanitizers do not see masked vector instructions, but these, too, fault on a forbidden page.
bool ends_at_a_guard_page = false;
constexpr size_t kPage = 4096;

template <typename T>
struct Allocator {
  using value_type = T;

  static size_t pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    if (!ends_at_a_guard_page) return static_cast<T*>(::operator new(bytes));
    void* start = mmap(nullptr, pages(bytes) + kPage, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) std::abort();
    char* guard = static_cast<char*>(start) + pages(bytes);
    if (mprotect(guard, kPage, PROT_NONE) != 0) std::abort();
    return reinterpret_cast<T*>(guard - bytes);
  }

  void deallocate(T* data, size_t count) {
    const size_t bytes = count * sizeof(T);
    if (!ends_at_a_guard_page) return ::operator delete(data);
    munmap(reinterpret_cast<char*>(data) + bytes - pages(bytes), pages(bytes) + kPage);
  }

  bool operator==(const Allocator&) const = default;
};

template <typename T>
using Buffer = std::vector<T, Allocator<T>>;
using Floats = Buffer<float>;

Floats random_floats(int64_t count) {
  static uint32_t state = 1;
  Floats floats(count);
  for (float& value : floats) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 8) / (1 << 23) - 1.0f;
  }
  return floats;
}

void run_linear(void* context, int32_t format, int64_t rows, int64_t inputs, int64_t outputs,
                bool is_bfloat16) {
  const int64_t panels = (outputs + granite::kPanel - 1) / granite::kPanel;
  const Floats weight = random_floats(outputs * inputs / (is_bfloat16 ? 2 : 1));
  Buffer<uint8_t> packed(panels * granite_panel_bytes(format, inputs));
  granite_pack(context, format, weight.data(), is_bfloat16, outputs, inputs, packed.data());
  Floats x = random_floats(rows * inputs), y(rows * panels * granite::kPanel);
  if (rows > 0) x[0] = 1e-39f;
  const granite::PackedWeight part{format, panels * granite::kPanel, packed.data()};
  granite_linear(context, x.data(), rows, inputs, 1, &part, y.data(), panels * granite::kPanel);
}

void run_linears(void* context) {
  for (int32_t format = 0; format < 3; ++format) {
    for (int64_t rows = 0; rows <= 33; ++rows) run_linear(context, format, rows, 64, 50, false);
    for (int64_t inputs : {64, 128, 320}) run_linear(context, format, 3, inputs, 17, true);
    for (int64_t outputs : {1, 15, 16, 400}) run_linear(context, format, 2, 64, outputs, false);
    run_linear(context, format, 130, 8192, 16, false);  // more than one block of rows
  }
}

void run_rows(void* context) {
  for (int64_t rows : {0, 1, 4, 33}) {
    for (int64_t width : {2, 16, 34}) {
      const Floats x = random_floats(rows * width), wide = random_floats(rows * 2 * width);
      const Floats weight = random_floats(width);
      Floats y(rows * width);
      granite_rms_norm(context, x.data(), rows, width, weight.data(), 1e-5f, y.data());
      granite_gated_rms_norm(context, x.data(), wide.data() + width, 2 * width, rows, width, 2,
                             weight.data(), 1e-5f, y.data());
      granite_silu_and_multiply(context, wide.data(), rows, width, y.data());
      granite_time_step(context, wide.data(), 2 * width, rows, width, weight.data(), 0.0f, 9.0f,
                        y.data());
    }
  }
}

void run_convolution(void* context, int64_t rows, int64_t taps, int64_t channels) {
  const Floats x = random_floats(2 * rows * channels), weight = random_floats(taps * channels);
  const Floats bias = random_floats(channels);
  Floats first = random_floats((taps - 1) * channels), second = first, y(2 * rows * channels);
  granite::ConvolvedRows sequences[] = {
      {rows, x.data(), first.data(), y.data()},
      {rows, x.data() + rows * channels, second.data(), y.data() + rows * channels},
  };
  granite_convolve(context, 2, sequences, channels, weight.data(), bias.data(), taps, channels);
}

void run_state(void* context, const granite::StateShape& s, int64_t rows, int64_t offset) {
  const int64_t width = s.heads * s.channels + 2 * s.groups * s.state;
  const Floats inputs = random_floats(rows * width), d = random_floats(s.heads);
  const Floats dt(rows * s.heads, 0.1f), a(s.heads, -1.0f);
  Floats boundary = random_floats(s.heads * s.state * s.channels);
  Floats ring_x = random_floats(s.block_length * s.heads * s.channels);
  Floats ring_b = random_floats(s.block_length * s.groups * s.state);
  Floats ring_dt(s.block_length * s.heads, 0.1f), y(rows * s.heads * s.channels);
  const float* b = inputs.data() + s.heads * s.channels;
  const granite::SequenceRows sequence{
      rows,   offset, inputs.data(),   b,             b + s.groups * s.state, dt.data(),
      boundary.data(), ring_x.data(), ring_b.data(), ring_dt.data(),          y.data()};
  granite_advance_state(context, &s, 1, &sequence, width, a.data(), d.data());
}

void run_states(void* context) {
  const granite::StateShape shapes[] = {
      {8, 4, 16, 1, 24}, {16, 2, 64, 1, 128}, {16, 6, 24, 2, 40}, {64, 2, 20, 2, 9}, {16, 3, 8, 1, 9}};
  for (const auto& shape : shapes) {
    for (int64_t rows : {1, 8, 17})
      for (int64_t offset : {int64_t{0}, int64_t{3}, shape.block_length - 1})
        run_state(context, shape, rows, offset);
  }
}

void run_attention(void* context, const granite::AttentionShape& s, int64_t rows, int64_t start) {
  const int64_t num_pages = (start + rows + s.page_length - 1) / s.page_length;
  const Floats queries = random_floats(rows * s.heads * s.head_dim);
  const Floats keys = random_floats(num_pages * s.page_length * s.kv_heads * s.head_dim);
  const Floats values = keys;
  Buffer<int64_t> pages(num_pages);
  for (int64_t i = 0; i < num_pages; ++i) pages[i] = num_pages - 1 - i;
  Floats y(rows * s.heads * s.head_dim);
  const granite::AttentionRows sequence{rows, start, queries.data(), pages.data(), y.data()};
  granite_attend(context, &s, 1, &sequence, s.heads * s.head_dim, keys.data(), values.data(), 0.125f);
}

void run_attentions(void* context) {
  for (int64_t head_dim : {8, 16, 20, 64, 128}) {
    for (int64_t rows : {1, 17})
      for (int64_t start : {0, 15, 31})
        run_attention(context, {4, 2, head_dim, 32}, rows, start);
  }
}

// A packed matrix and what its memory belongs to.
struct OwnedMatrix {
  Buffer<uint8_t> packed;
  granite::PackedWeight part;

  OwnedMatrix(void* context, int64_t format, int64_t inputs, int64_t outputs)
      : packed((outputs + granite::kPanel - 1) / granite::kPanel * granite_panel_bytes(format, inputs)),
        part{format, (outputs + granite::kPanel - 1) / granite::kPanel * granite::kPanel, packed.data()} {
    const Floats weight = random_floats(outputs * inputs);
    granite_pack(context, format, weight.data(), 0, outputs, inputs, packed.data());
  }

  granite::Matrix matrix(int64_t inputs) const { return {inputs, 1, &part}; }
};

// One Mamba layer and one of attention, over two sequences: the second starts within a block.
void run_layers(void* context, int64_t format) {
  const granite::NetworkShape shape{.num_layers = 2,
                                    .hidden = 64,
                                    .taps = 4,
                                    .state = {8, 2, 32, 1, 24},
                                    .attention = {4, 2, 16, 32},
                                    .eps = 1e-5f,
                                    .residual_multiplier = 0.2f,
                                    .attention_scale = 0.25f,
                                    .least_time_step = 0.0f,
                                    .most_time_step = 9.0f};
  const int64_t channels = 64 + 2 * 24, rows = 7;
  const OwnedMatrix in_proj(context, format, 64, 64 + channels + 2);
  const OwnedMatrix out_proj(context, format, 64, 64), output(context, format, 64, 64);
  const OwnedMatrix queries(context, format, 64, 64), keys(context, format, 64, 32);
  const granite::PackedWeight both[] = {queries.part, keys.part, keys.part};
  const OwnedMatrix mlp_in(context, format, 64, 256), mlp_out(context, format, 128, 64);
  const Floats norm = random_floats(64), taps = random_floats(4 * channels);
  const Floats heads(2, -1.0f);
  const granite::LayerWeights layers[] = {
      {0, norm.data(), in_proj.matrix(64), out_proj.matrix(64), norm.data(), mlp_in.matrix(64),
       mlp_out.matrix(128), taps.data(), taps.data(), heads.data(), heads.data(), heads.data(),
       norm.data()},
      {1, norm.data(), {64, 3, both}, output.matrix(64), norm.data(), mlp_in.matrix(64),
       mlp_out.matrix(128), nullptr, nullptr, nullptr, nullptr, nullptr, nullptr}};
  Floats boundary(2 * 64 * 24), ring_x(2 * 8 * 64), ring_b(2 * 8 * 24), ring_dt(2 * 8 * 2);
  Floats windows(2 * 3 * channels), pages_of_keys(3 * 32 * 32), pages_of_values(3 * 32 * 32);
  const granite::StateMemory memory{1, 3, boundary.data(), ring_x.data(), ring_b.data(),
                                    ring_dt.data(), windows.data(), pages_of_keys.data(),
                                    pages_of_values.data()};
  const int64_t first_pages[] = {1}, second_pages[] = {2, 0};
  const granite::StepSpan spans[] = {{0, 4, 1, 0, first_pages}, {4, 3, 0, 30, second_pages}};
  const int64_t page_rows[] = {32, 33, 34, 35, 94, 95, 0}, fresh_pages[] = {1, 0};
  const int64_t wanted[] = {3, 5, 6};
  const granite::Step step{rows, 2, spans, page_rows, 2, fresh_pages, 3, wanted};
  Floats x = random_floats(rows * 64);
  granite_run_layers(context, &shape, layers, &memory, &step, x.data());
}

void run_everything(int32_t threads, granite::InstructionSet instruction_set) {
  void* context = granite_create(threads, static_cast<int32_t>(instruction_set));
  run_linears(context);
  run_rows(context);
  for (int64_t rows : {1, 2, 3, 5, 33})
    for (int64_t taps : {2, 4, 8}) run_convolution(context, rows, taps, 34);
  run_states(context);
  run_attentions(context);
  for (int64_t format = 0; format < 3; ++format) run_layers(context, format);
  granite_destroy(context);
}

// Calls so short that workers still come from the last one, and pools that hardly live.
void hurry_threads() {
  Floats x = random_floats(64 * 4), y(64 * 2);
  for (int pool = 0; pool < 50; ++pool) {
    void* context = granite_create(1 + pool % 5, 0);
    for (int call = 0; call < pool * 4; ++call)
      granite_silu_and_multiply(context, x.data(), 4 + call % 60, 2, y.data());
    granite_destroy(context);
  }
}

}  // namespace

int main() {
  using granite::InstructionSet;
  for (auto most : {InstructionSet::kBest, InstructionSet::kAvx2, InstructionSet::kGeneric}) {
    for (bool guarded : {false, true}) {
      ends_at_a_guard_page = guarded;
      run_everything(3, most);
    }
  }
  hurry_threads();
  std::puts("every operation ran");
}
