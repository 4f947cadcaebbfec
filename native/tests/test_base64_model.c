// SPDX-License-Identifier: Apache-2.0
//
// The AVX-512 VBMI kernel on a model of its instructions, against the scalar kernel, at every
// number of groups and between guard pages.

#include "base64/kernel.h"
#include "guarded.h"

#include <string.h>

#define GROUPS_MAX 400

static void compare(const uint8_t *raw, size_t n_groups, char *text) {
  static char expected[GROUPS_MAX * 4];
  bn_base64_scalar(raw, n_groups, expected);
  memset(text, '!', n_groups * 4);
  bn_base64_avx512vbmi(raw, n_groups, text);
  CHECK(memcmp(text, expected, n_groups * 4) == 0);
}

int main(void) {
  size_t page;
  uint8_t *raw = guarded_page(&page);
  char *text = (char *)guarded_page(&page);
  uint64_t random = 3;
  check_fill(&random, raw, page);
  for (size_t n = 0; n <= GROUPS_MAX; n++) {
    compare(raw, n, text);
    compare(raw + page - 3 * n, n, text + page - 4 * n);
    for (size_t k = 0; n <= 40 && k < 64; k++)
      compare(raw + k, n, text + (k * 29) % 64);
  }
  uint8_t value[3];
  char quad[4];
  for (unsigned i = 0; i < 1U << 24; i += 257) {
    value[0] = (uint8_t)(i >> 16), value[1] = (uint8_t)(i >> 8), value[2] = (uint8_t)i;
    compare(value, 1, quad);
  }
  return 0;
}
