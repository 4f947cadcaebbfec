// SPDX-License-Identifier: Apache-2.0
//
// A ring between two sides that keep the rules: order, wrap-around, release in any order, restart,
// and wake-ups that are never lost, between threads and between processes.

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#include "ring_pair.h"

#define WORDS (BN_SLOT_TEXT_BYTES / sizeof(uint64_t))
#define DEADLINE_MS 20000 // a sleep this long is a lost wake-up

#ifdef __SANITIZE_THREAD__ // fifty times as slow
#define MANY(n) ((n) / 16)
#else
#define MANY(n) (n)
#endif

static void test_every_layout_parts_the_slots(void) {
  for (uint32_t n_readers = 1; n_readers <= BN_READERS_MAX; n_readers++) {
    for (uint32_t n_slots = n_readers; n_slots < 3 * n_readers + 5; n_slots++) {
      struct bn_ring_geometry geometry;
      CHECK(bn_ring_geometry(n_slots, n_readers, &geometry) == BN_OK);
      CHECK(geometry.map_bytes % BN_RING_PAGE_BYTES == 0);
      CHECK(geometry.arena_offset >= BN_RING_PAGE_BYTES + n_readers * geometry.lane_bytes);
      CHECK(geometry.lane_bytes >=
            sizeof(struct bn_ring_lane) + 2 * geometry.n_entries * sizeof(uint64_t));
      CHECK((geometry.n_entries & (geometry.n_entries - 1)) == 0);
      uint32_t next = 0;
      for (uint32_t reader = 0; reader < n_readers; reader++) {
        uint32_t first;
        const uint32_t n = bn_ring_lane_slots(&geometry, reader, &first);
        CHECK(first == next && n >= 1 && n <= geometry.n_entries);
        next += n;
      }
      CHECK(next == n_slots);
    }
  }
  struct bn_ring_geometry geometry;
  CHECK(bn_ring_geometry(0, 1, &geometry) == BN_ERR_ARGUMENT);
  CHECK(bn_ring_geometry(1, 0, &geometry) == BN_ERR_ARGUMENT);
  CHECK(bn_ring_geometry(1, 2, &geometry) == BN_ERR_ARGUMENT);
  CHECK(bn_ring_geometry(BN_SLOTS_MAX + 1, 1, &geometry) == BN_ERR_ARGUMENT);
  CHECK(bn_ring_geometry(BN_SLOTS_MAX, BN_READERS_MAX + 1, &geometry) == BN_ERR_ARGUMENT);
  CHECK(bn_ring_bytes(1, 2) == 0);
}

// Publishes one slot that is full of `stamp`; 0 when none is free. What it gets must be wiped.
static int publish_stamp(struct bn_lane *lane, uint64_t stamp) {
  uint32_t slot;
  uint64_t *words = (uint64_t *)(void *)bn_ring_lane_take(lane, &slot);
  if (words == NULL)
    return 0;
  for (size_t i = 0; i < WORDS; i++) {
    CHECK(words[i] == 0);
    words[i] = stamp;
  }
  bn_ring_lane_publish(lane, slot, BN_SLOT_TEXT_BYTES);
  return 1;
}

static void check_stamp(const struct ring_pair *pair, uint32_t slot, uint64_t stamp) {
  const uint64_t *words = ring_pair_words(pair, slot);
  for (size_t i = 0; i < WORDS; i++)
    CHECK(words[i] == stamp);
}

