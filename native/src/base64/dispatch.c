// SPDX-License-Identifier: Apache-2.0
//
// Which kernels there are, which of them this processor runs, and the public face over them. There
// is no state: a kernel is chosen by each call.

#include "base64/kernel.h"
#include "bn.h"

#if defined(__SSSE3__)
#error "dispatch.c is compiled for every processor"
#endif

// From the plainest to the fastest.
enum {
  SCALAR,
#if defined(__x86_64__)
  SSSE3,
  AVX2,
  AVX512VBMI,
#elif defined(__aarch64__)
  NEON, // of every 64-bit ARM
#endif
  N_KERNELS
};

static const struct {
  const char *name;
  bn_base64_kernel_fn *function;
} kernels[N_KERNELS] = {
    [SCALAR] = {"scalar", bn_base64_scalar},
#if defined(__x86_64__)
    [SSSE3] = {"ssse3", bn_base64_ssse3},
    [AVX2] = {"avx2", bn_base64_avx2},
    [AVX512VBMI] = {"avx512vbmi", bn_base64_avx512vbmi},
#elif defined(__aarch64__)
    [NEON] = {"neon", bn_base64_neon},
#endif
};

// Inline, as is what follows: for a few bytes, calls are most of what encoding takes, and the
// functions of bn.h are called by way of the loader.
static inline int usable(uint32_t kernel) {
  switch (kernel) {
#if defined(__x86_64__)
  case SSSE3:
    return __builtin_cpu_supports("ssse3") != 0;
  case AVX2:
    return __builtin_cpu_supports("avx2") != 0;
  case AVX512VBMI:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi");
#endif
  default:
    return kernel < N_KERNELS;
  }
}

static inline size_t text_bytes_of(size_t raw_bytes) {
  return raw_bytes / 3 * 4 + (raw_bytes % 3 != 0 ? 4 : 0);
}

uint32_t bn_base64_kernel_count(void) {
  return N_KERNELS;
}

const char *bn_base64_kernel_name(uint32_t kernel) {
  return kernel < N_KERNELS ? kernels[kernel].name : NULL;
}

int32_t bn_base64_kernel_usable(uint32_t kernel) {
  return usable(kernel);
}

uint32_t bn_base64_kernel_best(void) {
  uint32_t kernel = N_KERNELS - 1;
  while (!usable(kernel))
    kernel--; // ends at the scalar one
  return kernel;
}

bn_base64_kernel_fn *bn_base64_kernel_function(uint32_t kernel) {
  return usable(kernel) ? kernels[kernel].function : NULL;
}

size_t bn_base64_text_bytes(size_t raw_bytes) {
  return text_bytes_of(raw_bytes);
}

enum bn_err bn_base64_encode(uint32_t kernel, const uint8_t *raw, size_t raw_bytes, char *text) {
  if (!usable(kernel))
    return BN_ERR_KERNEL;
  if (raw_bytes == 0)
    return BN_OK;
  uintptr_t from = (uintptr_t)raw, to = (uintptr_t)text;
  if (to < from + raw_bytes && from < to + text_bytes_of(raw_bytes))
    return BN_ERR_ARGUMENT;
  kernels[kernel].function(raw, raw_bytes, text);
  return BN_OK;
}
