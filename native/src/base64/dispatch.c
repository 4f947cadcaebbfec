// SPDX-License-Identifier: Apache-2.0
//
// Which kernels there are, which of them this processor runs, and the public face over them. There
// is no state: a kernel is chosen by each call.

#include "base64/kernel.h"
#include "bn.h"

#include <string.h>

#if defined(__SSSE3__)
#error "dispatch.c is compiled for every processor"
#endif

struct kernel {
  const char *name;
  bn_base64_kernel_fn *function;
  int (*usable)(void);
};

static int always(void) {
  return 1;
}

#if defined(__x86_64__)
static int has_ssse3(void) {
  return __builtin_cpu_supports("ssse3") != 0;
}

static int has_avx2(void) {
  return __builtin_cpu_supports("avx2") != 0;
}

static int has_avx512vbmi(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vbmi");
}
#endif

// From the plainest to the fastest.
static const struct kernel kernels[] = {
    {"scalar", bn_base64_scalar, always},
#if defined(__x86_64__)
    {"ssse3", bn_base64_ssse3, has_ssse3},
    {"avx2", bn_base64_avx2, has_avx2},
    {"avx512vbmi", bn_base64_avx512vbmi, has_avx512vbmi},
#elif defined(__aarch64__)
    {"neon", bn_base64_neon, always}, // of every 64-bit ARM
#endif
};

#define N_KERNELS ((uint32_t)(sizeof kernels / sizeof kernels[0]))

uint32_t bn_base64_kernel_count(void) {
  return N_KERNELS;
}

const char *bn_base64_kernel_name(uint32_t kernel) {
  return kernel < N_KERNELS ? kernels[kernel].name : NULL;
}

int32_t bn_base64_kernel_usable(uint32_t kernel) {
  return kernel < N_KERNELS && kernels[kernel].usable();
}

uint32_t bn_base64_kernel_best(void) {
  uint32_t kernel = N_KERNELS - 1;
  while (!kernels[kernel].usable())
    kernel--; // ends at the scalar one
  return kernel;
}

bn_base64_kernel_fn *bn_base64_kernel_function(uint32_t kernel) {
  return bn_base64_kernel_usable(kernel) ? kernels[kernel].function : NULL;
}

size_t bn_base64_text_bytes(size_t raw_bytes) {
  return raw_bytes / 3 * 4 + (raw_bytes % 3 != 0 ? 4 : 0);
}

enum bn_err bn_base64_encode(uint32_t kernel, const uint8_t *raw, size_t raw_bytes, char *text) {
  bn_base64_kernel_fn *encode = bn_base64_kernel_function(kernel);
  if (encode == NULL)
    return BN_ERR_KERNEL;
  if (raw_bytes == 0)
    return BN_OK;
  uintptr_t from = (uintptr_t)raw, to = (uintptr_t)text;
  if (to < from + raw_bytes && from < to + bn_base64_text_bytes(raw_bytes))
    return BN_ERR_ARGUMENT;
  size_t n_groups = raw_bytes / 3, rest_bytes = raw_bytes % 3;
  encode(raw, n_groups, text);
  if (rest_bytes !=
      0) { // 8 or 16 bits, filled up with zero bits and, for the missing bytes, with =
    uint8_t group[3] = {0};
    memcpy(group, raw + n_groups * 3, rest_bytes);
    char *quad = text + n_groups * 4;
    bn_base64_scalar(group, 1, quad);
    bn_wipe(group, sizeof group);
    memset(quad + rest_bytes + 1, '=', 3 - rest_bytes);
  }
  return BN_OK;
}
