// SPDX-License-Identifier: Apache-2.0
//
// How one side of a ring wakes the other. The sleeper says that it waits, looks once more and
// sleeps on its eventfd; the other side publishes, looks whether somebody waits, and writes the
// eventfd. All four steps are sequentially consistent operations, which puts a full fence between
// each side's two: either the sleeper sees what was published, or the publisher sees that somebody
// waits. (Operations and not fences, because ThreadSanitizer understands no fences.)

#ifndef BN_RING_WAKE_H
#define BN_RING_WAKE_H

#include <stdatomic.h>
#include <stdint.h>

// Sleeper: call this, look at the head by a sequentially consistent load, then sleep.
static inline void bn_wake_ask(_Atomic uint32_t *waiting) {
  atomic_store_explicit(waiting, 1, memory_order_seq_cst); // pairs with bn_wake_give
}

static inline void bn_wake_withdraw(_Atomic uint32_t *waiting) {
  atomic_store_explicit(waiting, 0, memory_order_relaxed); // a wake-up too many does no harm
}

// Publisher: call this after a sequentially consistent store to the head.
void bn_wake_give(_Atomic uint32_t *waiting, int32_t eventfd);

#endif
