// SPDX-License-Identifier: Apache-2.0
//
// Which fast looks this processor runs.

#include "health/scan.h"

#if defined(__AVX2__)
#error "scan.c is compiled for every processor"
#endif

const struct bn_scan *bn_scan_best(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    return &bn_scan_avx512bw;
  if (__builtin_cpu_supports("avx2"))
    return &bn_scan_avx2;
#endif
  return &bn_scan_plain;
}
