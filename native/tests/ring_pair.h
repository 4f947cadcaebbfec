// SPDX-License-Identifier: Apache-2.0
//
// A ring with both of its sides in one process, for the C tests. The consumer's mapping lies
// between two inaccessible pages, so that a step beyond it ends the test.

#ifndef BN_TESTS_RING_PAIR_H
#define BN_TESTS_RING_PAIR_H

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "ring/producer.h"

struct ring_pair {
  uint32_t n_slots;
  uint32_t n_readers;
  int32_t ring_fd;
  int32_t data_eventfd;
  int32_t space_eventfds[BN_READERS_MAX];
  uint8_t *map; // the consumer's
  size_t map_bytes;
  struct bn_ring_consumer *consumer;
  struct bn_ring_producer *producer; // NULL until ring_pair_connect
  struct bn_lane lanes[BN_READERS_MAX];
};

static inline void ring_pair_open(struct ring_pair *pair, uint32_t n_slots, uint32_t n_readers) {
  struct bn_fault fault = {.err = BN_OK};
  *pair = (struct ring_pair){.n_slots = n_slots, .n_readers = n_readers};
  pair->ring_fd = bn_ring_memfd(n_slots, n_readers, &fault);
  CHECK(pair->ring_fd >= 0);
  pair->data_eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  for (uint32_t i = 0; i < n_readers; i++)
    pair->space_eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pair->map_bytes = bn_ring_bytes(n_slots, n_readers);
  uint8_t *reserved = mmap(NULL, pair->map_bytes + 2 * BN_RING_PAGE_BYTES, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(reserved != MAP_FAILED);
  pair->map = mmap(reserved + BN_RING_PAGE_BYTES, pair->map_bytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_FIXED, pair->ring_fd, 0);
  CHECK(pair->map != MAP_FAILED);
  CHECK(bn_ring_consumer_open(pair->map, pair->map_bytes, n_slots, n_readers, pair->space_eventfds,
                              1, &pair->consumer, &fault) == BN_OK);
}

// The producer's side: a mapping of its own, and a lane per reader.
static inline void ring_pair_connect(struct ring_pair *pair) {
  struct bn_fault fault = {.err = BN_OK};
  CHECK(bn_ring_producer_open(pair->ring_fd, pair->n_slots, pair->n_readers, pair->data_eventfd, 1,
                              &pair->producer, &fault) == BN_OK);
  for (uint32_t i = 0; i < pair->n_readers; i++)
    bn_ring_lane_open(pair->producer, i, pair->space_eventfds[i], &pair->lanes[i]);
}

static inline void ring_pair_disconnect(struct ring_pair *pair) {
  bn_ring_producer_close(pair->producer);
  pair->producer = NULL;
}

static inline void ring_pair_close(struct ring_pair *pair) {
  ring_pair_disconnect(pair);
  bn_ring_consumer_close(pair->consumer);
  munmap(pair->map - BN_RING_PAGE_BYTES, pair->map_bytes + 2 * BN_RING_PAGE_BYTES);
  close(pair->ring_fd);
  close(pair->data_eventfd);
  for (uint32_t i = 0; i < pair->n_readers; i++)
    close(pair->space_eventfds[i]);
}

static inline uint64_t *ring_pair_words(const struct ring_pair *pair, uint32_t slot) {
  return (uint64_t *)(void *)(pair->map + bn_ring_slot_offset(pair->consumer, slot));
}

#endif
