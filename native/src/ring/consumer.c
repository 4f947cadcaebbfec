// SPDX-License-Identifier: Apache-2.0
//
// The consumer's side of a ring. It owns the layout of the shared memory and the truth about who
// holds each slot, and keeps that truth in memory of its own: the other side is a process with a
// vendor's module in it and may have written anything anywhere. Nothing that is read from shared
// memory is used before it is checked, or read a second time. One thread.

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory/memory.h"
#include "ring/layout.h"
#include "ring/wake.h"

struct lane {
  struct bn_ring_lane *shared;
  _Atomic uint64_t *filled;
  _Atomic uint64_t *free;
  uint64_t filled_tail; // entries taken
  uint64_t free_head;   // entries given back; the shared head is a copy of this
  uint32_t first_slot;
  uint32_t n_slots;
  int32_t space_eventfd;
};

struct bn_ring_consumer {
  struct bn_ring_geometry geometry;
  uint8_t *map;
  struct bn_ring_header *header;
  uint64_t generation;
  uint64_t popped_bytes;
  uint64_t refused_entries;
  uint32_t next_lane; // where the next pop begins, so that no lane is served last for ever
  uint8_t *held;      // per slot: 1 while the consumer's caller holds it
  struct lane lanes[BN_READERS_MAX];
};

static char *slot_text(const struct bn_ring_consumer *ring, uint32_t slot) {
  return (char *)ring->map + bn_ring_slot_offset(ring, slot);
}

// Puts a slot at the end of a lane's free ring, without telling the reader yet.
static void give_slot(const struct bn_ring_consumer *ring, struct lane *lane, uint32_t slot) {
  const uint64_t mask = ring->geometry.n_entries - 1;
  // Published by the store to free_head that follows.
  atomic_store_explicit(&lane->free[lane->free_head & mask], slot, memory_order_relaxed);
  lane->free_head++;
}

// Makes every lane new: nothing filled, every slot that is not held wiped and free. The producer is
// not there yet, or not any more.
static void format_lanes(struct bn_ring_consumer *ring) {
  for (uint32_t reader = 0; reader < ring->geometry.n_readers; reader++) {
    struct lane *lane = &ring->lanes[reader];
    memset((void *)lane->shared, 0, ring->geometry.lane_bytes);
    lane->filled_tail = 0;
    lane->free_head = 0;
    for (uint32_t slot = lane->first_slot; slot < lane->first_slot + lane->n_slots; slot++) {
      if (!ring->held[slot]) {
        bn_wipe(slot_text(ring, slot), BN_SLOT_TEXT_BYTES);
        give_slot(ring, lane, slot);
      }
    }
    // Pairs with the acquire in bn_ring_lane_take, in a process that starts after this.
    atomic_store_explicit(&lane->shared->free_head, lane->free_head, memory_order_release);
  }
}

static void format_header(struct bn_ring_consumer *ring) {
  memset((void *)ring->header, 0, BN_RING_PAGE_BYTES);
  ring->header->magic = BN_RING_MAGIC;
  ring->header->version = BN_RING_VERSION;
  ring->header->n_slots = ring->geometry.n_slots;
  ring->header->n_readers = ring->geometry.n_readers;
  ring->header->slot_text_bytes = BN_SLOT_TEXT_BYTES;
  ring->header->map_bytes = ring->geometry.map_bytes;
  atomic_store_explicit(&ring->header->generation, ring->generation, memory_order_relaxed);
}

enum bn_err bn_ring_consumer_open(void *map, size_t map_bytes, uint32_t n_slots, uint32_t n_readers,
                                  const int32_t *space_eventfds, int32_t allow_unlocked,
                                  struct bn_ring_consumer **out, struct bn_fault *fault) {
  struct bn_ring_geometry geometry;
  if (bn_ring_geometry(n_slots, n_readers, &geometry) != BN_OK || map == NULL ||
      (uintptr_t)map % BN_RING_PAGE_BYTES != 0 || map_bytes != geometry.map_bytes) {
    return bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_ring_consumer_open",
                        "the mapping does not fit the ring");
  }
  enum bn_err err = BN_OK;
  struct bn_ring_consumer *ring = calloc(1, sizeof *ring);
  uint8_t *held = calloc(n_slots, 1);
  if (ring == NULL || held == NULL) {
    err = bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_ring_consumer_open", NULL);
    goto err_free;
  }
  err = bn_memory_protect(map, map_bytes, allow_unlocked, fault);
  if (err != BN_OK)
    goto err_free;
  ring->geometry = geometry;
  ring->map = map;
  ring->header = map;
  ring->generation = 1;
  ring->held = held;
  for (uint32_t reader = 0; reader < n_readers; reader++) {
    struct lane *lane = &ring->lanes[reader];
    lane->shared = bn_ring_lane_at(&geometry, ring->map, reader);
    lane->filled = bn_ring_lane_filled(lane->shared);
    lane->free = bn_ring_lane_free(&geometry, lane->shared);
    lane->n_slots = bn_ring_lane_slots(&geometry, reader, &lane->first_slot);
    lane->space_eventfd = space_eventfds[reader];
  }
  format_header(ring);
  format_lanes(ring);
  *out = ring;
  return BN_OK;

