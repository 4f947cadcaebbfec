// SPDX-License-Identifier: Apache-2.0
//
// Output sanity tests over the bytes that a module hands over: pure state machines without I/O,
// clock or allocation. They notice a broken output; they validate no entropy source (NIST SP
// 800-90B section 4.4 is about raw noise, and this is a DRBG's output).

#ifndef BN_HEALTH_H
#define BN_HEALTH_H

#include "bn.h"

enum bn_verdict {
  BN_VERDICT_PASS = 0,   // publish
  BN_VERDICT_QUALIFYING, // good so far, but of the start-up test: count as spent, do not publish
  BN_VERDICT_DISCARD,    // a first-tier failure: drop all of it; the tests requalify by themselves
  BN_VERDICT_LATCH,      // a second-tier failure: drop all of it and stop the source
};

struct bn_health; // opaque to readers; its layout is in health.c's own header

size_t bn_health_bytes(void); // of the state, for bn_secure_alloc
void bn_health_init(struct bn_health *health);
// Judges one call's bytes as a whole. On DISCARD and LATCH *failed says which test.
enum bn_verdict bn_health_judge(struct bn_health *health, const uint8_t *raw, size_t raw_bytes,
                                enum bn_test *failed);

// Poison: what a buffer holds before the module is asked to fill it. It is random, drawn once per
// reader, and stands in the buffer again and again from its start on: what a module left is equal
// to its place in the poison wherever it is, and so few bytes stay in registers while a buffer is
// filled or looked at.
#define BN_POISON_BYTES 64
BN_CHECKED enum bn_err bn_poison_draw(uint8_t *poison, struct bn_fault *fault); // getrandom
void bn_poison_fill(uint8_t *buffer, const uint8_t *poison, size_t len_bytes);
// 1 when every 8-byte word (and the tail as one piece, if it is of 4 bytes or more) differs from
// the poison: a module that left a hole is caught but for one call in 2^64 (2^32 for the tail).
int bn_poison_overwritten(const uint8_t *buffer, const uint8_t *poison, size_t len_bytes);
// A poison failure goes through the same two tiers as the others.
enum bn_verdict bn_health_poison_failed(struct bn_health *health);

#endif
