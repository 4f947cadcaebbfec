// SPDX-License-Identifier: Apache-2.0
//
// The C tests' only tool: a test is a program that ends with 0.

#ifndef BN_TESTS_CHECK_H
#define BN_TESTS_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

#define CHECK_EQUAL(left, right)                                                                   \
  do {                                                                                             \
    const long long left_ = (long long)(left), right_ = (long long)(right);                        \
    if (left_ != right_) {                                                                         \
      fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #left, left_, right_);  \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

// Numbers that look random and are the same in each run (xorshift64*). The state is not 0.
static inline uint64_t check_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static inline void check_fill(uint64_t *state, uint8_t *out, size_t len_bytes) {
  for (size_t i = 0; i < len_bytes; i++)
    out[i] = (uint8_t)(check_random(state) >> 32);
}

#endif
