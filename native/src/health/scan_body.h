// SPDX-License-Identifier: Apache-2.0
//
// The fast looks, included by one file for each instruction set, which defines SCAN and the width
// of its registers, VECTOR_BYTES.

#include "health/scan.h"
#include "health/scan_runs.h"

#include <string.h>

typedef uint8_t bytes_v __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t words_v __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t quads_v __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t longs_v __attribute__((vector_size(VECTOR_BYTES)));

#define N_LONGS (VECTOR_BYTES / sizeof(uint64_t))
#define N_PARTS (BN_PATTERN_BYTES / VECTOR_BYTES) // vectors that a pattern fills

static inline bytes_v load(const uint8_t *from) {
  bytes_v vector;
  memcpy(&vector, from, sizeof vector);
  return vector;
}

static inline uint64_t any(longs_v vector) {
  uint64_t bits = 0;
  for (size_t i = 0; i < N_LONGS; i++)
    bits |= vector[i];
  return bits;
}

// Sums bytes that are each at most 32 (a window has as many vectors), first in 16-bit lanes.
static inline uint32_t sum(bytes_v vector) {
  const longs_v low = (longs_v)vector & UINT64_C(0x00FF00FF00FF00FF);
  const longs_v high = (longs_v)vector >> 8 & UINT64_C(0x00FF00FF00FF00FF);
  const longs_v lanes = low + high;
  uint64_t total = 0;
  for (size_t i = 0; i < N_LONGS; i++)
    total += lanes[i];
  return (uint32_t)(total * UINT64_C(0x0001000100010001) >> 48);
}

static inline int scan_span(const uint8_t *span, size_t len_bytes, uint8_t symbol,
                            uint32_t *n_equal) {
  const bytes_v symbols = symbol - (bytes_v){0};
  bytes_v equal = {0};
  longs_v words = {0};
  longs_v quads = {0};
  for (size_t i = 0; i < len_bytes; i += VECTOR_BYTES) {
    const bytes_v here = load(span + i);
    const bytes_v word_before = load(span + i - 2);
    const bytes_v block_before = load(span + i - BN_HEALTH_BLOCK_BYTES);
    words |= (longs_v)((words_v)here == (words_v)word_before);
    quads |= (longs_v)((quads_v)here == (quads_v)block_before); // a part of it, which is rare
    equal -= (bytes_v)(here == symbols);
  }
  *n_equal += sum(equal);
  return any(quads) == 0 && (any(words) == 0 || !scan_has_run(span, len_bytes));
}

static void scan_repeat(uint8_t *area, const uint8_t *pattern, size_t len_bytes) {
  bytes_v part[N_PARTS];
  memcpy(part, pattern, sizeof part);
  for (size_t i = 0; i < len_bytes; i += sizeof part)
    memcpy(area + i, part, sizeof part);
}

static int scan_same_word(const uint8_t *area, const uint8_t *pattern, size_t len_bytes) {
  longs_v part[N_PARTS], found = {0};
  memcpy(part, pattern, sizeof part);
  for (size_t i = 0; i < len_bytes; i += sizeof part)
    for (size_t n = 0; n < N_PARTS; n++)
      found |= (longs_v)((longs_v)load(area + i + n * VECTOR_BYTES) == part[n]);
  return any(found) != 0;
}

#include "health/scan_windows.h"