err_free:
  free(held);
  free(ring);
  return err;
}

void bn_ring_consumer_close(struct bn_ring_consumer *ring) {
  if (ring == NULL)
    return;
  bn_wipe(ring->map + ring->geometry.arena_offset,
          (size_t)ring->geometry.n_slots * BN_SLOT_TEXT_BYTES);
  munlock(ring->map, ring->geometry.map_bytes);
  free(ring->held);
  free(ring);
}

// Whether the reader of this lane may publish this. A slot that the caller holds is not the
// reader's to publish, and one that it took and published before is held or wiped by now.
static int acceptable(const struct bn_ring_consumer *ring, const struct lane *lane, uint32_t slot,
                      uint32_t text_bytes) {
  return slot >= lane->first_slot && slot - lane->first_slot < lane->n_slots && !ring->held[slot] &&
         text_bytes > 0 && text_bytes <= BN_SLOT_TEXT_BYTES && text_bytes % 4 == 0;
}

static uint32_t pop_lane(struct bn_ring_consumer *ring, struct lane *lane,
                         struct bn_ring_entry *out, uint32_t max) {
  const uint64_t mask = ring->geometry.n_entries - 1;
  // Pairs with the store in bn_ring_lane_publish: the slots' text is there before their entries.
  const uint64_t head = atomic_load_explicit(&lane->shared->filled_head, memory_order_acquire);
  if (head - lane->filled_tail > lane->n_slots) {
    // More than there are slots, or behind what was taken: no reader that works does this, and
    // which of the entries are meant nobody can say.
    lane->filled_tail = head;
    ring->refused_entries++;
    return 0;
  }
  uint32_t n = 0;
  while (n < max && lane->filled_tail != head) {
    // Ordered by the load of the head.
    const uint64_t entry =
        atomic_load_explicit(&lane->filled[lane->filled_tail & mask], memory_order_relaxed);
    lane->filled_tail++;
    const uint32_t slot = (uint32_t)entry;
    const uint32_t text_bytes = (uint32_t)(entry >> 32);
    if (!acceptable(ring, lane, slot, text_bytes)) {
      ring->refused_entries++;
      continue;
    }
    ring->held[slot] = 1;
    ring->popped_bytes += text_bytes / 4 * 3;
    out[n++] = (struct bn_ring_entry){.slot = slot, .text_bytes = text_bytes};
  }
  return n;
}

uint32_t bn_ring_pop_burst(struct bn_ring_consumer *ring, struct bn_ring_entry *out, uint32_t max) {
  const uint32_t n_lanes = ring->geometry.n_readers;
  const uint32_t first = ring->next_lane;
  uint32_t n = 0;
  for (uint32_t i = 0; i < n_lanes && n < max; i++)
    n += pop_lane(ring, &ring->lanes[(first + i) % n_lanes], out + n, max - n);
  ring->next_lane = first + 1 < n_lanes ? first + 1 : 0;
  return n;
}

static struct lane *lane_of(struct bn_ring_consumer *ring, uint32_t slot) {
  struct lane *lane = ring->lanes;
  while (slot - lane->first_slot >= lane->n_slots)
    lane++;
  return lane;
}

enum bn_err bn_ring_release(struct bn_ring_consumer *ring, uint32_t slot) {
  return bn_ring_release_burst(ring, &slot, 1);
}

enum bn_err bn_ring_release_burst(struct bn_ring_consumer *ring, const uint32_t *slots,
                                  uint32_t n_slots) {
  _Static_assert(BN_READERS_MAX <= 64, "a bit for each lane");
  uint64_t given = 0;
  uint32_t n = 0;
  for (; n < n_slots && slots[n] < ring->geometry.n_slots && ring->held[slots[n]]; n++) {
    struct lane *lane = lane_of(ring, slots[n]);
    bn_wipe(slot_text(ring, slots[n]), BN_SLOT_TEXT_BYTES);
    ring->held[slots[n]] = 0;
    give_slot(ring, lane, slots[n]);
    given |= UINT64_C(1) << (lane - ring->lanes);
  }
  for (uint32_t reader = 0; reader < ring->geometry.n_readers; reader++) {
    const struct lane *lane = &ring->lanes[reader];
    if ((given >> reader & 1) == 0)
      continue;
    // As a release, pairs with the acquire in bn_ring_lane_take: the slots are wiped before the
    // reader has them. Sequentially consistent for the wake-up: pairs with the look in
    // bn_ring_lane_wait.
    atomic_store_explicit(&lane->shared->free_head, lane->free_head, memory_order_seq_cst);
    bn_wake_give(&lane->shared->space_waiting, lane->space_eventfd);
  }
  return n == n_slots ? BN_OK : BN_ERR_ARGUMENT;
}