static void test_order_and_wrap_around(void) {
  struct ring_pair pair;
  ring_pair_open(&pair, 7, 2); // lanes of 4 and 3 slots
  ring_pair_connect(&pair);
  uint64_t published = 0;
  uint64_t popped = 0;
  for (int round = 0; round < 2000; round++) {
    for (int i = 0; i <= round % 4 && publish_stamp(&pair.lanes[1], published + 1); i++)
      published++;
    struct bn_ring_entry entries[8];
    const uint32_t n = bn_ring_pop_burst(pair.consumer, entries, 8);
    for (uint32_t i = 0; i < n; i++) {
      CHECK(entries[i].text_bytes == BN_SLOT_TEXT_BYTES);
      check_stamp(&pair, entries[i].slot, ++popped);
      CHECK(bn_ring_release(pair.consumer, entries[i].slot) == BN_OK);
      CHECK(bn_ring_release(pair.consumer, entries[i].slot) == BN_ERR_ARGUMENT);
    }
  }
  CHECK(popped == published && popped > 3000);
  CHECK(bn_ring_lane_available(&pair.lanes[0]) == 4);
  CHECK(bn_ring_lane_available(&pair.lanes[1]) == 3);
  struct bn_ring_view view;
  bn_ring_observe(pair.consumer, &view);
  CHECK(view.popped_bytes == popped * BN_SLOT_RAW_BYTES);
  CHECK(view.published_bytes == view.popped_bytes && view.refused_entries == 0);
  ring_pair_close(&pair);
}

static void test_a_full_lane_gives_no_slot(void) {
  struct ring_pair pair;
  ring_pair_open(&pair, 5, 2);
  ring_pair_connect(&pair);
  for (int i = 0; i < 3; i++)
    CHECK(publish_stamp(&pair.lanes[0], 1));
  CHECK(!publish_stamp(&pair.lanes[0], 1));
  CHECK(publish_stamp(&pair.lanes[1], 2)); // another lane's slots are its own
  struct bn_ring_entry entries[2];
  CHECK(bn_ring_pop_burst(pair.consumer, entries, 2) == 2);
  CHECK(!publish_stamp(&pair.lanes[0], 1)); // popped is not released
  CHECK(bn_ring_release(pair.consumer, 5) == BN_ERR_ARGUMENT);
  ring_pair_close(&pair);
}

static void test_several_are_released_at_once(void) {
  struct ring_pair pair;
  ring_pair_open(&pair, 6, 2);
  ring_pair_connect(&pair);
  for (int i = 0; i < 6; i++)
    CHECK(publish_stamp(&pair.lanes[i % 2], 1));
  struct bn_ring_entry entries[6];
  CHECK(bn_ring_pop_burst(pair.consumer, entries, 6) == 6);
  const uint32_t held[] = {4, 0, 3}, partly[] = {1, 3, 5};
  CHECK(bn_ring_release_burst(pair.consumer, held, 3) == BN_OK);
  CHECK(bn_ring_lane_available(&pair.lanes[0]) == 1);
  CHECK(bn_ring_lane_available(&pair.lanes[1]) == 2);
  CHECK(bn_ring_release_burst(pair.consumer, partly, 3) == BN_ERR_ARGUMENT); // 3 is free already
  CHECK(bn_ring_lane_available(&pair.lanes[0]) == 2);
  CHECK(bn_ring_lane_available(&pair.lanes[1]) == 2);
  CHECK(bn_ring_release(pair.consumer, 5) == BN_OK);
  CHECK(bn_ring_release_burst(pair.consumer, NULL, 0) == BN_OK);
  ring_pair_close(&pair);
}

static void test_arming_sees_what_is_there(void) {
  struct ring_pair pair;
  struct bn_ring_entry entry;
  uint64_t count;
  ring_pair_open(&pair, 2, 1);
  ring_pair_connect(&pair);
  CHECK(bn_ring_arm(pair.consumer) == 0);
  CHECK(publish_stamp(&pair.lanes[0], 1));
  CHECK(read(pair.data_eventfd, &count, sizeof count) == sizeof count);
  CHECK(bn_ring_arm(pair.consumer) == 1);
  CHECK(publish_stamp(&pair.lanes[0], 2)); // nobody waits: no system call
  CHECK(read(pair.data_eventfd, &count, sizeof count) < 0);
  CHECK(bn_ring_pop_burst(pair.consumer, &entry, 1) == 1);
  CHECK(bn_ring_arm(pair.consumer) == 1);
  CHECK(bn_ring_pop_burst(pair.consumer, &entry, 1) == 1);
  CHECK(bn_ring_arm(pair.consumer) == 0);
  ring_pair_close(&pair);
}

