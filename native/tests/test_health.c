// SPDX-License-Identifier: Apache-2.0
//
// The output tests: each failure induced, and no other test firing with it; states that span calls;
// start-up; escalation; and both ways through the state machine against a plain model of it.

#include "check.h"
#include "health/state.h"

#include <string.h>

#define CALL_BYTES 4096

static struct bn_health health;
static uint64_t random_bytes;

static enum bn_verdict judge_as(const uint8_t *raw, size_t raw_bytes, enum bn_test expected) {
  enum bn_test failed = BN_TEST_COUNT;
  enum bn_verdict verdict = bn_health_judge(&health, raw, raw_bytes, &failed);
  if (verdict == BN_VERDICT_PASS || verdict == BN_VERDICT_QUALIFYING)
    CHECK_EQUAL(failed, BN_TEST_COUNT); // left alone
  else
    CHECK_EQUAL(failed, expected);
  return verdict;
}

static enum bn_verdict judge_good(size_t raw_bytes) {
  static uint8_t raw[1 << 16];
  check_fill(&random_bytes, raw, raw_bytes);
  return judge_as(raw, raw_bytes, BN_TEST_COUNT);
}

// A fresh state that has passed its start-up, with the stream at a window's first byte.
static void qualified(void) {
  random_bytes = 7;
  bn_health_init(&health);
  CHECK_EQUAL(judge_good(BN_HEALTH_STARTUP_BYTES), BN_VERDICT_QUALIFYING);
  CHECK_EQUAL(judge_good(CALL_BYTES), BN_VERDICT_PASS);
}

static void put_run(uint8_t *raw, size_t at, size_t length) {
  memset(raw + at, raw[at], length);
  raw[at - 1] = (uint8_t)~raw[at];
  raw[at + length] = (uint8_t)~raw[at];
}

static void repetition(void) {
  for (size_t length = 4; length <= 12; length++)
    for (size_t at = 20; at < 3000; at += 37) {
      uint8_t raw[CALL_BYTES];
      qualified();
      check_fill(&random_bytes, raw, sizeof raw);
      put_run(raw, at, length);
      CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_REPETITION),
                  length < BN_HEALTH_REPETITION_DISCARD ? BN_VERDICT_PASS
                  : length < BN_HEALTH_REPETITION_LATCH ? BN_VERDICT_DISCARD
                                                        : BN_VERDICT_LATCH);
    }
}

static void repetition_across_calls(void) {
  for (size_t before = 1; before < BN_HEALTH_REPETITION_LATCH; before++)
    for (size_t after = 1; before + after <= BN_HEALTH_REPETITION_LATCH; after++) {
      uint8_t raw[CALL_BYTES];
      qualified();
      check_fill(&random_bytes, raw, sizeof raw);
      memset(raw + sizeof raw - before, 0x33, before);
      raw[sizeof raw - before - 1] = 0x34;
      enum bn_verdict first = judge_as(raw, sizeof raw, BN_TEST_REPETITION);
      CHECK_EQUAL(first,
                  before < BN_HEALTH_REPETITION_DISCARD ? BN_VERDICT_PASS : BN_VERDICT_DISCARD);
      check_fill(&random_bytes, raw, sizeof raw);
      memset(raw, 0x33, after);
      raw[after] = 0x34;
      enum bn_verdict second = judge_as(raw, sizeof raw, BN_TEST_REPETITION);
      if (first == BN_VERDICT_DISCARD)
        CHECK_EQUAL(second, BN_VERDICT_QUALIFYING);
      else
        CHECK_EQUAL(second, before + after < BN_HEALTH_REPETITION_DISCARD ? BN_VERDICT_PASS
                            : before + after < BN_HEALTH_REPETITION_LATCH ? BN_VERDICT_DISCARD
                                                                          : BN_VERDICT_LATCH);
    }
}

// A window whose first byte is in it `count` times in all, never twice in a row.
static void put_window(uint8_t *window, uint32_t count) {
  check_fill(&random_bytes, window, BN_HEALTH_WINDOW_BYTES);
  for (size_t i = 0; i < BN_HEALTH_WINDOW_BYTES; i++)
    if (window[i] == 0x77)
      window[i] = 0x78;
  for (size_t i = 0; i < count; i++)
    window[i * 19] = 0x77;
}

