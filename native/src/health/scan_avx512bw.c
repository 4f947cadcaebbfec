// SPDX-License-Identifier: Apache-2.0
//
// The fast looks with AVX-512. What is left of a span behind whole registers, half a register, is
// looked at with AVX2.

#include "health/scan.h"
#include "health/scan_runs.h"

#if !defined(__AVX512F__) || !defined(__AVX512BW__)
#error "scan_avx512bw.c is compiled with -mavx512f -mavx512bw -mpopcnt"
#endif
#include <immintrin.h>

#define VECTOR_BYTES 64

// A pair of equal lanes leaves 0 in one of the least differences.
static inline int look(const uint8_t *span, size_t len_bytes, uint8_t symbol, uint32_t *n_equal) {
  const __m512i symbols = _mm512_set1_epi8((char)symbol);
  __m512i words = _mm512_set1_epi8(-1);
  __m512i quads = words;
  uint64_t count = 0;
  for (size_t i = 0; i < len_bytes; i += VECTOR_BYTES) {
    const __m512i here = _mm512_loadu_si512(span + i);
    const __m512i block_before = _mm512_loadu_si512(span + i - BN_HEALTH_BLOCK_BYTES);
    // Block by block, the last word of the one before and all but the last of this one: a load from
    // 2 bytes before would be over the edge of a cache line each time, and takes longer.
    const __m512i word_before = _mm512_alignr_epi8(here, block_before, BN_HEALTH_BLOCK_BYTES - 2);
    words = _mm512_min_epu16(words, _mm512_xor_si512(here, word_before));
    // a part of a block, which is rare
    quads = _mm512_min_epu32(quads, _mm512_xor_si512(here, block_before));
    count += (uint64_t)__builtin_popcountll(_mm512_cmpeq_epi8_mask(here, symbols));
  }
  *n_equal += (uint32_t)count;
  return _mm512_testn_epi32_mask(quads, quads) == 0 &&
         (_mm512_testn_epi16_mask(words, words) == 0 || !scan_has_run(span, len_bytes));
}

static inline int scan_span(const uint8_t *span, size_t len_bytes, uint8_t symbol,
                            uint32_t *n_equal) {
  const size_t whole_bytes = len_bytes / VECTOR_BYTES * VECTOR_BYTES;
  return look(span, whole_bytes, symbol, n_equal) &&
         (whole_bytes == len_bytes ||
          bn_scan_avx2.span(span + whole_bytes, len_bytes - whole_bytes, symbol, n_equal));
}

static void scan_repeat(uint8_t *area, const uint8_t *pattern, size_t len_bytes) {
  const __m512i whole = _mm512_loadu_si512(pattern);
  for (size_t i = 0; i < len_bytes; i += VECTOR_BYTES)
    _mm512_storeu_si512(area + i, whole);
}

static int scan_same_word(const uint8_t *area, const uint8_t *pattern, size_t len_bytes) {
  const __m512i whole = _mm512_loadu_si512(pattern);
  unsigned found = 0;
  for (size_t i = 0; i < len_bytes; i += VECTOR_BYTES)
    found |= _mm512_cmpeq_epi64_mask(_mm512_loadu_si512(area + i), whole);
  return found != 0;
}

#define SCAN bn_scan_avx512bw
#include "health/scan_windows.h"