static void test_restart(void) {
  struct ring_pair pair;
  struct bn_ring_entry entries[8];
  struct bn_ring_view view;
  ring_pair_open(&pair, 6, 2);
  ring_pair_connect(&pair);
  for (uint64_t i = 0; i < 3; i++)
    CHECK(publish_stamp(&pair.lanes[0], 100 + i) && publish_stamp(&pair.lanes[1], 200 + i));
  CHECK(bn_ring_pop_burst(pair.consumer, entries, 4) == 4); // lane 0's three, and one of lane 1
  const struct bn_fault fault = {.err = BN_ERR_CKR, .ckr = 0x30, .where = "C_GenerateRandom"};
  bn_ring_producer_report(pair.producer, BN_PHASE_STOPPED, &fault);
  CHECK(bn_ring_arm(pair.consumer) == 1);
  ring_pair_disconnect(&pair);

  bn_ring_restart(pair.consumer);
  bn_ring_observe(pair.consumer, &view);
  CHECK(view.generation == 2 && view.phase == BN_PHASE_EMPTY && view.popped_bytes == 0);
  CHECK(view.fault.err == BN_OK);
  CHECK(bn_ring_arm(pair.consumer) == 0);
  for (uint32_t i = 0; i < 4; i++)
    check_stamp(&pair, entries[i].slot, ring_pair_words(&pair, entries[i].slot)[0]);
  check_stamp(&pair, 4, 0); // published, never popped: gone
  check_stamp(&pair, 5, 0);

  ring_pair_connect(&pair);
  CHECK(bn_ring_lane_available(&pair.lanes[0]) == 0);
  CHECK(bn_ring_lane_available(&pair.lanes[1]) == 2);
  for (uint32_t i = 0; i < 4; i++)
    CHECK(bn_ring_release(pair.consumer, entries[i].slot) == BN_OK);
  for (uint64_t i = 0; i < 3; i++)
    CHECK(publish_stamp(&pair.lanes[0], 300 + i) && publish_stamp(&pair.lanes[1], 400 + i));
  CHECK(bn_ring_pop_burst(pair.consumer, entries, 8) == 6);
  ring_pair_close(&pair);
}

static void test_the_first_fault_stays(void) {
  struct ring_pair pair;
  struct bn_ring_view view;
  ring_pair_open(&pair, 2, 1);
  ring_pair_connect(&pair);
  const struct bn_fault first = {.err = BN_ERR_CKR, .ckr = 0xA0, .where = "C_Login", .text = "1"};
  const struct bn_fault second = {.err = BN_ERR_SYSTEM, .sys_errno = 5, .where = "read"};
  bn_ring_producer_report(pair.producer, BN_PHASE_LOGIN, NULL);
  bn_ring_observe(pair.consumer, &view);
  CHECK(view.phase == BN_PHASE_LOGIN && view.phases == 1 && view.fault.err == BN_OK);
  bn_ring_producer_report(pair.producer, BN_PHASE_STOPPED, NULL);
  bn_ring_producer_report(pair.producer, BN_PHASE_STOPPED, &first);
  bn_ring_producer_report(pair.producer, BN_PHASE_STOPPED, &second);
  bn_ring_producer_report(pair.producer, BN_PHASE_RUNNING, NULL);
  bn_ring_observe(pair.consumer, &view);
  CHECK(view.phase == BN_PHASE_STOPPED && view.phases == 3);
  CHECK(view.fault.err == BN_ERR_CKR && view.fault.ckr == 0xA0);
  CHECK(strcmp(view.fault.where, "C_Login") == 0 && strcmp(view.fault.text, "1") == 0);
  ring_pair_close(&pair);
}

// ---- two sides at once --------------------------------------------------------------------------

struct producing {
  struct bn_lane *lane;
  uint64_t n;
};

static void *produce(void *arg) {
  const struct producing *producing = arg;
  for (uint64_t stamp = 1; stamp <= producing->n;)
    if (publish_stamp(producing->lane, stamp))
      stamp++;
    else
      bn_ring_lane_wait(producing->lane, -1, DEADLINE_MS);
  return NULL;
}

