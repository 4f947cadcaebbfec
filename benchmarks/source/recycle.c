// SPDX-License-Identifier: Apache-2.0
//
// The least that a ring's consumer can do: it gives each slot back as it is, neither read nor
// wiped. For the benchmark alone, to measure a source without the work of those who use its bytes.

#include <time.h>

#include "ring/layout.h"
#include "ring/wake.h"

#define NS_PER_S UINT64_C(1000000000)

struct recycler {
  uint8_t *map;
  uint32_t n_slots;
  uint32_t n_readers;
  int32_t space_eventfds[BN_READERS_MAX];
  uint64_t taken[BN_READERS_MAX]; // entries of each reader so far
};

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void sleep_ns(uint64_t ns) {
  const struct timespec time = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
  nanosleep(&time, NULL);
}

// Returns the raw bytes of what one reader had published.
static uint64_t recycle_lane(struct recycler *recycler, const struct bn_ring_geometry *geometry,
                             uint32_t reader) {
  struct bn_ring_lane *lane = bn_ring_lane_at(geometry, recycler->map, reader);
  _Atomic uint64_t *filled = bn_ring_lane_filled(lane), *given = bn_ring_lane_free(geometry, lane);
  const uint64_t mask = geometry->n_entries - 1;
  const uint64_t head = atomic_load_explicit(&lane->filled_head, memory_order_acquire);
  uint64_t free_head = atomic_load_explicit(&lane->free_head, memory_order_relaxed);
  uint64_t text_bytes = 0;
  if (recycler->taken[reader] == head)
    return 0;
  while (recycler->taken[reader] != head) {
    const uint64_t entry =
        atomic_load_explicit(&filled[recycler->taken[reader]++ & mask], memory_order_relaxed);
    text_bytes += entry >> 32;
    atomic_store_explicit(&given[free_head++ & mask], (uint32_t)entry, memory_order_relaxed);
  }
  atomic_store_explicit(&lane->free_head, free_head, memory_order_seq_cst);
  bn_wake_give(&lane->space_waiting, recycler->space_eventfds[reader]);
  return text_bytes / 4 * 3;
}

static uint64_t recycle_all(struct recycler *recycler) {
  struct bn_ring_geometry geometry;
  uint64_t n_bytes = 0;
  if (bn_ring_geometry(recycler->n_slots, recycler->n_readers, &geometry) != BN_OK)
    return 0;
  for (uint32_t reader = 0; reader < recycler->n_readers; reader++)
    n_bytes += recycle_lane(recycler, &geometry, reader);
  return n_bytes;
}

// For about as long, with a look at the ring every `turn_ns`; raw bytes, and the time that they
// took, from one arrival on, once what had been there is gone.
uint64_t recycle(struct recycler *recycler, uint64_t duration_ns, uint64_t turn_ns,
                 uint64_t *took_ns) {
  uint64_t n_bytes = 0;
  (void)recycle_all(recycler);
  while (recycle_all(recycler) == 0)
    sleep_ns(turn_ns);
  const uint64_t began_ns = clock_ns();
  do {
    sleep_ns(turn_ns);
    n_bytes += recycle_all(recycler);
    *took_ns = clock_ns() - began_ns;
  } while (*took_ns < duration_ns);
  return n_bytes;
}
