// SPDX-License-Identifier: Apache-2.0
//
// The reader's loop: wait for space, call, test, publish. Outside of a call the buffer that the
// module writes to holds poison and no entropy.

#include "pkcs11/reader.h"

#include <string.h>
#include <time.h>

#include "memory/memory.h"
#include "pkcs11/answer.h"
#include "pkcs11/recovery.h"
#include "pkcs11/source.h"

#define NS_PER_MS UINT64_C(1000000)
// What a device hands out beyond whole blocks of its generator it throws away.
#define BLOCK_BYTES 16

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

enum bn_err bn_reader_open(struct bn_source *source, uint32_t index, struct bn_reader *out,
                           struct bn_fault *fault) {
  const struct bn_source_config *config = &source->config;
  memset(out, 0, sizeof *out);
  out->source = source;
  out->index = index;
  bn_ring_lane_open(source->ring, index, config->space_eventfds[index], &out->lane);
  const uint32_t wanted = config->call_bytes != 0 ? config->call_bytes : BN_CALL_BYTES_FOUND;
  const uint64_t space = (uint64_t)out->lane.n_slots * BN_SLOT_RAW_BYTES;
  out->most_bytes = wanted < space ? wanted : (uint32_t)space;
  bn_call_size_init(&out->size, config->call_bytes != 0 ? out->most_bytes : 0, out->most_bytes);
  enum bn_err err =
      bn_packer_open(&out->lane, out->most_bytes, config->allow_unlocked, &out->packer, fault);
  if (err != BN_OK)
    return err;
  out->health = bn_secure_alloc(bn_health_bytes(), config->allow_unlocked, fault);
  if (out->health == NULL)
    return (enum bn_err)fault->err;
  bn_health_init(out->health);
  err = bn_poison_draw(out->poison, fault);
  if (err == BN_OK)
    bn_poison_fill(out->packer.buffer, out->poison, out->most_bytes);
  return err;
}

void bn_reader_close(struct bn_reader *reader) {
  bn_packer_close(&reader->packer);
  bn_secure_free(reader->health, bn_health_bytes());
  reader->health = NULL;
}

// ---- before a call: space, and what must not wait for it ----------------------------------------

// Publishing a part-filled slot helps a consumer that waits for bytes, and costs reserve: the rest
// of the slot stays empty. So it is done while less than a quarter of the slots are out.
static int consumer_is_short(const struct bn_reader *reader) {
  const uint32_t here = bn_ring_lane_available(&reader->lane) + 1; // and the one being filled
  const uint32_t out = reader->lane.n_slots < here ? 0 : reader->lane.n_slots - here;
  return out < (reader->lane.n_slots + 3) / 4;
}

