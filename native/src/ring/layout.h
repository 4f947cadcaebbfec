// SPDX-License-Identifier: Apache-2.0
//
// How the shared memory of a ring is laid out, and nothing else. Everything follows from the number
// of slots and of readers, so neither side ever takes an offset or a size out of shared memory:
//
//   header          one page: what the ring is, what the source does
//   lane 0..n-1     per reader: its heads, flags and counters, then its two index rings
//   arena           from the next page on: the slots, each of BN_SLOT_TEXT_BYTES
//
// The slots are parted among the lanes. A lane's index rings are two single-producer
// single-consumer rings of 64-bit entries: `filled` carries a slot and its length from reader to
// consumer, `free` carries the slot back. Each has room for every slot of its lane, so neither can
// overflow, and that is why only the heads are shared: each side keeps its tails to itself.

#ifndef BN_RING_LAYOUT_H
#define BN_RING_LAYOUT_H

#include <stdatomic.h>

#include "bn.h"

#define BN_RING_MAGIC UINT64_C(0x31676e6972796e65)
#define BN_RING_VERSION 1
#define BN_RING_PAGE_BYTES 4096
#define BN_CACHE_LINE_BYTES 64
#define BN_FAULT_WORDS (sizeof(struct bn_fault) / sizeof(uint64_t))

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "atomics in shared memory must be free of locks");
_Static_assert(sizeof(struct bn_fault) % sizeof(uint64_t) == 0, "a fault is copied by words");
_Static_assert(BN_SLOT_RAW_BYTES / 3 * 4 == BN_SLOT_TEXT_BYTES, "a slot holds whole groups");

struct bn_ring_header {
  // Written once by the consumer, before the producer exists.
  uint64_t magic;
  uint32_t version;
  uint32_t n_slots;
  uint32_t n_readers;
  uint32_t slot_text_bytes;
  uint64_t map_bytes;
  _Atomic uint64_t generation;
  // Set by the consumer that is about to sleep, taken back by whoever wakes it.
  _Alignas(BN_CACHE_LINE_BYTES) _Atomic uint32_t data_waiting;
  // Written by the producer.
  _Alignas(BN_CACHE_LINE_BYTES) _Atomic uint32_t phase;
  _Atomic uint32_t phases;
  _Atomic uint64_t fault[BN_FAULT_WORDS]; // valid once phase is BN_PHASE_STOPPED
};
_Static_assert(sizeof(struct bn_ring_header) <= BN_RING_PAGE_BYTES, "the header is one page");

struct bn_ring_lane {
  _Alignas(BN_CACHE_LINE_BYTES) _Atomic uint64_t filled_head; // entries published; reader writes
  _Alignas(BN_CACHE_LINE_BYTES) _Atomic uint64_t free_head;   // entries given back; consumer writes
  // Set by the reader that is about to sleep, taken back by whoever wakes it.
  _Alignas(BN_CACHE_LINE_BYTES) _Atomic uint32_t space_waiting;
  // Written by the reader alone.
  _Alignas(BN_CACHE_LINE_BYTES) _Atomic uint64_t calls_begun;
  _Atomic uint64_t calls_ended;
  _Atomic uint64_t call_began_ns; // CLOCK_MONOTONIC
  _Atomic uint64_t slowest_call_ns;
  _Atomic uint32_t call_bytes;
  _Atomic uint32_t active;
  _Atomic uint64_t generated_bytes;
  _Atomic uint64_t published_bytes;
  _Atomic uint64_t failed_bytes;
  _Atomic uint64_t startup_bytes;
  _Atomic uint64_t errors;
  _Atomic uint64_t latched;
  _Atomic uint64_t failures[BN_TEST_COUNT];
};

// An entry of `filled` is slot | text_bytes << 32; of `free`, the slot.
static inline uint64_t bn_ring_entry_pack(uint32_t slot, uint32_t text_bytes) {
  return (uint64_t)slot | (uint64_t)text_bytes << 32;
}

struct bn_ring_geometry {
  uint32_t n_slots;
  uint32_t n_readers;
  uint32_t n_entries; // of each index ring: a power of two
  size_t lane_bytes;  // from lane to lane
  size_t arena_offset;
  size_t map_bytes;
};

// BN_ERR_ARGUMENT when there is no such ring: every reader has a slot, within the limits of bn.h.
BN_CHECKED enum bn_err bn_ring_geometry(uint32_t n_slots, uint32_t n_readers,
                                        struct bn_ring_geometry *out);

// Which slots a lane owns: `first` and how many.
static inline uint32_t bn_ring_lane_slots(const struct bn_ring_geometry *geometry, uint32_t reader,
                                          uint32_t *first) {
  const uint32_t share = geometry->n_slots / geometry->n_readers;
  const uint32_t rest = geometry->n_slots % geometry->n_readers; // one more for the first lanes
  *first = reader * share + (reader < rest ? reader : rest);
  return share + (reader < rest ? 1 : 0);
}

static inline struct bn_ring_lane *bn_ring_lane_at(const struct bn_ring_geometry *geometry,
                                                   uint8_t *map, uint32_t reader) {
  return (struct bn_ring_lane *)(void *)(map + BN_RING_PAGE_BYTES + reader * geometry->lane_bytes);
}

static inline _Atomic uint64_t *bn_ring_lane_filled(struct bn_ring_lane *lane) {
  return (_Atomic uint64_t *)(void *)(lane + 1);
}

static inline _Atomic uint64_t *bn_ring_lane_free(const struct bn_ring_geometry *geometry,
                                                  struct bn_ring_lane *lane) {
  return bn_ring_lane_filled(lane) + geometry->n_entries;
}

#endif
