// SPDX-License-Identifier: Apache-2.0
//
// How often the output tests fail by chance, simulated: good bytes fail too rarely to be counted,
// so each test gets bytes that are worse in one known way, and has to fail as often as theory says,
// in both tiers. Usage: test_false_alarms [GIGABYTES]: so many of good bytes, which should not
// fail.

#include <math.h>
#include <string.h>

#include "check.h"
#include "health/state.h"

#define TRIAL_BYTES 2048
#define N_TRIALS 20000
#define SIGMAS 5

static uint8_t raw[TRIAL_BYTES];
static uint64_t seed = 11;

// ---- what theory says ---------------------------------------------------------------------------

// Of `at_least` or more successes in n trials.
static double tail(unsigned n, unsigned at_least, double p) {
  double sum = 0;
  for (unsigned k = at_least; k <= n; k++)
    sum += exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(p) +
               (n - k) * log1p(-p));
  return sum;
}

static double in_any(double p, unsigned n) {
  return -expm1(n * log1p(-p));
}

// Of a run of `cutoff` in a trial, when each byte repeats the one before with probability q.
static double run_in_trial(unsigned cutoff, double q) {
  double of_length[BN_HEALTH_REPETITION_LATCH] = {0, 1}, reached = 0;
  for (size_t i = 1; i < TRIAL_BYTES; i++) {
    double fresh = 0;
    reached += of_length[cutoff - 1] * q;
    for (unsigned length = cutoff - 1; length > 0; length--) {
      fresh += of_length[length] * (1 - q);
      of_length[length] = of_length[length - 1] * q;
    }
    of_length[1] = fresh;
  }
  return reached;
}

// ---- what happens -------------------------------------------------------------------------------

static void run(const char *what, double parameter, void (*fill)(double), enum bn_test test,
                double p_fail, double p_latch) {
  unsigned n_fail = 0, n_latch = 0;
  for (unsigned trial = 0; trial < N_TRIALS; trial++) {
    struct bn_health health;
    enum bn_test failed = BN_TEST_COUNT;
    bn_health_init(&health);
    fill(parameter);
    const enum bn_verdict verdict = bn_health_judge(&health, raw, sizeof raw, &failed);
    if (failed != test)
      continue;
    n_fail++;
    n_latch += verdict == BN_VERDICT_LATCH;
  }
  const double expected = p_fail * N_TRIALS, expected_latch = p_latch * N_TRIALS;
  (void)printf("%-12s %7.4f: %5u fail, %7.1f expected; %4u latch, %6.1f expected\n", what,
               parameter, n_fail, expected, n_latch, expected_latch);
  CHECK(fabs(n_fail - expected) <= SIGMAS * sqrt(expected * (1 - p_fail)) + 1);
  CHECK(fabs(n_latch - expected_latch) <= SIGMAS * sqrt(expected_latch) + 1);
}

static double uniform(void) {
  return (double)(check_random(&seed) >> 11) * 0x1p-53;
}

static void fill_repeating(double q) {
  check_fill(&seed, raw, sizeof raw);
  for (size_t i = 1; i < sizeof raw; i++) {
    if (uniform() < q)
      raw[i] = raw[i - 1];
    else if (raw[i] == raw[i - 1]) // a repetition is by q alone
      raw[i] ^= (uint8_t)(1U << check_random(&seed) % 8);
  }
}

// Of 2^bits values, of which every bit is one half of the time.
static void fill_poor(double bits) {
  const unsigned n = (unsigned)bits;
  check_fill(&seed, raw, sizeof raw);
  for (size_t i = 0; i < sizeof raw; i++) {
    const unsigned value = raw[i] & ((1U << n) - 1);
    raw[i] = (uint8_t)(value | value << n);
  }
}

static void fill_biased(double p) {
  for (size_t i = 0; i < sizeof raw; i++) {
    raw[i] = 0;
    for (unsigned bit = 0; bit < 8; bit++)
      raw[i] |= (uint8_t)((uniform() < p) << bit);
  }
}

static void good_bytes(uint64_t n_gigabytes) {
  static uint64_t words[8192];
  struct bn_health health;
  uint64_t n_failures = 0;
  bn_health_init(&health);
  for (uint64_t left = n_gigabytes * 1000000000 / sizeof words; left > 0; left--) {
    enum bn_test failed = BN_TEST_COUNT;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      words[i] = check_random(&seed);
    if (bn_health_judge(&health, (const uint8_t *)words, sizeof words, &failed) >=
        BN_VERDICT_DISCARD)
      n_failures++;
  }
  (void)printf("%llu GB of good bytes: %llu failures\n", (unsigned long long)n_gigabytes,
               (unsigned long long)n_failures);
  CHECK(n_failures <= 1 + n_gigabytes / 200); // one in 1,100 GB is expected
}

int main(int argc, char **argv) {
  for (int one_in = 4; one_in <= 8; one_in *= 2) {
    const double q = 1.0 / one_in;
    run("repetition", q, fill_repeating, BN_TEST_REPETITION,
        run_in_trial(BN_HEALTH_REPETITION_DISCARD, q), run_in_trial(BN_HEALTH_REPETITION_LATCH, q));
  }
  for (int bits = 5; bits <= 6; bits++) {
    const double p = 1.0 / (1 << bits);
    const unsigned windows = TRIAL_BYTES / BN_HEALTH_WINDOW_BYTES;
    run("proportion", bits, fill_poor, BN_TEST_PROPORTION,
        in_any(tail(BN_HEALTH_WINDOW_BYTES - 1, BN_HEALTH_PROPORTION_DISCARD - 1, p), windows),
        in_any(tail(BN_HEALTH_WINDOW_BYTES - 1, BN_HEALTH_PROPORTION_LATCH - 1, p), windows));
  }
  for (int percent = 56; percent <= 58; percent += 2) {
    const double p = percent / 100.0;
    const double one = tail(BN_HEALTH_STARTUP_BYTES, BN_HEALTH_STARTUP_ONES_MAX + 1, p) +
                       tail(BN_HEALTH_STARTUP_BYTES,
                            BN_HEALTH_STARTUP_BYTES - BN_HEALTH_STARTUP_ONES_MIN + 1, 1 - p);
    run("start-up", p, fill_biased, BN_TEST_STARTUP, in_any(one, 8), 0);
  }
  good_bytes(argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
  return 0;
}