static void proportion(void) {
  for (uint32_t count = 15; count < BN_HEALTH_WINDOW_BYTES / 19; count++)
    for (size_t window = 0; window < 4; window++) {
      uint8_t raw[4 * BN_HEALTH_WINDOW_BYTES];
      qualified();
      check_fill(&random_bytes, raw, sizeof raw);
      put_window(raw + window * BN_HEALTH_WINDOW_BYTES, count);
      CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_PROPORTION),
                  count < BN_HEALTH_PROPORTION_DISCARD ? BN_VERDICT_PASS
                  : count < BN_HEALTH_PROPORTION_LATCH ? BN_VERDICT_DISCARD
                                                       : BN_VERDICT_LATCH);
    }
}

static void proportion_across_calls(void) {
  for (size_t cut = 1; cut < BN_HEALTH_WINDOW_BYTES; cut++) {
    uint8_t window[BN_HEALTH_WINDOW_BYTES];
    qualified();
    put_window(window, BN_HEALTH_PROPORTION_LATCH - 1);
    size_t at = 19 * (BN_HEALTH_PROPORTION_DISCARD - 1); // where the count is reached
    CHECK_EQUAL(judge_as(window, cut, BN_TEST_PROPORTION),
                cut <= at ? BN_VERDICT_PASS : BN_VERDICT_DISCARD);
    CHECK_EQUAL(judge_as(window + cut, sizeof window - cut, BN_TEST_PROPORTION),
                cut <= at ? BN_VERDICT_DISCARD : BN_VERDICT_QUALIFYING);
  }
}

static void consecutive(void) {
  for (size_t block = 0; block < CALL_BYTES / 16; block++)
    for (size_t n_equal = 12; n_equal <= 16; n_equal++) {
      uint8_t raw[CALL_BYTES + 16];
      qualified();
      check_fill(&random_bytes, raw, sizeof raw);
      for (size_t i = 0; i < n_equal; i++)
        raw[16 * block + 16 + i] = raw[16 * block + i];
      if (n_equal < 16)
        raw[16 * block + 16 + n_equal] = (uint8_t)~raw[16 * block + n_equal];
      CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_CONSECUTIVE),
                  n_equal < 16 ? BN_VERDICT_PASS : BN_VERDICT_DISCARD);
    }
}

static void consecutive_across_calls(void) {
  for (size_t cut = 1; cut < 32; cut++) {
    uint8_t raw[64];
    qualified();
    check_fill(&random_bytes, raw, sizeof raw);
    memcpy(raw + 16, raw, 16);
    CHECK_EQUAL(judge_as(raw, cut, BN_TEST_COUNT), BN_VERDICT_PASS);
    CHECK_EQUAL(judge_as(raw + cut, sizeof raw - cut, BN_TEST_CONSECUTIVE), BN_VERDICT_DISCARD);
  }
}

static void same_buffer_again(void) {
  uint8_t raw[CALL_BYTES];
  qualified();
  check_fill(&random_bytes, raw, sizeof raw);
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_COUNT), BN_VERDICT_PASS);
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_CONSECUTIVE), BN_VERDICT_DISCARD);
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_CONSECUTIVE), BN_VERDICT_DISCARD);
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_CONSECUTIVE), BN_VERDICT_LATCH);
}

static void startup(void) {
  static const size_t calls[] = {1, 7, 16, 100, 1023, 1024, 1025, 5000};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    random_bytes = 7;
    bn_health_init(&health);
    for (size_t done = 0; done < BN_HEALTH_STARTUP_BYTES; done += calls[i]) // all of the last call
      CHECK_EQUAL(judge_good(calls[i]), BN_VERDICT_QUALIFYING);
    CHECK_EQUAL(judge_good(calls[i]), BN_VERDICT_PASS);
  }
}

static void startup_refuses_stuck_bits(void) {
  static const struct {
    uint8_t keep, set;
  } faults[] = {{0x7F, 0}, {0xFF, 0x01}, {0xFE, 0}, {0xF7, 0x08}};
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    for (size_t call_bytes = 8; call_bytes <= 2048; call_bytes *= 2) {
      random_bytes = 7;
      bn_health_init(&health);
      enum bn_verdict verdict = BN_VERDICT_QUALIFYING;
      for (size_t done = 0; done < BN_HEALTH_STARTUP_BYTES; done += call_bytes) {
        CHECK_EQUAL(verdict, BN_VERDICT_QUALIFYING);
        uint8_t raw[2048];
        check_fill(&random_bytes, raw, call_bytes);
        for (size_t k = 0; k < call_bytes; k++)
          raw[k] = (uint8_t)((raw[k] & faults[i].keep) | faults[i].set);
        verdict = judge_as(raw, call_bytes, BN_TEST_STARTUP);
      }
      CHECK_EQUAL(verdict, BN_VERDICT_DISCARD);
    }
}

