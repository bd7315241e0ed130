// What the processor at hand can run. The lists are those of the build's flags.
#pragma once

namespace granite {

#if defined(__x86_64__)
// Everything that the *_avx2.cpp files may use.
static inline bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}

// Everything that the *_avx512.cpp files may use, but for the linear layers, which use more.
static inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("fma");
}

static inline bool has_avx512_vnni() {
  return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#endif

}  // namespace granite
