// SPDX-License-Identifier: Apache-2.0
//
// Did the module write what it says that it wrote?

#include "health/health.h"
#include "health/scan.h"

#include <string.h>

void bn_poison_fill(uint8_t *buffer, const uint8_t *poison, size_t len_bytes) {
  memcpy(buffer, poison, len_bytes);
}

int bn_poison_overwritten(const uint8_t *buffer, const uint8_t *poison, size_t len_bytes) {
  size_t i = len_bytes / BN_HEALTH_SPAN_BYTES * BN_HEALTH_SPAN_BYTES;
  if (bn_scan_best()->same_word(buffer, poison, i))
    return 0;
  for (; len_bytes - i >= 8; i += 8)
    if (memcmp(buffer + i, poison + i, 8) == 0)
      return 0;
  return len_bytes - i < 4 || memcmp(buffer + i, poison + i, len_bytes - i) != 0;
}
