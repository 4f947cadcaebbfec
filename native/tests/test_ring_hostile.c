// SPDX-License-Identifier: Apache-2.0
//
// A ring whose producer keeps no rule. Whatever it writes, the consumer stays within the mapping
// (guard pages end the test otherwise), hands out no slot twice, and works again after a restart.

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "ring_pair.h"

#define N_SLOTS 11
#define N_READERS 3 // lanes of 4, 4 and 3 slots

static struct bn_ring_lane *shared_lane(const struct ring_pair *pair, uint32_t reader) {
  struct bn_ring_geometry geometry;
  CHECK(bn_ring_geometry(pair->n_slots, pair->n_readers, &geometry) == BN_OK);
  return bn_ring_lane_at(&geometry, pair->map, reader);
}

// Publishes this in lane 0, whatever it is.
static void publish_raw(struct ring_pair *pair, uint64_t entry) {
  struct bn_ring_lane *lane = shared_lane(pair, 0);
  const uint64_t head = atomic_load(&lane->filled_head);
  atomic_store(&bn_ring_lane_filled(lane)[head % 4], entry);
  atomic_store(&lane->filled_head, head + 1);
}

static uint64_t refused(const struct ring_pair *pair) {
  struct bn_ring_view view;
  bn_ring_observe(pair->consumer, &view);
  return view.refused_entries;
}

static uint32_t pop_one(struct ring_pair *pair, struct bn_ring_entry *entry) {
  return bn_ring_pop_burst(pair->consumer, entry, 1);
}

static void test_entries_out_of_bounds_are_refused(void) {
  static const struct bn_ring_entry wrong[] = {
      {0, 0},
      {0, 1},
      {0, 2},
      {0, 5},
      {0, 16383},
      {0, 16388},
      {0, UINT32_MAX},
      {0, UINT32_MAX - 3},
      {4, 16384}, // another lane's
      {10, 16384},
      {11, 16384}, // nobody's
      {UINT32_MAX, 16384},
      {UINT32_MAX - 10, 4},
  };
  struct ring_pair pair;
  struct bn_ring_entry entry;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    publish_raw(&pair, bn_ring_entry_pack(wrong[i].slot, wrong[i].text_bytes));
    CHECK(bn_ring_arm(pair.consumer) == 1);
    CHECK(pop_one(&pair, &entry) == 0);
    CHECK(refused(&pair) == i + 1);
    CHECK(bn_ring_arm(pair.consumer) == 0);
  }
  publish_raw(&pair, bn_ring_entry_pack(3, 4)); // and one that is right
  CHECK(pop_one(&pair, &entry) == 1 && entry.slot == 3 && entry.text_bytes == 4);
  ring_pair_close(&pair);
}

static void test_a_held_slot_is_not_handed_out_again(void) {
  struct ring_pair pair;
  struct bn_ring_entry entry;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  publish_raw(&pair, bn_ring_entry_pack(2, 16384));
  publish_raw(&pair, bn_ring_entry_pack(2, 16384));
  publish_raw(&pair, bn_ring_entry_pack(2, 8));
  CHECK(pop_one(&pair, &entry) == 1 && entry.slot == 2);
  CHECK(pop_one(&pair, &entry) == 0 && refused(&pair) == 2);
  CHECK(bn_ring_release(pair.consumer, 2) == BN_OK);
  CHECK(bn_ring_release(pair.consumer, 2) == BN_ERR_ARGUMENT);
  ring_pair_close(&pair);
}

static void test_a_head_out_of_reach_drops_what_is_there(void) {
  static const uint64_t ahead[] = {5, 6, 1000, UINT64_C(1) << 32, UINT64_MAX / 2};
  struct ring_pair pair;
  struct bn_ring_entry entries[N_SLOTS];
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  _Atomic uint64_t *head = &shared_lane(&pair, 0)->filled_head;
  for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
    atomic_fetch_add(head, ahead[i]);
    CHECK(bn_ring_pop_burst(pair.consumer, entries, N_SLOTS) == 0);
    CHECK(refused(&pair) == 2 * i + 1);
    atomic_fetch_sub(head, 1); // behind what was taken
    CHECK(bn_ring_pop_burst(pair.consumer, entries, N_SLOTS) == 0);
    CHECK(refused(&pair) == 2 * i + 2);
  }
  publish_raw(&pair, bn_ring_entry_pack(1, 16384));
  CHECK(bn_ring_pop_burst(pair.consumer, entries, N_SLOTS) == 1);
  ring_pair_close(&pair);
}

// ---- anything anywhere --------------------------------------------------------------------------

