// SPDX-License-Identifier: Apache-2.0
//
// The AVX-512 VBMI kernel on a model of its instructions, against the scalar kernel, at every
// length and between guard pages.

#include "base64/kernel.h"
#include "guarded.h"

#include <string.h>

#define LENGTH_MAX 1200
#define LONGEST_BYTES ((size_t)16 << 20)

static size_t text_bytes(size_t raw_bytes) {
  return (raw_bytes + 2) / 3 * 4;
}

static void compare(const uint8_t *raw, size_t raw_bytes, char *text) {
  static char expected[2 * LONGEST_BYTES];
  bn_base64_scalar(raw, raw_bytes, expected);
  memset(text, '!', text_bytes(raw_bytes));
  bn_base64_avx512vbmi(raw, raw_bytes, text);
  CHECK(memcmp(text, expected, text_bytes(raw_bytes)) == 0);
}

int main(void) {
  size_t page;
  uint8_t *raw = guarded_page(&page);
  char *text = (char *)guarded_page(&page);
  uint64_t random = 3;
  check_fill(&random, raw, page);
  for (size_t n = 0; n <= LENGTH_MAX; n++) {
    compare(raw, n, text);
    compare(raw + page - n, n, text + page - text_bytes(n));
    for (size_t k = 0; n <= 120 && k < 64; k++)
      compare(raw + k, n, text + (k * 29) % 64);
  }
  // What fits in which cache is gone over in ways of its own.
  static const size_t lengths[] = {28671, 28672, 163840, 400000, 3145735, LONGEST_BYTES};
  uint8_t *much_raw = guarded_area(LONGEST_BYTES);
  char *much_text = (char *)guarded_area(2 * LONGEST_BYTES);
  check_fill(&random, much_raw, LONGEST_BYTES);
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
    compare(much_raw + LONGEST_BYTES - lengths[i], lengths[i], much_text);
  uint8_t value[3];
  char quad[4];
  for (unsigned i = 0; i < 1U << 24; i += 257) {
    value[0] = (uint8_t)(i >> 16), value[1] = (uint8_t)(i >> 8), value[2] = (uint8_t)i;
    compare(value, sizeof value, quad);
  }
  return 0;
}
