// SPDX-License-Identifier: Apache-2.0
//
// The state of the output tests: for health.c and its test alone.

#ifndef BN_HEALTH_STATE_H
#define BN_HEALTH_STATE_H

#include "health/health.h"
#include "health/scan.h"

struct bn_health {
  const struct bn_scan *scan;
  // Escalation. These outlive a requalification.
  int32_t latched;        // then `latched_test` says which
  uint32_t latched_test;  // enum bn_test
  uint32_t n_failures;    // with less than BN_HEALTH_FAILURES_APART_BYTES between one and the next
  uint64_t passed_bytes;  // since the last failure
  int32_t has_call_start; // the call before began with `call_start`
  uint8_t call_start[BN_HEALTH_BLOCK_BYTES];
  // The stream since start-up or requalification began.
  uint64_t position;      // bytes of it
  uint32_t run;           // repetition count: the stream ends in a run of ...
  uint8_t last;           // ... this byte
  uint8_t symbol;         // adaptive proportion: the window's first byte ...
  uint32_t n_equal;       // ... and how many of its bytes equal that
  uint32_t block_differs; // consecutive blocks: see step()
  uint32_t ones[8];       // start-up: how many bytes have bit i set
  // The last whole block, overwritten from its start on; and room for what follows it, so that a
  // fast look can go over the seam between two calls.
  uint8_t block[BN_HEALTH_BLOCK_BYTES];
  uint8_t seam[BN_HEALTH_SPAN_BYTES];
};

#endif
