// SPDX-License-Identifier: Apache-2.0
//
// The output tests against any bytes in calls of any length. However they are cut: a latch is never
// taken back, nothing passes before the start-up test is complete, and a failure begins it anew.

#include <stdlib.h>
#include <string.h>

#include "health/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPEAT_MOST 64

static void require(int condition) {
  if (!condition)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bn_health health;
  uint64_t clean_bytes = 0; // since the start or the last failure
  int latched = 0;
  bn_health_init(&health);
  // An input is calls: how long, how often the same bytes, and these.
  while (size > 2) {
    size_t len_bytes = 1 + data[0];
    const size_t repeats = 1 + data[1] % REPEAT_MOST;
    data += 2;
    size -= 2;
    if (len_bytes > size)
      len_bytes = size;
    uint8_t *raw = malloc(len_bytes * repeats); // of its exact size, for the address sanitizer
    require(raw != NULL);
    for (size_t i = 0; i < repeats; i++)
      memcpy(raw + i * len_bytes, data, len_bytes);
    enum bn_test failed = BN_TEST_COUNT;
    const enum bn_verdict verdict = bn_health_judge(&health, raw, len_bytes * repeats, &failed);
    free(raw);
    require(!latched || verdict == BN_VERDICT_LATCH);
    switch (verdict) {
    case BN_VERDICT_PASS:
      require(clean_bytes >= BN_HEALTH_STARTUP_BYTES);
      clean_bytes += len_bytes * repeats;
      break;
    case BN_VERDICT_QUALIFYING:
      require(clean_bytes < BN_HEALTH_STARTUP_BYTES);
      clean_bytes += len_bytes * repeats;
      break;
    case BN_VERDICT_DISCARD:
      require(failed < BN_TEST_COUNT);
      clean_bytes = 0;
      break;
    case BN_VERDICT_LATCH:
      require(failed < BN_TEST_COUNT);
      latched = 1;
      require(bn_health_poison_failed(&health) == BN_VERDICT_LATCH);
      break;
    }
    data += len_bytes;
    size -= len_bytes;
  }
  return 0;
}