static void discard_once(void) {
  uint8_t raw[CALL_BYTES];
  check_fill(&random_bytes, raw, sizeof raw);
  put_run(raw, 1000, BN_HEALTH_REPETITION_DISCARD);
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_REPETITION), BN_VERDICT_DISCARD);
}

static void pass_bytes(size_t bytes) {
  for (; bytes > 0; bytes -= 4096)
    CHECK_EQUAL(judge_good(4096), BN_VERDICT_PASS);
}

static void requalifies(void) {
  qualified();
  discard_once();
  CHECK_EQUAL(judge_good(1000), BN_VERDICT_QUALIFYING);
  CHECK_EQUAL(judge_good(1000), BN_VERDICT_QUALIFYING);
  CHECK_EQUAL(judge_good(1000), BN_VERDICT_PASS);
}

static void escalates(void) {
  uint8_t raw[CALL_BYTES];
  qualified();
  for (int i = 0; i < 5; i++) { // far enough apart: never
    discard_once();
    CHECK_EQUAL(judge_good(4096), BN_VERDICT_QUALIFYING);
    pass_bytes(BN_HEALTH_FAILURES_APART_BYTES);
  }
  discard_once();
  CHECK_EQUAL(judge_good(4096), BN_VERDICT_QUALIFYING);
  pass_bytes(BN_HEALTH_FAILURES_APART_BYTES - 4096);
  CHECK_EQUAL(bn_health_poison_failed(&health), BN_VERDICT_DISCARD); // of any kind
  CHECK_EQUAL(judge_good(4096), BN_VERDICT_QUALIFYING);
  check_fill(&random_bytes, raw, sizeof raw);
  put_run(raw, 1000, BN_HEALTH_REPETITION_DISCARD);
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_REPETITION), BN_VERDICT_LATCH);
}

static void stays_latched(void) {
  uint8_t raw[CALL_BYTES] = {0};
  qualified();
  CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_REPETITION), BN_VERDICT_LATCH);
  for (int i = 0; i < 3; i++) {
    check_fill(&random_bytes, raw, sizeof raw);
    CHECK_EQUAL(judge_as(raw, sizeof raw, BN_TEST_REPETITION), BN_VERDICT_LATCH);
    CHECK_EQUAL(bn_health_poison_failed(&health), BN_VERDICT_LATCH);
  }
}

static void poison(void) {
  uint8_t buffer[200], pattern[BN_POISON_BYTES], left[200];
  uint64_t random = 9;
  check_fill(&random, pattern, sizeof pattern);
  for (size_t i = 0; i < sizeof left; i++)
    left[i] = pattern[i % sizeof pattern];
  for (size_t n = 0; n <= sizeof buffer; n++) {
    memset(buffer, 0, sizeof buffer);
    bn_poison_fill(buffer, pattern, n);
    CHECK(memcmp(buffer, left, n) == 0);
    for (size_t i = n; i < sizeof buffer; i++)
      CHECK_EQUAL(buffer[i], 0);
    CHECK_EQUAL(bn_poison_overwritten(buffer, pattern, n), n < 4);
    check_fill(&random, buffer, n);
    CHECK_EQUAL(bn_poison_overwritten(buffer, pattern, n), 1);
    for (size_t hole = 0; hole + 8 <= n; hole += 8) {
      check_fill(&random, buffer, n);
      memcpy(buffer + hole, left + hole, 8);
      CHECK_EQUAL(bn_poison_overwritten(buffer, pattern, n), 0);
      buffer[hole + n % 8] ^= 1;
      CHECK_EQUAL(bn_poison_overwritten(buffer, pattern, n), 1);
    }
    if (n % 8 >= 4) { // the tail
      check_fill(&random, buffer, n);
      memcpy(buffer + n / 8 * 8, left + n / 8 * 8, n % 8);
      CHECK_EQUAL(bn_poison_overwritten(buffer, pattern, n), 0);
    }
  }
  for (int i = 0; i < BN_HEALTH_FAILURES_LATCH; i++) {
    if (i == 0)
      qualified();
    CHECK_EQUAL(bn_health_poison_failed(&health),
                i + 1 < BN_HEALTH_FAILURES_LATCH ? BN_VERDICT_DISCARD : BN_VERDICT_LATCH);
  }
}