size_t bn_ring_slot_offset(const struct bn_ring_consumer *ring, uint32_t slot) {
  return ring->geometry.arena_offset + (size_t)slot * BN_SLOT_TEXT_BYTES;
}

int32_t bn_ring_arm(struct bn_ring_consumer *ring) {
  bn_wake_ask(&ring->header->data_waiting);
  for (uint32_t reader = 0; reader < ring->geometry.n_readers; reader++) {
    const struct lane *lane = &ring->lanes[reader];
    // Pairs with the store in bn_ring_lane_publish.
    if (atomic_load_explicit(&lane->shared->filled_head, memory_order_seq_cst) !=
        lane->filled_tail) {
      bn_wake_withdraw(&ring->header->data_waiting);
      return 1;
    }
  }
  return 0;
}

void bn_ring_restart(struct bn_ring_consumer *ring) {
  ring->generation++;
  ring->popped_bytes = 0;
  ring->refused_entries = 0;
  format_header(ring);
  format_lanes(ring);
  // The caller may be asleep on the data eventfd, and the dead producer may have taken its request
  // with it.
  bn_wake_ask(&ring->header->data_waiting);
}

// ---- what the source says of itself -------------------------------------------------------------

static uint64_t number(const _Atomic uint64_t *shared) {
  return atomic_load_explicit(shared, memory_order_relaxed);
}

static void make_printable(char *text, size_t size_bytes) {
  text[size_bytes - 1] = '\0';
  for (char *c = text; *c != '\0'; c++)
    if (*c < ' ' || *c > '~')
      *c = '?';
}

static void copy_fault(const struct bn_ring_header *header, struct bn_fault *out) {
  uint64_t words[BN_FAULT_WORDS];
  for (size_t i = 0; i < BN_FAULT_WORDS; i++)
    words[i] = number(&header->fault[i]);
  memcpy(out, words, sizeof *out);
  if (out->err < BN_OK || out->err > BN_ERR_STOPPED)
    out->err = BN_ERR_RING;
  make_printable(out->where, sizeof out->where);
  make_printable(out->text, sizeof out->text);
}

void bn_ring_observe(const struct bn_ring_consumer *ring, struct bn_ring_view *out) {
  const struct bn_ring_header *header = ring->header;
  memset(out, 0, sizeof *out);
  out->generation = ring->generation;
  // Pairs with the release in bn_ring_producer_report: the fault is there before the phase is.
  out->phase = atomic_load_explicit(&header->phase, memory_order_acquire);
  if (out->phase > BN_PHASE_STOPPED)
    out->phase = BN_PHASE_EMPTY;
  out->phases = atomic_load_explicit(&header->phases, memory_order_relaxed);
  if (out->phase == BN_PHASE_STOPPED)
    copy_fault(header, &out->fault);
  out->popped_bytes = ring->popped_bytes;
  out->refused_entries = ring->refused_entries;
  out->n_readers = ring->geometry.n_readers;
  for (uint32_t reader = 0; reader < ring->geometry.n_readers; reader++) {
    const struct bn_ring_lane *shared = ring->lanes[reader].shared;
    struct bn_reader_view *view = &out->readers[reader];
    // Ended before begun, pairs with the releases in bn_reader: never more ended than begun.
    view->calls_ended = atomic_load_explicit(&shared->calls_ended, memory_order_acquire);
    view->calls_begun = atomic_load_explicit(&shared->calls_begun, memory_order_relaxed);
    view->call_began_ns = number(&shared->call_began_ns);
    view->slowest_call_ns = number(&shared->slowest_call_ns);
    view->call_bytes = atomic_load_explicit(&shared->call_bytes, memory_order_relaxed);
    view->active = atomic_load_explicit(&shared->active, memory_order_relaxed) != 0;
    out->generated_bytes += number(&shared->generated_bytes);
    out->published_bytes += number(&shared->published_bytes);
    out->failed_bytes += number(&shared->failed_bytes);
    out->startup_bytes += number(&shared->startup_bytes);
    out->errors += number(&shared->errors);
    out->latched |= number(&shared->latched) != 0;
    for (int test = 0; test < BN_TEST_COUNT; test++)
      out->failures[test] += number(&shared->failures[test]);
  }
}
