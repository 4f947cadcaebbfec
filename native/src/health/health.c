// SPDX-License-Identifier: Apache-2.0
//
// The state machine of the output tests. Bytes go through it in one of two ways: byte by byte,
// which defines the tests, and whole spans by a fast look, which decides nothing but that there is
// nothing to be found in a span. Both leave the same state behind.

#include "health/state.h"

#include <stddef.h>
#include <string.h>

enum tier { TIER_NONE = 0, TIER_DISCARD, TIER_LATCH };

// What was found in a call: the highest tier of each test.
struct findings {
  enum tier tiers[BN_TEST_COUNT];
};

static void note(struct findings *findings, enum bn_test test, enum tier tier) {
  if (findings->tiers[test] < tier)
    findings->tiers[test] = tier;
}

static void note_count(struct findings *findings, enum bn_test test, uint32_t count,
                       uint32_t discard, uint32_t latch) {
  if (count >= discard)
    note(findings, test, count >= latch ? TIER_LATCH : TIER_DISCARD);
}

// Start-up begins, or begins anew after a failure.
static void requalify(struct bn_health *health) {
  health->position = 0;
  health->run = 0;
  health->n_equal = 0;
  memset(health->ones, 0, sizeof health->ones);
}

static enum bn_verdict fail(struct bn_health *health, enum bn_test test, enum tier tier) {
  if (health->passed_bytes >= BN_HEALTH_FAILURES_APART_BYTES)
    health->n_failures = 0;
  health->passed_bytes = 0;
  health->n_failures++;
  if (tier == TIER_LATCH || health->n_failures >= BN_HEALTH_FAILURES_LATCH) {
    health->latched = 1;
    health->latched_test = (uint32_t)test;
    return BN_VERDICT_LATCH;
  }
  requalify(health);
  return BN_VERDICT_DISCARD;
}

static void check_run(const struct bn_health *health, struct findings *findings) {
  note_count(findings, BN_TEST_REPETITION, health->run, BN_HEALTH_REPETITION_DISCARD,
             BN_HEALTH_REPETITION_LATCH);
}

static void check_proportion(const struct bn_health *health, struct findings *findings) {
  note_count(findings, BN_TEST_PROPORTION, health->n_equal, BN_HEALTH_PROPORTION_DISCARD,
             BN_HEALTH_PROPORTION_LATCH);
}

// One byte of the stream.
static void step(struct bn_health *health, uint8_t byte, struct findings *findings) {
  health->run = health->run > 0 && byte == health->last ? health->run + 1 : 1;
  health->last = byte;
  check_run(health, findings);

  if (health->position % BN_HEALTH_WINDOW_BYTES == 0) {
    health->symbol = byte;
    health->n_equal = 0;
  }
  health->n_equal += byte == health->symbol;
  check_proportion(health, findings);

  // Each block overwrites the one before, and differs from it once one of its bytes does.
  const size_t at = health->position % BN_HEALTH_BLOCK_BYTES;
  if (at == 0)
    health->block_differs = health->position == 0; // there is none before the first
  health->block_differs |= byte != health->block[at];
  health->block[at] = byte;
  if (at == BN_HEALTH_BLOCK_BYTES - 1 && !health->block_differs)
    note(findings, BN_TEST_CONSECUTIVE, TIER_DISCARD);

  health->position++;
}

// What the last bytes of a clean stretch leave behind.
static void land(struct bn_health *health, const uint8_t *end, size_t len_bytes) {
  health->last = end[-1];
  health->run = 1; // and short, for it is clean: it began in the stretch
  while (end[-1 - (ptrdiff_t)health->run] == health->last)
    health->run++;
  memcpy(health->block, end - BN_HEALTH_BLOCK_BYTES, BN_HEALTH_BLOCK_BYTES);
  health->position += len_bytes;
}

// A run that ends with a stretch's first byte is not for the fast look to see.
static int run_may_end_at(const struct bn_health *health, uint8_t byte) {
  return byte == health->last && health->run + 1 >= BN_HEALTH_REPETITION_DISCARD;
}

// A span within one window. Returns 0, and has changed nothing, when a slow look is needed.
static int leap_span(struct bn_health *health, const uint8_t *span, size_t len_bytes,
                     struct findings *findings) {
  if (run_may_end_at(health, span[0]))
    return 0;
  const int opens_window = health->position % BN_HEALTH_WINDOW_BYTES == 0;
  const uint8_t symbol = opens_window ? span[0] : health->symbol;
  uint32_t n_equal = opens_window ? 0 : health->n_equal;
  if (!health->scan->span(span, len_bytes, symbol, &n_equal))
    return 0;
  health->symbol = symbol;
  health->n_equal = n_equal;
  check_proportion(health, findings);
  land(health, span + len_bytes, len_bytes);
  return 1;
}

// As many whole windows as are clean. Returns how many bytes these are.
static size_t leap_windows(struct bn_health *health, const uint8_t *windows, size_t len_bytes) {
  if (len_bytes < BN_HEALTH_WINDOW_BYTES || run_may_end_at(health, windows[0]))
    return 0;
  const size_t done =
      BN_HEALTH_WINDOW_BYTES * health->scan->windows(windows, len_bytes / BN_HEALTH_WINDOW_BYTES);
  if (done > 0) // the next byte opens a window, so that this one's count is not needed any more
    land(health, windows + done, done);
  return done;
}

