// SPDX-License-Identifier: Apache-2.0
//
// Did the module write what it says that it wrote?

#include "health/health.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "health/scan.h"
#include "memory/memory.h"

_Static_assert(BN_POISON_BYTES == BN_PATTERN_BYTES, "poison is a pattern");

enum bn_err bn_poison_draw(uint8_t *poison, struct bn_fault *fault) {
  // So few come whole or not at all.
  while (getrandom(poison, BN_POISON_BYTES, 0) != BN_POISON_BYTES)
    if (errno != EINTR)
      return bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "getrandom", NULL);
  return BN_OK;
}

void bn_poison_fill(uint8_t *buffer, const uint8_t *poison, size_t len_bytes) {
  const size_t whole_bytes = len_bytes / BN_POISON_BYTES * BN_POISON_BYTES;
  bn_scan_best()->repeat(buffer, poison, whole_bytes);
  memcpy(buffer + whole_bytes, poison, len_bytes - whole_bytes);
}

int bn_poison_overwritten(const uint8_t *buffer, const uint8_t *poison, size_t len_bytes) {
  const size_t whole_bytes = len_bytes / BN_POISON_BYTES * BN_POISON_BYTES;
  if (bn_scan_best()->same_word(buffer, poison, whole_bytes))
    return 0;
  const uint8_t *rest = buffer + whole_bytes;
  const size_t rest_bytes = len_bytes - whole_bytes;
  size_t i = 0;
  for (; rest_bytes - i >= 8; i += 8)
    if (memcmp(rest + i, poison + i, 8) == 0)
      return 0;
  return rest_bytes - i < 4 || memcmp(rest + i, poison + i, rest_bytes - i) != 0;
}
