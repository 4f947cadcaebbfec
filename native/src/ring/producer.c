// SPDX-License-Identifier: Apache-2.0
//
// The producer's side of a ring, in the process that has the module. It takes the layout from its
// own arithmetic and only compares it with the header. It trusts the consumer, but takes no slot
// that is not its lane's: a write beyond the arena is worse than a source that stops.

#include "ring/producer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/memory.h"
#include "ring/wake.h"

struct bn_ring_producer {
  struct bn_ring_geometry geometry;
  uint8_t *map;
  struct bn_ring_header *header;
  int32_t data_eventfd;
  pthread_mutex_t report_lock;
  enum bn_err reported; // of the fault that stands in the header
};

static int header_fits(const struct bn_ring_header *header,
                       const struct bn_ring_geometry *geometry) {
  return header->magic == BN_RING_MAGIC && header->version == BN_RING_VERSION &&
         header->n_slots == geometry->n_slots && header->n_readers == geometry->n_readers &&
         header->slot_text_bytes == BN_SLOT_TEXT_BYTES && header->map_bytes == geometry->map_bytes;
}

static int file_fits(int32_t fd, const struct bn_ring_geometry *geometry) {
  struct stat stat;
  const int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(fd, &stat) == 0 &&
         stat.st_size == (off_t)geometry->map_bytes;
}

enum bn_err bn_ring_producer_open(int32_t ring_fd, uint32_t n_slots, uint32_t n_readers,
                                  int32_t data_eventfd, int32_t allow_unlocked,
                                  struct bn_ring_producer **out, struct bn_fault *fault) {
  struct bn_ring_geometry geometry;
  enum bn_err err = bn_ring_geometry(n_slots, n_readers, &geometry);
  if (err != BN_OK)
    return bn_fault_set(fault, err, 0, 0, "bn_ring_producer_open", "no ring has this many slots");
  if (!file_fits(ring_fd, &geometry)) {
    return bn_fault_set(fault, BN_ERR_RING, 0, 0, "bn_ring_producer_open",
                        "not a sealed memfd of the ring's size");
  }
  struct bn_ring_producer *ring = calloc(1, sizeof *ring);
  if (ring == NULL)
    return bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_ring_producer_open", NULL);
  uint8_t *map = mmap(NULL, geometry.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
  if (map == MAP_FAILED) {
    err = bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "mmap", NULL);
    goto err_free;
  }
  if (!header_fits((const struct bn_ring_header *)(const void *)map, &geometry)) {
    err = bn_fault_set(fault, BN_ERR_RING, 0, 0, "bn_ring_producer_open",
                       "the header is another ring's");
    goto err_unmap;
  }
  err = bn_memory_protect(map, geometry.map_bytes, allow_unlocked, fault);
  if (err != BN_OK)
    goto err_unmap;
  ring->geometry = geometry;
  ring->map = map;
  ring->header = (struct bn_ring_header *)(void *)map;
  ring->data_eventfd = data_eventfd;
  pthread_mutex_init(&ring->report_lock, NULL);
  *out = ring;
  return BN_OK;

err_unmap:
  munmap(map, geometry.map_bytes);
err_free:
  free(ring);
  return err;
}

void bn_ring_producer_close(struct bn_ring_producer *ring) {
  if (ring == NULL)
    return;
  pthread_mutex_destroy(&ring->report_lock);
  munmap(ring->map, ring->geometry.map_bytes);
  free(ring);
}

static void store_fault(struct bn_ring_header *header, const struct bn_fault *fault) {
  uint64_t words[BN_FAULT_WORDS];
  memcpy(words, fault, sizeof words);
  for (size_t i = 0; i < BN_FAULT_WORDS; i++)
    atomic_store_explicit(&header->fault[i], words[i], memory_order_relaxed);
}

void bn_ring_producer_report(struct bn_ring_producer *ring, uint32_t phase,
                             const struct bn_fault *fault) {
  struct bn_ring_header *header = ring->header;
  pthread_mutex_lock(&ring->report_lock);
  const int stopped =
      atomic_load_explicit(&header->phase, memory_order_relaxed) == BN_PHASE_STOPPED;
  const enum bn_err err = fault == NULL ? BN_OK : (enum bn_err)fault->err;
  if (!stopped || (phase == BN_PHASE_STOPPED && ring->reported == BN_OK && err != BN_OK)) {
    if (phase == BN_PHASE_STOPPED && fault != NULL) {
      store_fault(header, fault);
      ring->reported = err;
    }
    const uint32_t phases = atomic_load_explicit(&header->phases, memory_order_relaxed);
    atomic_store_explicit(&header->phases, phases + 1, memory_order_relaxed);
    // Pairs with the acquire in bn_ring_observe.
    atomic_store_explicit(&header->phase, phase, memory_order_release);
  }
  pthread_mutex_unlock(&ring->report_lock);
}

