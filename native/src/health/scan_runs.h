// SPDX-License-Identifier: Apache-2.0
//
// The second look at a span for runs of equal bytes. The first one, over all spans, is for a pair
// of equal 2-byte words side by side, the second of them at an even distance from the span's start:
// every run that counts has one, and so have 4 good windows of 1,000. A slow look at all of these
// would take longer than the fast look at all there is.

#ifndef BN_HEALTH_SCAN_RUNS_H
#define BN_HEALTH_SCAN_RUNS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t runs_v __attribute__((vector_size(16)));

static inline runs_v runs_load(const uint8_t *from) {
  runs_v vector;
  memcpy(&vector, from, sizeof vector);
  return vector;
}

// Whether there is a run of 5 that ends at an odd distance: its last word equals the word that
// begins a byte before, and the word before equals what begins a byte before that.
static int scan_has_run(const uint8_t *span, size_t len_bytes) {
  runs_v differ = ~(runs_v){0};
  for (size_t i = 0; i < len_bytes; i += sizeof differ) {
    const uint8_t *here = span + i;
    const runs_v pairs =
        (runs_load(here) ^ runs_load(here - 1)) | (runs_load(here - 2) ^ runs_load(here - 3));
    differ &= (runs_v)(pairs != 0);
  }
  int found = 0;
  for (size_t i = 0; i < sizeof differ / sizeof differ[0]; i++)
    found |= differ[i] == 0;
  return found;
}

#endif