static void same_word(const struct bn_scan *scan) {
  uint8_t area[4 * BN_PATTERN_BYTES], left[sizeof area], pattern[BN_PATTERN_BYTES];
  uint64_t random = 9;
  check_fill(&random, pattern, sizeof pattern);
  for (size_t i = 0; i < sizeof left; i++)
    left[i] = pattern[i % sizeof pattern];
  for (size_t n = 0; n <= sizeof area; n += BN_PATTERN_BYTES) {
    memset(area, 0, sizeof area);
    scan->repeat(area, pattern, n);
    CHECK(memcmp(area, left, n) == 0);
    CHECK(n == sizeof area || area[n] == 0);
    check_fill(&random, area, n);
    CHECK(!scan->same_word(area, pattern, n));
    for (size_t at = 0; at < n; at += 8) {
      memcpy(area + at, left + at, 8);
      CHECK(scan->same_word(area, pattern, n));
      area[at + at / 8 % 8] ^= 0x80;
      CHECK(!scan->same_word(area, pattern, n));
    }
  }
}

// ---- a plain model ------------------------------------------------------------------------------

#define STREAM_MAX (1 << 16)

static struct {
  uint8_t stream[STREAM_MAX];
  size_t length;
  uint32_t count; // of the window's first byte
  uint8_t start[16];
  int has_start;
  int n_failures;
  uint64_t passed;
} model;

static enum bn_verdict model_judge(const uint8_t *raw, size_t raw_bytes, enum bn_test *failed) {
  int tiers[BN_TEST_COUNT] = {0};
  const size_t from = model.length;
  CHECK(from + raw_bytes <= STREAM_MAX);
  memcpy(model.stream + from, raw, raw_bytes);
  model.length += raw_bytes;
  if (raw_bytes >= 16 && model.has_start && memcmp(raw, model.start, 16) == 0)
    tiers[BN_TEST_CONSECUTIVE] = 1;
  model.has_start = raw_bytes >= 16;
  if (model.has_start)
    memcpy(model.start, raw, 16);
  for (size_t i = from; i < model.length; i++) {
    const uint8_t *at = model.stream + i;
    uint32_t run = 1;
    while (run <= i && at[0] == *(at - run))
      run++;
    model.count = (i % 512 == 0 ? 0 : model.count) + (at[0] == model.stream[i / 512 * 512]);
    int tier = run >= 9 ? 2 : run >= 6;
    if (tiers[BN_TEST_REPETITION] < tier)
      tiers[BN_TEST_REPETITION] = tier;
    tier = model.count >= 26 ? 2 : model.count >= 20;
    if (tiers[BN_TEST_PROPORTION] < tier)
      tiers[BN_TEST_PROPORTION] = tier;
    if (i % 16 == 15 && i >= 31 && memcmp(at - 15, at - 31, 16) == 0)
      tiers[BN_TEST_CONSECUTIVE] = 1;
  }
  if (from < 1024 && model.length >= 1024)
    for (int bit = 0; bit < 8; bit++) {
      int ones = 0;
      for (size_t i = 0; i < 1024; i++)
        ones += model.stream[i] >> bit & 1;
      if (ones < 398 || ones > 626)
        tiers[BN_TEST_STARTUP] = 1;
    }
  for (int tier = 2; tier > 0; tier--)
    for (int test = 0; test < BN_TEST_COUNT; test++)
      if (tiers[test] == tier) {
        model.n_failures = model.passed >= 1024 * 1024 ? 1 : model.n_failures + 1;
        model.passed = 0;
        model.length = 0;
        *failed = (enum bn_test)test;
        return tier == 2 || model.n_failures == 3 ? BN_VERDICT_LATCH : BN_VERDICT_DISCARD;
      }
  if (from < 1024)
    return BN_VERDICT_QUALIFYING;
  model.passed += raw_bytes;
  return BN_VERDICT_PASS;
}

static size_t below(uint64_t *random, size_t limit) {
  return (size_t)(check_random(random) >> 16) % limit;
}

