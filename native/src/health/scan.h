// SPDX-License-Identifier: Apache-2.0
//
// The fast looks over whole vectors of bytes, and the fast write that one of them looks for, one
// set for each instruction set.

#ifndef BN_HEALTH_SCAN_H
#define BN_HEALTH_SCAN_H

#include "health/cutoffs.h"

#include <stddef.h>
#include <stdint.h>

#define BN_HEALTH_BLOCK_BYTES 16
#define BN_HEALTH_SPAN_BYTES 32 // what a fast look takes is a multiple of this
#define BN_PATTERN_BYTES 64     // or of this, where it is of a pattern

// Each `span` is of a stream, of which the 16 bytes before it can be read as well. A span is clean
// when there is certainly neither
//   - a run of 5 equal bytes that ends in the span at an odd distance from its start; every run of
//     6 bytes or more that ends after a span's first byte has one; nor
//   - a 16-byte block, counted from the span's start, that equals the one before.
// What is not clean wants a slow look.
struct bn_scan {
  // Whether a span of a window is clean. Adds to *n_equal how many bytes equal `symbol`.
  int (*span)(const uint8_t *span, size_t len_bytes, uint8_t symbol, uint32_t *n_equal);
  // How many of `n_windows` windows, from the first on, are clean and have less bytes that equal
  // their first than the proportion test discards at.
  size_t (*windows)(const uint8_t *windows, size_t n_windows);
  // Fills an area with a pattern, again and again.
  void (*repeat)(uint8_t *area, const uint8_t *pattern, size_t len_bytes);
  // Whether any 8-byte word of an area is what the pattern, again and again, has in its place.
  int (*same_word)(const uint8_t *area, const uint8_t *pattern, size_t len_bytes);
};

extern const struct bn_scan bn_scan_plain;
extern const struct bn_scan bn_scan_avx2;
extern const struct bn_scan bn_scan_avx512bw;

// The fastest that this processor runs.
const struct bn_scan *bn_scan_best(void);

#endif