static void sleep_for_data(struct ring_pair *pair) {
  struct pollfd fd = {.fd = pair->data_eventfd, .events = POLLIN};
  uint64_t count;
  if (bn_ring_arm(pair->consumer))
    return;
  CHECK(poll(&fd, 1, DEADLINE_MS) == 1);
  CHECK(read(pair->data_eventfd, &count, sizeof count) == sizeof count);
}

// Takes `n` slots per lane, holds some of them for a while and releases them in a random order.
// Each slot must keep its content for as long as it is held.
static void consume(struct ring_pair *pair, uint64_t n, uint32_t hold) {
  struct held {
    uint32_t slot;
    uint64_t stamp;
  } held[64];
  uint32_t n_held = 0;
  uint64_t last[BN_READERS_MAX] = {0};
  uint64_t seed = 42;
  uint64_t taken = 0;
  while (taken < n * pair->n_readers) {
    struct bn_ring_entry entries[3];
    const uint32_t n_popped = bn_ring_pop_burst(pair->consumer, entries, 3);
    for (uint32_t i = 0; i < n_popped; i++) {
      const uint32_t slot = entries[i].slot;
      const uint32_t reader = slot / (pair->n_slots / pair->n_readers);
      const uint64_t stamp = ring_pair_words(pair, slot)[0];
      CHECK(stamp == last[reader] + 1);
      last[reader] = stamp;
      held[n_held++] = (struct held){.slot = slot, .stamp = stamp};
    }
    taken += n_popped;
    while (n_held > hold || (n_popped == 0 && n_held > 0)) {
      const uint32_t i = (uint32_t)(check_random(&seed) % n_held);
      check_stamp(pair, held[i].slot, held[i].stamp);
      CHECK(bn_ring_release(pair->consumer, held[i].slot) == BN_OK);
      held[i] = held[--n_held];
    }
    if (n_popped == 0 && taken < n * pair->n_readers)
      sleep_for_data(pair);
  }
}

static void run_threads(uint32_t n_slots, uint32_t n_readers, uint32_t hold, uint64_t n) {
  struct ring_pair pair;
  struct producing producing[BN_READERS_MAX];
  pthread_t threads[BN_READERS_MAX];
  ring_pair_open(&pair, n_slots, n_readers);
  ring_pair_connect(&pair);
  for (uint32_t i = 0; i < n_readers; i++) {
    producing[i] = (struct producing){.lane = &pair.lanes[i], .n = n};
    CHECK(pthread_create(&threads[i], NULL, produce, &producing[i]) == 0);
  }
  consume(&pair, n, hold);
  for (uint32_t i = 0; i < n_readers; i++)
    pthread_join(threads[i], NULL);
  struct bn_ring_view view;
  bn_ring_observe(pair.consumer, &view);
  CHECK(view.refused_entries == 0 && view.popped_bytes == n * n_readers * BN_SLOT_RAW_BYTES);
  ring_pair_close(&pair);
}

// The other side maps the memfd by itself, as a source does.
static void run_processes(uint64_t n) {
  struct ring_pair pair;
  ring_pair_open(&pair, 4, 1);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    ring_pair_connect(&pair); // the consumer's mapping did not come along: MADV_DONTFORK
    struct producing producing = {.lane = &pair.lanes[0], .n = n};
    (void)produce(&producing);
    _exit(0);
  }
  consume(&pair, n, 2);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  ring_pair_close(&pair);
}

int main(int argc, char **argv) {
  if (argc > 1) { // so many GB between two processes, every byte of them checked
    run_processes(strtoull(argv[1], NULL, 10) * 1000000000 / BN_SLOT_TEXT_BYTES + 1);
    return 0;
  }
  test_every_layout_parts_the_slots();
  test_order_and_wrap_around();
  test_a_full_lane_gives_no_slot();
  test_several_are_released_at_once();
  test_arming_sees_what_is_there();
  test_restart();
  test_the_first_fault_stays();
  run_threads(1, 1, 0, MANY(20000));  // each side sleeps for each slot: every wake-up counts
  run_threads(2, 2, 0, MANY(20000));  // and on several lanes
  run_threads(16, 1, 9, MANY(40000)); // out of order
  run_threads(12, 3, 7, MANY(20000));
  run_processes(MANY(150000));
  return 0;
}
