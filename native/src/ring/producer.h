// SPDX-License-Identifier: Apache-2.0
//
// The producer's side of a ring: the mapping and the header's phase, shared by the threads of a
// source, and one lane per reader thread, which only that thread touches.

#ifndef BN_RING_PRODUCER_H
#define BN_RING_PRODUCER_H

#include "ring/layout.h"

struct bn_ring_producer;

// Maps the ring, locked and out of dumps and forks. BN_ERR_RING when it is not a sealed ring of
// exactly this shape. The descriptors stay the caller's and must stay open.
BN_CHECKED enum bn_err bn_ring_producer_open(int32_t ring_fd, uint32_t n_slots, uint32_t n_readers,
                                             int32_t data_eventfd, int32_t allow_unlocked,
                                             struct bn_ring_producer **out, struct bn_fault *fault);
// NULL is allowed. No lane may be used afterwards.
void bn_ring_producer_close(struct bn_ring_producer *ring);
// Sets phase and, with BN_PHASE_STOPPED, the fault (NULL: none). The first fault stays: after
// BN_PHASE_STOPPED nothing changes but from "no fault" to a fault. Any thread.
void bn_ring_producer_report(struct bn_ring_producer *ring, uint32_t phase,
                             const struct bn_fault *fault);

struct bn_lane { // one reader's; opaque but for `counters`
  struct bn_ring_lane *counters;
  struct bn_ring_producer *ring;
  _Atomic uint64_t *filled;
  _Atomic uint64_t *free;
  uint64_t filled_head;
  uint64_t free_tail;
  uint64_t entry_mask;
  uint32_t first_slot;
  uint32_t n_slots;
  int32_t space_eventfd;
};

void bn_ring_lane_open(struct bn_ring_producer *ring, uint32_t reader, int32_t space_eventfd,
                       struct bn_lane *out);
// How many slots can be taken now; more may come at any time.
uint32_t bn_ring_lane_available(const struct bn_lane *lane);
// Takes a free slot; NULL when there is none. BN_SLOT_TEXT_BYTES at the result are the reader's
// until it publishes the slot.
char *bn_ring_lane_take(struct bn_lane *lane, uint32_t *slot);
// Lines up a slot with `text_bytes` of text, a positive multiple of 4.
void bn_ring_lane_put(struct bn_lane *lane, uint32_t slot, uint32_t text_bytes);
// Hands over what is lined up and wakes the consumer, once for all of it: a wake-up takes longer
// than a slot is filled in.
void bn_ring_lane_hand_over(struct bn_lane *lane);
// Both, for one slot.
void bn_ring_lane_publish(struct bn_lane *lane, uint32_t slot, uint32_t text_bytes);
// Sleeps until a slot is free, `stop_fd` is readable, or the time is over (-1: without end). May
// return early.
void bn_ring_lane_wait(struct bn_lane *lane, int32_t stop_fd, int timeout_ms);

// A counter that this thread alone writes: so a load and a store, not a locked addition.
static inline void bn_counter_add(_Atomic uint64_t *counter, uint64_t amount) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                        memory_order_relaxed);
}

#endif
