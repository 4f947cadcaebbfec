// SPDX-License-Identifier: Apache-2.0
//
// All of the native path in counting mode: a source process over the test token, and a consumer in
// this one that decodes every byte and knows each block's counter. Nothing altered, nothing twice,
// nothing missing in between; slots are held and released out of order. Usage: test_two_processes
// [GIGABYTES]

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "ring_pair.h"

#define N_SLOTS 48
#define N_READERS 2
#define HELD_MAX 9
#define DEADLINE_MS 20000
#define BLOCK_BYTES 16
#define SLACK_BLOCKS                                                                               \
  1000000 // that the token makes and nobody gets: start-up, and what is on its way

// ---- the source's process -----------------------------------------------------------------------

// Runs until the other end of `lifeline` is closed.
static void be_source(struct ring_pair *pair, int lifeline) {
  struct bn_source *source = NULL;
  struct bn_fault fault = {.err = BN_OK};
  struct bn_source_config config = {
      .ring_fd = pair->ring_fd,
      .n_slots = N_SLOTS,
      .n_readers = N_READERS,
      .data_eventfd = pair->data_eventfd,
      .publish_after_ms = 200,
      .allow_unlocked = 1,
  };
  memcpy(config.space_eventfds, pair->space_eventfds, sizeof config.space_eventfds);
  CHECK(bn_source_open(&config, &source, &fault) == BN_OK);
  CHECK(bn_source_load(source, BN_TESTTOKEN, NULL, &fault) == BN_OK);
  CHECK(bn_source_start(source, 0, &fault) == BN_OK);
  char byte;
  CHECK(read(lifeline, &byte, 1) == 0);
  CHECK(bn_source_wait(source, 0, &fault) == BN_OK);
  CHECK(bn_source_close(source, DEADLINE_MS) == BN_OK);
  _exit(0);
}

// ---- the token's permutation, undone (tokens/testtoken.c) ---------------------------------------

static uint64_t mix(uint64_t value, uint64_t key) {
  value += key;
  value = (value ^ value >> 32) * UINT64_C(0xD6E8FEB86659FD93);
  value = (value ^ value >> 29) * UINT64_C(0xA0761D6478BD642F);
  return value ^ value >> 32;
}

static uint64_t counter_of(const uint8_t *block) {
  uint64_t left, right;
  memcpy(&left, block, sizeof left);
  memcpy(&right, block + sizeof left, sizeof right);
  right ^= mix(left, UINT64_C(0x165667B19E3779F9));
  const uint64_t counter = left ^ mix(right, UINT64_C(0xC2B2AE3D27D4EB4F));
  // Any other sixteen bytes get here once in 2^64.
  CHECK((right ^ mix(counter, UINT64_C(0x9E3779B97F4A7C15))) == UINT64_C(0x656E74726F707921));
  return counter;
}

// ---- the consumer -------------------------------------------------------------------------------

static uint8_t values[256]; // of the Base64 characters; 0xFF: none

static void make_values(void) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  memset(values, 0xFF, sizeof values);
  for (uint8_t i = 0; i < 64; i++)
    values[(uint8_t)alphabet[i]] = i;
}

// What a reader publishes is one stream, of whole blocks.
struct stream {
  uint8_t raw[BLOCK_BYTES + BN_SLOT_RAW_BYTES]; // the start of a block, and what a slot adds
  size_t n_bytes;
};

struct consumer {
  struct ring_pair *pair;
  struct stream streams[N_READERS];
  uint8_t *seen; // a bit for each counter
  uint64_t counters_max;
  uint64_t n_blocks;
  struct bn_ring_entry held[HELD_MAX + 1];
  uint32_t n_held;
  uint64_t seed;
};

static void decode(const uint8_t *text, uint32_t text_bytes, uint8_t *raw) {
  uint8_t foreign = 0;
  for (uint32_t i = 0; i < text_bytes; i += 4, raw += 3) {
    const uint8_t a = values[text[i]], b = values[text[i + 1]];
    const uint8_t c = values[text[i + 2]], d = values[text[i + 3]];
    foreign |= a | b | c | d;
    raw[0] = (uint8_t)(a << 2 | b >> 4);
    raw[1] = (uint8_t)(b << 4 | c >> 2);
    raw[2] = (uint8_t)(c << 6 | d);
  }
  CHECK(foreign < 64);
}