struct holdings {
  uint8_t held[N_SLOTS];
};

static void pop_some(struct ring_pair *pair, struct holdings *holdings) {
  struct bn_ring_entry entries[N_SLOTS];
  const uint32_t n = bn_ring_pop_burst(pair->consumer, entries, N_SLOTS);
  CHECK(n <= N_SLOTS);
  for (uint32_t i = 0; i < n; i++) {
    CHECK(entries[i].slot < N_SLOTS && !holdings->held[entries[i].slot]);
    CHECK(entries[i].text_bytes > 0 && entries[i].text_bytes <= BN_SLOT_TEXT_BYTES);
    CHECK(entries[i].text_bytes % 4 == 0);
    holdings->held[entries[i].slot] = 1;
  }
}

static void use_ring(struct ring_pair *pair, struct holdings *holdings, uint64_t *seed) {
  pop_some(pair, holdings);
  const uint32_t slot = (uint32_t)(check_random(seed) % (N_SLOTS + 2));
  const int is_held = slot < N_SLOTS && holdings->held[slot];
  CHECK((bn_ring_release(pair->consumer, slot) == BN_OK) == is_held);
  if (is_held)
    holdings->held[slot] = 0;
  (void)!bn_ring_arm(pair->consumer);
  struct bn_ring_view view;
  bn_ring_observe(pair->consumer, &view);
  CHECK(view.phase <= BN_PHASE_STOPPED && view.n_readers == N_READERS);
  CHECK(view.fault.err >= BN_OK && view.fault.err <= BN_ERR_STOPPED);
  CHECK(memchr(view.fault.where, 0, sizeof view.fault.where) != NULL);
  CHECK(memchr(view.fault.text, 0, sizeof view.fault.text) != NULL);
  for (const char *c = view.fault.text; *c != '\0'; c++)
    CHECK(*c >= ' ' && *c <= '~');
}

// Half of the words are any number, the others look like something that the ring would hold.
static uint64_t garbage(uint64_t *seed) {
  const uint64_t value = check_random(seed);
  switch (value % 4) {
  case 0:
    return bn_ring_entry_pack((uint32_t)(value >> 8) % (N_SLOTS + 1),
                              (uint32_t)(value >> 24) % (BN_SLOT_TEXT_BYTES + 8));
  case 1:
    return (value >> 8) % 16;
  default:
    return value;
  }
}

static void scribble(struct ring_pair *pair, uint64_t *seed, uint32_t one_in) {
  struct bn_ring_geometry geometry;
  CHECK(bn_ring_geometry(N_SLOTS, N_READERS, &geometry) == BN_OK);
  _Atomic uint64_t *words = (_Atomic uint64_t *)(void *)pair->map;
  for (size_t i = 0; i < geometry.arena_offset / sizeof *words; i++)
    if (check_random(seed) % one_in == 0)
      atomic_store_explicit(&words[i], garbage(seed), memory_order_relaxed);
}

static void check_works_again(struct ring_pair *pair, struct holdings *holdings) {
  pop_some(pair, holdings);
  bn_ring_restart(pair->consumer);
  ring_pair_connect(pair);
  for (uint32_t slot = 0; slot < N_SLOTS; slot++)
    if (holdings->held[slot])
      CHECK(bn_ring_release(pair->consumer, slot) == BN_OK);
  memset(holdings, 0, sizeof *holdings);
  for (uint32_t reader = 0; reader < N_READERS; reader++) {
    uint32_t slot;
    while (bn_ring_lane_take(&pair->lanes[reader], &slot) != NULL)
      bn_ring_lane_publish(&pair->lanes[reader], slot, BN_SLOT_TEXT_BYTES);
  }
  pop_some(pair, holdings);
  for (uint32_t slot = 0; slot < N_SLOTS; slot++)
    CHECK(holdings->held[slot]);
  CHECK(refused(pair) == 0);
  for (uint32_t slot = 0; slot < N_SLOTS; slot++)
    CHECK(bn_ring_release(pair->consumer, slot) == BN_OK);
  memset(holdings, 0, sizeof *holdings);
  ring_pair_disconnect(pair);
}

static void test_garbage_everywhere(void) {
  struct ring_pair pair;
  struct holdings holdings = {{0}};
  uint64_t seed = 7;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  for (int life = 0; life < 300; life++) {
    for (int i = 0; i < 20; i++) {
      scribble(&pair, &seed, 1 + (uint32_t)life % 40);
      use_ring(&pair, &holdings, &seed);
    }
    check_works_again(&pair, &holdings);
  }
  ring_pair_close(&pair);
}