static int poll_ms(uint64_t now, uint64_t due) {
  return due <= now ? 0 : (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

// How many bytes to ask for now. 0: it waited or published, look again.
static uint32_t prepare_call(struct bn_reader *reader) {
  struct bn_packer *packer = &reader->packer;
  const uint64_t now = clock_ns();
  const uint64_t due =
      packer->since_ns + reader->source->config.publish_after_ms * (uint64_t)NS_PER_MS;
  const int part_filled = packer->text != NULL;
  const size_t room = bn_packer_room(packer);
  const uint32_t wanted = reader->size.bytes;
  if (room < wanted && room < BN_SLOT_RAW_BYTES - packer->carry) {
    if (part_filled && due <= now) {
      bn_packer_flush(packer);
    } else {
      bn_ring_lane_wait(&reader->lane, reader->source->stop_fd,
                        part_filled ? poll_ms(now, due) : -1);
    }
    return 0;
  }
  if (part_filled && due <= now + reader->last_call_ns && consumer_is_short(reader)) {
    bn_packer_flush(packer);
    return 0;
  }
  return room < wanted ? (uint32_t)room / BLOCK_BYTES * BLOCK_BYTES : wanted;
}

// ---- a call and its outcome ---------------------------------------------------------------------

static CK_RV generate(struct bn_reader *reader, uint32_t n_bytes, uint64_t *ended_ns) {
  struct bn_ring_lane *counters = reader->lane.counters;
  const uint64_t begun_ns = clock_ns();
  atomic_store_explicit(&counters->call_bytes, n_bytes, memory_order_relaxed);
  atomic_store_explicit(&counters->call_began_ns, begun_ns, memory_order_relaxed);
  bn_counter_add(&counters->calls_begun, 1);
  const CK_RV ckr = reader->source->module.calls->C_GenerateRandom(reader->session,
                                                                   reader->packer.buffer, n_bytes);
  *ended_ns = clock_ns();
  reader->last_call_ns = *ended_ns - begun_ns;
  if (reader->last_call_ns > atomic_load_explicit(&counters->slowest_call_ns, memory_order_relaxed))
    atomic_store_explicit(&counters->slowest_call_ns, reader->last_call_ns, memory_order_relaxed);
  const uint64_t ended = atomic_load_explicit(&counters->calls_ended, memory_order_relaxed);
  // Pairs with the acquire in bn_ring_observe: who sees this end has seen the beginning.
  atomic_store_explicit(&counters->calls_ended, ended + 1, memory_order_release);
  return ckr;
}

static enum bn_err handle_failure(struct bn_reader *reader, uint32_t n_bytes, CK_RV ckr,
                                  struct bn_fault *fault) {
  if (bn_source_stopping(reader->source))
    return BN_OK;
  switch (bn_answer_of_random(ckr)) {
  case BN_ANSWER_LENGTH:
    if (bn_call_size_failed(&reader->size, n_bytes))
      return BN_OK;
    break;
  case BN_ANSWER_DEVICE:
    // A length that has succeeded is not why.
    if (n_bytes > reader->size.good && n_bytes > BN_CALL_BYTES_FIRST &&
        bn_call_size_failed(&reader->size, n_bytes)) {
      return BN_OK;
    }
    break;
  case BN_ANSWER_SESSION:
    break;
  case BN_ANSWER_FINAL:
    return bn_answer_fault(fault, ckr, "C_GenerateRandom", NULL);
  }
  if (reader->recovered)
    return bn_answer_fault(fault, ckr, "C_GenerateRandom", "in a new session as well");
  reader->recovered = 1;
  return bn_recover(reader->source, reader, ckr, fault);
}

static const char *test_name(enum bn_test test) {
  switch (test) {
  case BN_TEST_POISON:
    return "poison check";
  case BN_TEST_REPETITION:
    return "repetition count";
  case BN_TEST_PROPORTION:
    return "adaptive proportion";
  case BN_TEST_CONSECUTIVE:
    return "consecutive blocks";
  case BN_TEST_STARTUP:
    return "start-up test";
  case BN_TEST_COUNT:
    break;
  }
  return "output test";
}

static enum bn_err judge_and_publish(struct bn_reader *reader, uint32_t n_bytes, uint64_t now_ns,
                                     struct bn_fault *fault) {
  struct bn_ring_lane *counters = reader->lane.counters;
  const uint8_t *raw = reader->packer.buffer;
  enum bn_test failed = BN_TEST_POISON;
  const enum bn_verdict verdict = bn_poison_overwritten(raw, reader->poison, n_bytes)
                                      ? bn_health_judge(reader->health, raw, n_bytes, &failed)
                                      : bn_health_poison_failed(reader->health);
  switch (verdict) {
  case BN_VERDICT_PASS:
    if (bn_packer_pack(&reader->packer, n_bytes, now_ns) != BN_OK) {
      return bn_fault_set(fault, BN_ERR_RING, 0, 0, "bn_packer_pack",
                          "the consumer gave back a slot that is not this reader's");
    }
    return BN_OK;
  case BN_VERDICT_QUALIFYING:
    bn_counter_add(&counters->startup_bytes, n_bytes);
    return BN_OK;
  case BN_VERDICT_DISCARD:
  case BN_VERDICT_LATCH:
    break;
  }
  bn_counter_add(&counters->failed_bytes, n_bytes);
  bn_counter_add(&counters->failures[failed], 1);
  if (verdict == BN_VERDICT_DISCARD)
    return BN_OK;
  atomic_store_explicit(&counters->latched, 1, memory_order_relaxed);
  return bn_fault_set(fault, BN_ERR_HEALTH, 0, 0, test_name(failed),
                      "the module's output failed an output test beyond chance");
}

static enum bn_err call(struct bn_reader *reader, uint32_t n_bytes, struct bn_fault *fault) {
  struct bn_ring_lane *counters = reader->lane.counters;
  uint64_t ended_ns;
  enum bn_err err;
  const CK_RV ckr = generate(reader, n_bytes, &ended_ns);
  if (ckr == CKR_OK) {
    bn_counter_add(&counters->generated_bytes, n_bytes);
    reader->recovered = 0;
    bn_call_size_succeeded(&reader->size, n_bytes, reader->last_call_ns);
    err = judge_and_publish(reader, n_bytes, ended_ns, fault);
  } else {
    bn_counter_add(&counters->errors, 1);
    err = handle_failure(reader, n_bytes, ckr, fault);
  }
  // Wipes what the module wrote, and is the poison for the next call.
  bn_poison_fill(reader->packer.buffer, reader->poison, n_bytes);
  bn_wipe_registers();
  return err;
}

void *bn_reader_main(void *arg) {
  struct bn_reader *reader = arg;
  struct bn_fault fault = {.err = BN_OK};
  enum bn_err err = BN_OK;
  atomic_store_explicit(&reader->lane.counters->active, 1, memory_order_relaxed);
  while (err == BN_OK && !bn_source_stopping(reader->source)) {
    const uint32_t n_bytes = prepare_call(reader);
    if (n_bytes != 0)
      err = call(reader, n_bytes, &fault);
  }
  if (err != BN_ERR_HEALTH)
    bn_packer_flush(&reader->packer); // these bytes passed
  bn_reader_close(reader);
  atomic_store_explicit(&reader->lane.counters->active, 0, memory_order_relaxed);
  bn_source_reader_ended(reader->source, &fault);
  return NULL;
}