// Random bytes with one of the blemishes that the tests look for, or something just short of it.
static void put_blemished(uint64_t *random, uint8_t *raw, size_t raw_bytes) {
  check_fill(random, raw, raw_bytes);
  if (raw_bytes < 2)
    return;
  size_t at = below(random, raw_bytes);
  const size_t kind = below(random, 10);
  if (kind == 0) { // a run
    const size_t length = 2 + below(random, 6), room = raw_bytes - at;
    memset(raw + at, raw[at], length < room ? length : room);
  } else if (kind == 1) { // one byte too often in a window
    at = 512 - model.length % 512;
    const uint8_t symbol = at < raw_bytes ? raw[at] : 0;
    const size_t apart = 18 + below(random, 12);
    for (size_t i = at; i < raw_bytes; i += apart)
      raw[i] = symbol;
  } else if (kind == 2) { // a block again, or nearly so
    at -= (model.length + at) % 16 < at ? (model.length + at) % 16 : 0;
    for (size_t i = 0, n = 14 + below(random, 4); at + 16 + i < raw_bytes && i < n; i++)
      raw[at + 16 + i] = raw[at + i];
  } else if (kind == 3 && raw_bytes > 64) // the edges of a call
    memset(raw + (at % 2 ? 0 : raw_bytes - 3), 0x11, 3);
}

static void model_agrees(const struct bn_scan *scan) {
  static const size_t sizes[] = {1, 5, 16, 31, 32, 33, 64, 100, 512, 513, 1000, 1024, 2048, 3136};
  uint64_t verdicts[4] = {0}, tests[BN_TEST_COUNT] = {0};
  uint64_t random = 42;
  for (int round = 0; round < 400; round++) {
    bn_health_init(&health);
    health.scan = scan;
    memset(&model, 0, sizeof model);
    const size_t usual = sizes[below(&random, sizeof sizes / sizeof sizes[0])];
    for (;;) {
      uint8_t raw[4096];
      size_t n = below(&random, 4) == 0 ? below(&random, sizeof raw) : usual;
      if (model.length + n > STREAM_MAX / 4)
        break;
      if (usual < 64 && below(&random, 300) == 0)
        break;
      put_blemished(&random, raw, n);
      enum bn_test failed = BN_TEST_COUNT, expected = BN_TEST_COUNT;
      enum bn_verdict verdict = model_judge(raw, n, &expected);
      CHECK_EQUAL(bn_health_judge(&health, raw, n, &failed), verdict);
      CHECK_EQUAL(failed, expected);
      verdicts[verdict]++;
      if (expected < BN_TEST_COUNT)
        tests[expected]++;
      if (verdict == BN_VERDICT_LATCH)
        break;
    }
  }
  (void)printf("pass %llu, qualifying %llu, discard %llu, latch %llu; repetition %llu, proportion "
               "%llu, consecutive %llu\n",
               (unsigned long long)verdicts[0], (unsigned long long)verdicts[1],
               (unsigned long long)verdicts[2], (unsigned long long)verdicts[3],
               (unsigned long long)tests[BN_TEST_REPETITION],
               (unsigned long long)tests[BN_TEST_PROPORTION],
               (unsigned long long)tests[BN_TEST_CONSECUTIVE]);
  for (size_t i = 0; i < 4; i++)
    CHECK(verdicts[i] > 100);
  CHECK(tests[BN_TEST_REPETITION] > 20);
  CHECK(tests[BN_TEST_PROPORTION] > 20);
  CHECK(tests[BN_TEST_CONSECUTIVE] > 20);
}

int main(void) {
  repetition();
  repetition_across_calls();
  proportion();
  proportion_across_calls();
  consecutive();
  consecutive_across_calls();
  same_buffer_again();
  startup();
  startup_refuses_stuck_bits();
  requalifies();
  escalates();
  stays_latched();
  poison();
  same_word(&bn_scan_plain);
  model_agrees(&bn_scan_plain);
#if defined(__x86_64__)
  if (bn_scan_best() != &bn_scan_plain) {
    same_word(&bn_scan_avx2);
    model_agrees(&bn_scan_avx2);
  } else
    (void)printf("avx2: SKIPPED, this processor does not run it\n");
  if (bn_scan_best() == &bn_scan_avx512bw) {
    same_word(&bn_scan_avx512bw);
    model_agrees(&bn_scan_avx512bw);
  } else
    (void)printf("avx512bw: SKIPPED, this processor does not run it\n");
#endif
  CHECK_EQUAL(bn_health_bytes(), sizeof health);
  return 0;
}