static atomic_int scribbling;

static void *scribble_on(void *arg) {
  uint64_t seed = 99;
  while (atomic_load(&scribbling))
    scribble(arg, &seed, 16);
  return NULL;
}

static void test_garbage_while_it_is_read(void) {
  struct ring_pair pair;
  struct holdings holdings = {{0}};
  pthread_t thread;
  uint64_t seed = 3;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  atomic_store(&scribbling, 1);
  CHECK(pthread_create(&thread, NULL, scribble_on, &pair) == 0);
  for (int i = 0; i < 100000; i++)
    use_ring(&pair, &holdings, &seed);
  atomic_store(&scribbling, 0);
  pthread_join(thread, NULL);
  check_works_again(&pair, &holdings);
  ring_pair_close(&pair);
}

// ---- the file itself ----------------------------------------------------------------------------

static void test_the_file_keeps_its_size(void) {
  struct ring_pair pair;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  CHECK(ftruncate(pair.ring_fd, 0) < 0 && errno == EPERM);
  CHECK(ftruncate(pair.ring_fd, (off_t)pair.map_bytes * 2) < 0 && errno == EPERM);
  CHECK(fcntl(pair.ring_fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
  CHECK(fallocate(pair.ring_fd, 0, (off_t)pair.map_bytes, 4096) < 0 && errno == EPERM);
  ring_pair_close(&pair);
}

static enum bn_err connect_as(int32_t fd, uint32_t n_slots, uint32_t n_readers) {
  struct bn_ring_producer *producer = NULL;
  struct bn_fault fault = {.err = BN_OK};
  const enum bn_err err = bn_ring_producer_open(fd, n_slots, n_readers, -1, 1, &producer, &fault);
  CHECK(fault.err == (int32_t)err);
  bn_ring_producer_close(producer);
  return err;
}

static void test_a_producer_takes_only_its_ring(void) {
  struct ring_pair pair;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  CHECK(connect_as(pair.ring_fd, N_SLOTS, N_READERS) == BN_OK);
  CHECK(connect_as(pair.ring_fd, N_SLOTS, N_READERS - 1) == BN_ERR_RING);
  CHECK(connect_as(pair.ring_fd, N_SLOTS - 1, N_READERS) == BN_ERR_RING);
  CHECK(connect_as(pair.data_eventfd, N_SLOTS, N_READERS) == BN_ERR_RING);
  CHECK(connect_as(-1, N_SLOTS, N_READERS) == BN_ERR_RING);
  CHECK(connect_as(pair.ring_fd, 0, N_READERS) == BN_ERR_ARGUMENT);

  const int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(ftruncate(unsealed, (off_t)pair.map_bytes) == 0);
  CHECK(write(unsealed, pair.map, BN_RING_PAGE_BYTES) == BN_RING_PAGE_BYTES);
  CHECK(connect_as(unsealed, N_SLOTS, N_READERS) == BN_ERR_RING);
  CHECK(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
  CHECK(connect_as(unsealed, N_SLOTS, N_READERS) == BN_OK);
  close(unsealed);

  ((struct bn_ring_header *)(void *)pair.map)->version++;
  CHECK(connect_as(pair.ring_fd, N_SLOTS, N_READERS) == BN_ERR_RING);
  ring_pair_close(&pair);
}

static void test_a_slot_that_is_not_its_own_is_not_taken(void) {
  struct ring_pair pair;
  uint32_t slot;
  struct bn_ring_geometry geometry;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  ring_pair_connect(&pair);
  CHECK(bn_ring_geometry(N_SLOTS, N_READERS, &geometry) == BN_OK);
  _Atomic uint64_t *free_entries = bn_ring_lane_free(&geometry, shared_lane(&pair, 0));
  atomic_store(&free_entries[1], 4);
  CHECK(bn_ring_lane_take(&pair.lanes[0], &slot) != NULL && slot == 0);
  CHECK(bn_ring_lane_take(&pair.lanes[0], &slot) == NULL);
  CHECK(bn_ring_lane_take(&pair.lanes[0], &slot) == NULL);
  ring_pair_close(&pair);
}

int main(void) {
  test_entries_out_of_bounds_are_refused();
  test_a_held_slot_is_not_handed_out_again();
  test_a_head_out_of_reach_drops_what_is_there();
  test_garbage_everywhere();
  test_garbage_while_it_is_read();
  test_the_file_keeps_its_size();
  test_a_producer_takes_only_its_ring();
  test_a_slot_that_is_not_its_own_is_not_taken();
  return 0;
}
