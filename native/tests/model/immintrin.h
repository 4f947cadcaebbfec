// SPDX-License-Identifier: Apache-2.0
//
// The AVX-512 instructions that the kernel uses, modelled byte by byte after Intel's manual, so
// that the kernel's file runs on processors that lack them. What a mask leaves out is not touched.

#ifndef BN_TESTS_MODEL_IMMINTRIN_H
#define BN_TESTS_MODEL_IMMINTRIN_H

#include <stdint.h>
#include <string.h>

typedef struct {
  uint8_t byte[64];
} __m512i;
typedef uint64_t __mmask64;

static inline __m512i _mm512_loadu_si512(const void *from) {
  __m512i out;
  memcpy(&out, from, sizeof out);
  return out;
}

static inline void _mm512_storeu_si512(void *to, __m512i value) {
  memcpy(to, &value, sizeof value);
}

static inline void _mm512_stream_si512(__m512i *to, __m512i value) {
  memcpy(to, &value, sizeof value);
}

static inline void _mm_sfence(void) {}

static inline __m512i _mm512_maskz_loadu_epi8(__mmask64 mask, const void *from) {
  __m512i out = {{0}};
  for (unsigned i = 0; i < 64; i++)
    if (mask >> i & 1)
      out.byte[i] = ((const uint8_t *)from)[i];
  return out;
}

static inline void _mm512_mask_storeu_epi8(void *to, __mmask64 mask, __m512i value) {
  for (unsigned i = 0; i < 64; i++)
    if (mask >> i & 1)
      ((uint8_t *)to)[i] = value.byte[i];
}

static inline __m512i _mm512_set1_epi8(char value) {
  __m512i out;
  memset(&out, value, sizeof out);
  return out;
}

static inline __m512i _mm512_set1_epi64(long long value) {
  __m512i out;
  for (unsigned i = 0; i < 8; i++)
    memcpy(out.byte + 8 * i, &value, 8);
  return out;
}

static inline __m512i _mm512_permutexvar_epi8(__m512i index, __m512i from) { // VPERMB
  __m512i out;
  for (unsigned i = 0; i < 64; i++)
    out.byte[i] = from.byte[index.byte[i] & 63];
  return out;
}

static inline __m512i _mm512_mask_permutexvar_epi8(__m512i otherwise, __mmask64 mask, __m512i index,
                                                   __m512i from) {
  const __m512i permuted = _mm512_permutexvar_epi8(index, from);
  for (unsigned i = 0; i < 64; i++)
    if (mask >> i & 1)
      otherwise.byte[i] = permuted.byte[i];
  return otherwise;
}

static inline __m512i _mm512_multishift_epi64_epi8(__m512i control,
                                                   __m512i from) { // VPMULTISHIFTQB
  __m512i out;
  for (unsigned i = 0; i < 64; i++) {
    uint64_t lane;
    memcpy(&lane, from.byte + i / 8 * 8, 8);
    const unsigned shift = control.byte[i] & 63;
    out.byte[i] = (uint8_t)(shift == 0 ? lane : lane >> shift | lane << (64 - shift));
  }
  return out;
}

#endif