// The first span of a call, put behind the last block of the call before.
static int leap_seam(struct bn_health *health, const uint8_t *span, struct findings *findings) {
  if (health->position < BN_HEALTH_BLOCK_BYTES)
    return 0;
  memcpy(health->seam, span, BN_HEALTH_SPAN_BYTES);
  return leap_span(health, health->seam, BN_HEALTH_SPAN_BYTES, findings);
}

// The longest leap from here, or the shortest that there is where a longer one lands in something
// that a slow look has to judge. Returns its bytes; 0 when none can be made.
static size_t leap(struct bn_health *health, const uint8_t *raw, size_t done, size_t raw_bytes,
                   struct findings *findings) {
  const size_t into_window = health->position % BN_HEALTH_WINDOW_BYTES;
  const size_t left_bytes = raw_bytes - done;
  const uint8_t *at = raw + done;
  if (into_window % BN_HEALTH_SPAN_BYTES != 0 || left_bytes < BN_HEALTH_SPAN_BYTES)
    return 0;
  if (done < BN_HEALTH_BLOCK_BYTES)
    return leap_seam(health, at, findings) ? BN_HEALTH_SPAN_BYTES : 0;
  if (into_window == 0) {
    const size_t windows_bytes = leap_windows(health, at, left_bytes);
    if (windows_bytes > 0)
      return windows_bytes;
  }
  size_t span_bytes = BN_HEALTH_WINDOW_BYTES - into_window;
  if (span_bytes > left_bytes)
    span_bytes = left_bytes / BN_HEALTH_SPAN_BYTES * BN_HEALTH_SPAN_BYTES;
  if (leap_span(health, at, span_bytes, findings))
    return span_bytes;
  return leap_span(health, at, BN_HEALTH_SPAN_BYTES, findings) ? BN_HEALTH_SPAN_BYTES : 0;
}

static void look_at(struct bn_health *health, const uint8_t *raw, size_t raw_bytes,
                    struct findings *findings) {
  size_t done = 0;
  while (done < raw_bytes) {
    const size_t leapt_bytes = leap(health, raw, done, raw_bytes, findings);
    done += leapt_bytes;
    if (leapt_bytes > 0)
      continue;
    do // on to where a leap can start
      step(health, raw[done++], findings);
    while (done < raw_bytes && health->position % BN_HEALTH_SPAN_BYTES != 0);
  }
}

// A module that hands over the same buffer again and again: the first block of each call is
// compared with that of the call before.
static void compare_call_starts(struct bn_health *health, const uint8_t *raw, size_t raw_bytes,
                                struct findings *findings) {
  if (raw_bytes < BN_HEALTH_BLOCK_BYTES) {
    health->has_call_start = 0;
    return;
  }
  if (health->has_call_start && memcmp(health->call_start, raw, BN_HEALTH_BLOCK_BYTES) == 0)
    note(findings, BN_TEST_CONSECUTIVE, TIER_DISCARD);
  memcpy(health->call_start, raw, BN_HEALTH_BLOCK_BYTES);
  health->has_call_start = 1;
}

// Counts the ones of each of a byte's bits in the bytes that belong to the start-up test, and
// judges them when these are complete.
static void count_ones(struct bn_health *health, uint64_t position, const uint8_t *raw,
                       size_t raw_bytes, struct findings *findings) {
  for (size_t i = 0; i < raw_bytes && position + i < BN_HEALTH_STARTUP_BYTES; i++)
    for (unsigned bit = 0; bit < 8; bit++)
      health->ones[bit] += raw[i] >> bit & 1U;
  if (position + raw_bytes < BN_HEALTH_STARTUP_BYTES)
    return;
  for (unsigned bit = 0; bit < 8; bit++)
    if (health->ones[bit] < BN_HEALTH_STARTUP_ONES_MIN ||
        health->ones[bit] > BN_HEALTH_STARTUP_ONES_MAX)
      note(findings, BN_TEST_STARTUP, TIER_DISCARD);
}

size_t bn_health_bytes(void) {
  return sizeof(struct bn_health);
}

void bn_health_init(struct bn_health *health) {
  memset(health, 0, sizeof *health);
  health->scan = bn_scan_best();
}

enum bn_verdict bn_health_judge(struct bn_health *health, const uint8_t *raw, size_t raw_bytes,
                                enum bn_test *failed) {
  if (health->latched) {
    *failed = (enum bn_test)health->latched_test;
    return BN_VERDICT_LATCH;
  }
  const uint64_t position = health->position;
  const int qualifying = position < BN_HEALTH_STARTUP_BYTES;
  struct findings findings = {{TIER_NONE}};
  compare_call_starts(health, raw, raw_bytes, &findings);
  look_at(health, raw, raw_bytes, &findings);
  if (qualifying)
    count_ones(health, position, raw, raw_bytes, &findings);

  for (enum tier tier = TIER_LATCH; tier > TIER_NONE; tier--)
    for (enum bn_test test = 0; test < BN_TEST_COUNT; test++)
      if (findings.tiers[test] == tier) {
        *failed = test;
        return fail(health, test, tier);
      }
  if (qualifying)
    return BN_VERDICT_QUALIFYING;
  health->passed_bytes += raw_bytes;
  return BN_VERDICT_PASS;
}

enum bn_verdict bn_health_poison_failed(struct bn_health *health) {
  return health->latched ? BN_VERDICT_LATCH : fail(health, BN_TEST_POISON, TIER_DISCARD);
}
