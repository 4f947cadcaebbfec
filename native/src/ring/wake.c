// SPDX-License-Identifier: Apache-2.0
//
// The publisher's half of a wake-up.

#include "ring/wake.h"

#include <errno.h>
#include <unistd.h>

void bn_wake_give(_Atomic uint32_t *waiting, int32_t eventfd) {
  // Pairs with bn_wake_ask. Read first: an exchange would take the cache line each time.
  if (atomic_load_explicit(waiting, memory_order_seq_cst) == 0 ||
      atomic_exchange_explicit(waiting, 0, memory_order_relaxed) == 0) {
    return;
  }
  const uint64_t one = 1;
  while (write(eventfd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}