// ---- a reader's lane ----------------------------------------------------------------------------

void bn_ring_lane_open(struct bn_ring_producer *ring, uint32_t reader, int32_t space_eventfd,
                       struct bn_lane *out) {
  struct bn_ring_lane *shared = bn_ring_lane_at(&ring->geometry, ring->map, reader);
  *out = (struct bn_lane){
      .counters = shared,
      .ring = ring,
      .filled = bn_ring_lane_filled(shared),
      .free = bn_ring_lane_free(&ring->geometry, shared),
      .entry_mask = ring->geometry.n_entries - 1,
      .space_eventfd = space_eventfd,
  };
  out->n_slots = bn_ring_lane_slots(&ring->geometry, reader, &out->first_slot);
}

uint32_t bn_ring_lane_available(const struct bn_lane *lane) {
  // Pairs with the store in bn_ring_release.
  const uint64_t head = atomic_load_explicit(&lane->counters->free_head, memory_order_acquire);
  return (uint32_t)(head - lane->free_tail);
}

char *bn_ring_lane_take(struct bn_lane *lane, uint32_t *slot) {
  if (bn_ring_lane_available(lane) == 0)
    return NULL;
  // Ordered by the load of the head, which pairs with the store in bn_ring_release.
  const uint64_t entry =
      atomic_load_explicit(&lane->free[lane->free_tail & lane->entry_mask], memory_order_relaxed);
  if (entry < lane->first_slot || entry - lane->first_slot >= lane->n_slots)
    return NULL; // for good: the tail stays where it is
  lane->free_tail++;
  *slot = (uint32_t)entry;
  return (char *)lane->ring->map + lane->ring->geometry.arena_offset +
         (size_t)entry * BN_SLOT_TEXT_BYTES;
}

void bn_ring_lane_put(struct bn_lane *lane, uint32_t slot, uint32_t text_bytes) {
  // Published by the store to filled_head.
  atomic_store_explicit(&lane->filled[lane->filled_head & lane->entry_mask],
                        bn_ring_entry_pack(slot, text_bytes), memory_order_relaxed);
  lane->filled_head++;
  bn_counter_add(&lane->counters->published_bytes, text_bytes / 4 * 3);
}

void bn_ring_lane_hand_over(struct bn_lane *lane) {
  // As a release, pairs with the acquire in pop_lane: texts and entries are there before the head.
  // Sequentially consistent for the wake-up: pairs with the look in bn_ring_arm.
  atomic_store_explicit(&lane->counters->filled_head, lane->filled_head, memory_order_seq_cst);
  bn_wake_give(&lane->ring->header->data_waiting, lane->ring->data_eventfd);
}

void bn_ring_lane_publish(struct bn_lane *lane, uint32_t slot, uint32_t text_bytes) {
  bn_ring_lane_put(lane, slot, text_bytes);
  bn_ring_lane_hand_over(lane);
}

void bn_ring_lane_wait(struct bn_lane *lane, int32_t stop_fd, int timeout_ms) {
  bn_wake_ask(&lane->counters->space_waiting);
  // Pairs with the store in bn_ring_release.
  if (atomic_load_explicit(&lane->counters->free_head, memory_order_seq_cst) != lane->free_tail) {
    bn_wake_withdraw(&lane->counters->space_waiting);
    return;
  }
  struct pollfd fds[2] = {{.fd = lane->space_eventfd, .events = POLLIN},
                          {.fd = stop_fd, .events = POLLIN}};
  if (poll(fds, 2, timeout_ms) > 0 && (fds[0].revents & POLLIN) != 0) {
    uint64_t count;
    const ssize_t got = read(lane->space_eventfd, &count, sizeof count);
    (void)got; // EAGAIN when there was nothing: the look at the head decides
  }
  bn_wake_withdraw(&lane->counters->space_waiting);
}
