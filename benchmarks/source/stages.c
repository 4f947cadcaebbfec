// SPDX-License-Identifier: Apache-2.0
//
// What a source does with the bytes of a call, stage by stage, on bytes that a module would have
// written just before. Prints nanoseconds per call for each stage, one round a line:
// poison check, output tests, encoding into slots, poison for the next call.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base64/kernel.h"
#include "health/health.h"

#define N_SLOTS 64 // of one reader, in a ring of the default size
#define CALLS 200  // in a round

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint8_t *area(size_t len_bytes) {
  uint8_t *memory = aligned_alloc(4096, (len_bytes + 4095) / 4096 * 4096);
  if (memory == NULL || len_bytes == 0)
    exit(1);
  memset(memory, 1, len_bytes);
  return memory;
}

static void fill_random(uint8_t *out, size_t len_bytes) {
  for (size_t have = 0; have < len_bytes;) {
    const ssize_t got = getrandom(out + have, len_bytes - have, 0);
    have += got > 0 ? (size_t)got : 0;
  }
}

int main(int argc, char **argv) {
  const size_t call_bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 65536;
  const unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 15;
  bn_base64_kernel_fn *encode = bn_base64_kernel_function(bn_base64_kernel_best());
  struct bn_health *health = (struct bn_health *)(void *)area(bn_health_bytes());
  uint8_t *buffer = area(call_bytes), *fresh = area(call_bytes);
  uint8_t poison[BN_POISON_BYTES];
  char *arena = (char *)area((size_t)N_SLOTS * BN_SLOT_TEXT_BYTES);
  size_t slot = 0;
  bn_health_init(health);
  fill_random(poison, sizeof poison);
  for (unsigned round = 0; round < rounds; round++) {
    uint64_t check_ns = 0, judge_ns = 0, encode_ns = 0, fill_ns = 0;
    for (unsigned i = 0; i < CALLS; i++) {
      enum bn_test failed;
      fill_random(fresh, call_bytes);
      memcpy(buffer, fresh, call_bytes);
      const uint64_t t0 = clock_ns();
      if (!bn_poison_overwritten(buffer, poison, call_bytes))
        return 1;
      const uint64_t t1 = clock_ns();
      if (bn_health_judge(health, buffer, call_bytes, &failed) > BN_VERDICT_QUALIFYING)
        return 1;
      const uint64_t t2 = clock_ns();
      for (size_t done = 0; done < call_bytes; done += BN_SLOT_RAW_BYTES) {
        const size_t left = call_bytes - done;
        encode(buffer + done, left < BN_SLOT_RAW_BYTES ? left : BN_SLOT_RAW_BYTES,
               arena + slot * BN_SLOT_TEXT_BYTES);
        slot = (slot + 1) % N_SLOTS;
      }
      const uint64_t t3 = clock_ns();
      bn_poison_fill(buffer, poison, call_bytes);
      const uint64_t t4 = clock_ns();
      check_ns += t1 - t0, judge_ns += t2 - t1, encode_ns += t3 - t2, fill_ns += t4 - t3;
    }
    (void)printf("%.1f %.1f %.1f %.1f\n", (double)check_ns / CALLS, (double)judge_ns / CALLS,
                 (double)encode_ns / CALLS, (double)fill_ns / CALLS);
  }
  return 0;
}
