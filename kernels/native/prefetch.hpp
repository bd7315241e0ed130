// What is read once and in order, on its way from memory. Include only in files of an x86 instruction set.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace granite {
namespace {

// Called for each piece of kBytes that is about to be read: with few rows a kernel waits for memory,
// and the processor alone does not look far enough ahead.
template <int64_t kBytes>
void prefetch_ahead(const void* piece) {
  constexpr int64_t kFar = 8192, kNear = 1024, kLine = 64;
  const char* bytes = static_cast<const char*>(piece);
  for (int64_t line = 0; line < kBytes; line += kLine) {
    _mm_prefetch(bytes + kFar + line, _MM_HINT_T1);
    _mm_prefetch(bytes + kNear + line, _MM_HINT_T0);
  }
}

}  // namespace
}  // namespace granite
