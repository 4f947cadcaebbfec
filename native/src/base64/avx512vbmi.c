// SPDX-License-Identifier: Apache-2.0
//
// 48 bytes into 64 characters per step, in three instructions between load and store.

#include "base64/kernel.h"

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VBMI__)
#error "avx512vbmi.c is compiled with -mavx512f -mavx512bw -mavx512vbmi"
#endif
#include <immintrin.h>

#define STEP_RAW 48
#define STEP_TEXT 64
#define STEP_GROUPS 16
#define STEP_READS 64 // bytes that a step reads from `raw` on

struct tables {
  __m512i order;    // of the bytes in a lane
  __m512i shifts;   // where each value's bits begin in its 64-bit lane
  __m512i alphabet; // by value
};

// Of each group aaaaaabb bbbbcccc ccdddddd, a 32-bit lane: its bytes 1, 0, 2, 1 from the lowest to
// the highest. Highest byte first, and with the number of each byte's lowest bit:
//
//   bbbbcccc ccdddddd aaaaaabb bbbbcccc
//   24       16       8        0           a from bit 10 on, b from 4, c from 22, d from 16
static inline struct tables tables(void) {
  uint8_t order[64];
  for (int lane = 0; lane < 16; lane++) {
    order[4 * lane] = (uint8_t)(3 * lane + 1);
    order[4 * lane + 1] = (uint8_t)(3 * lane);
    order[4 * lane + 2] = (uint8_t)(3 * lane + 2);
    order[4 * lane + 3] = (uint8_t)(3 * lane + 1);
  }
  return (struct tables){
      .order = _mm512_loadu_si512(order),
      .shifts = _mm512_set1_epi64(0x3036242A1016040A), // d c b a d c b a: 48 54 36 42 16 22 4 10
      .alphabet =
          _mm512_loadu_si512("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
  };
}

// The look-up takes the lower 6 bits of each byte: what a shift left above them does not matter.
static inline __m512i encode(__m512i in, const struct tables *tables) {
  const __m512i lanes = _mm512_permutexvar_epi8(tables->order, in);
  const __m512i values = _mm512_multishift_epi64_epi8(tables->shifts, lanes);
  return _mm512_permutexvar_epi8(values, tables->alphabet);
}

void bn_base64_avx512vbmi(const uint8_t *raw, size_t n_groups, char *text) {
  const struct tables t = tables();
  for (; n_groups * 3 >= STEP_READS; n_groups -= STEP_GROUPS) {
    _mm512_storeu_si512(text, encode(_mm512_loadu_si512(raw), &t));
    raw += STEP_RAW, text += STEP_TEXT;
  }
  while (n_groups > 0) { // at most twice; what is masked out is neither read nor written
    const size_t n = n_groups < STEP_GROUPS ? n_groups : STEP_GROUPS;
    const __mmask64 reads = ~UINT64_C(0) >> (64 - 3 * n);
    const __mmask64 writes = ~UINT64_C(0) >> (64 - 4 * n);
    _mm512_mask_storeu_epi8(text, writes, encode(_mm512_maskz_loadu_epi8(reads, raw), &t));
    raw += 3 * n, text += 4 * n, n_groups -= n;
  }
}