static void account_for(struct consumer *c, const struct bn_ring_entry *entry) {
  struct stream *stream = &c->streams[entry->slot / (N_SLOTS / N_READERS)];
  decode((const uint8_t *)ring_pair_words(c->pair, entry->slot), entry->text_bytes,
         stream->raw + stream->n_bytes);
  stream->n_bytes += entry->text_bytes / 4 * 3;
  size_t done = 0;
  for (; done + BLOCK_BYTES <= stream->n_bytes; done += BLOCK_BYTES, c->n_blocks++) {
    const uint64_t counter = counter_of(stream->raw + done);
    CHECK(counter < c->counters_max);
    CHECK((c->seen[counter / 8] >> counter % 8 & 1) == 0);
    c->seen[counter / 8] |= (uint8_t)(1U << counter % 8);
  }
  stream->n_bytes -= done;
  memmove(stream->raw, stream->raw + done, stream->n_bytes);
}

static void release_one(struct consumer *c) {
  const uint32_t i = (uint32_t)(check_random(&c->seed) % c->n_held);
  CHECK(bn_ring_release(c->pair->consumer, c->held[i].slot) == BN_OK);
  c->held[i] = c->held[--c->n_held];
}

// Takes what there is. Returns how many slots.
static uint32_t take_some(struct consumer *c) {
  struct bn_ring_entry entries[16];
  const uint32_t n = bn_ring_pop_burst(c->pair->consumer, entries, 16);
  for (uint32_t i = 0; i < n; i++) {
    account_for(c, &entries[i]);
    c->held[c->n_held++] = entries[i];
    if (c->n_held > HELD_MAX)
      release_one(c);
  }
  return n;
}

static void wait_for_data(struct ring_pair *pair) {
  struct pollfd fd = {.fd = pair->data_eventfd, .events = POLLIN};
  uint64_t count;
  if (bn_ring_arm(pair->consumer))
    return;
  CHECK(poll(&fd, 1, DEADLINE_MS) == 1); // or a wake-up was lost
  CHECK(read(fd.fd, &count, sizeof count) == sizeof count);
}

static void run(uint64_t n_bytes) {
  struct ring_pair pair;
  int lifeline[2];
  const uint64_t n_blocks = n_bytes / BLOCK_BYTES;
  ring_pair_open(&pair, N_SLOTS, N_READERS);
  CHECK(pipe(lifeline) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    close(lifeline[1]);
    be_source(&pair, lifeline[0]);
  }
  close(lifeline[0]);
  struct consumer c = {.pair = &pair, .seed = 5, .counters_max = n_blocks + SLACK_BLOCKS};
  uint8_t *const seen = calloc(c.counters_max / 8 + 1, 1);
  CHECK(seen != NULL);
  c.seen = seen;
  while (c.n_blocks < n_blocks)
    if (take_some(&c) == 0)
      wait_for_data(&pair);
  close(lifeline[1]);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  while (take_some(&c) > 0)
    ;
  struct bn_ring_view view;
  bn_ring_observe(pair.consumer, &view);
  CHECK_EQUAL(view.refused_entries, 0);
  CHECK_EQUAL(view.popped_bytes, view.published_bytes);
  CHECK_EQUAL(c.n_blocks * BLOCK_BYTES + c.streams[0].n_bytes + c.streams[1].n_bytes,
              view.popped_bytes);
  // What was generated and not published is the start-up test's, and a carry of each reader.
  CHECK_EQUAL(view.failed_bytes, 0);
  CHECK(view.generated_bytes - view.startup_bytes - view.published_bytes <= 2 * N_READERS);
  (void)printf("%llu blocks, each once\n", (unsigned long long)c.n_blocks);
  while (c.n_held > 0)
    release_one(&c);
  free(seen);
  ring_pair_close(&pair);
}

int main(int argc, char **argv) {
  make_values();
  run(argc > 1 ? strtoull(argv[1], NULL, 10) * 1000000000 : 500000000);
  return 0;
}
