// What is read once and in order, on its way from memory. Include only in files of an x86 instruction set.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace granite {
namespace {

// With few rows a kernel waits for memory, and the processor alone does not look far enough ahead. How
// far is best was measured: looking far slows an EPYC with AVX2 down, and speeds a Xeon with AVX-512 up.
template <int64_t kBytes, int64_t kAhead, _mm_hint kHint>
void prefetch_ahead(const void* piece) {
  constexpr int64_t kLine = 64;
  for (int64_t line = 0; line < kBytes; line += kLine)
    _mm_prefetch(static_cast<const char*>(piece) + kAhead + line, kHint);
}

}  // namespace
}  // namespace granite
