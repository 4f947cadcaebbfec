// SPDX-License-Identifier: Apache-2.0
//
// The ring's consumer against whatever a producer may write into the shared memory between two
// operations: no slot is handed out twice, none is out of bounds, and every string is safe.

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_SLOTS 5
#define N_READERS 2

static void require(int condition) {
  if (!condition)
    abort();
}

static void pop(struct bn_ring_consumer *ring, uint8_t *held) {
  struct bn_ring_entry entries[N_SLOTS];
  const uint32_t n = bn_ring_pop_burst(ring, entries, N_SLOTS);
  require(n <= N_SLOTS);
  for (uint32_t i = 0; i < n; i++) {
    require(entries[i].slot < N_SLOTS && !held[entries[i].slot]);
    require(entries[i].text_bytes > 0 && entries[i].text_bytes <= BN_SLOT_TEXT_BYTES);
    require(entries[i].text_bytes % 4 == 0);
    held[entries[i].slot] = 1;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int32_t nobody[N_READERS] = {-1, -1};
  const size_t map_bytes = bn_ring_bytes(N_SLOTS, N_READERS);
  uint8_t held[N_SLOTS] = {0};
  struct bn_ring_geometry geometry;
  struct bn_ring_consumer *ring = NULL;
  require(bn_ring_geometry(N_SLOTS, N_READERS, &geometry) == BN_OK);
  uint8_t *map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(map != MAP_FAILED);
  require(bn_ring_consumer_open(map, map_bytes, N_SLOTS, N_READERS, nobody, 1, &ring, NULL) ==
          BN_OK);
  const size_t n_words = geometry.arena_offset / sizeof(uint64_t);
  // An input is steps of ten bytes: where to write, what, and what to do next (in the place's top).
  for (; size >= 10; data += 10, size -= 10) {
    const uint32_t place = data[0] | (uint32_t)data[1] << 8;
    memcpy(map + place % n_words * sizeof(uint64_t), data + 2, sizeof(uint64_t));
    const uint32_t slot = data[1] % (N_SLOTS + 1);
    struct bn_ring_view view;
    switch (data[1] >> 5) {
    case 0:
    case 1:
      pop(ring, held);
      break;
    case 2:
      require((bn_ring_release(ring, slot) == BN_OK) == (slot < N_SLOTS && held[slot]));
      if (slot < N_SLOTS)
        held[slot] = 0;
      break;
    case 3:
      (void)!bn_ring_arm(ring);
      break;
    case 4:
      bn_ring_restart(ring);
      break;
    case 5:
      bn_ring_observe(ring, &view);
      require(view.phase <= BN_PHASE_STOPPED && view.n_readers == N_READERS);
      require(memchr(view.fault.text, 0, sizeof view.fault.text) != NULL);
      break;
    default: // write on
      break;
    }
  }
  bn_ring_consumer_close(ring);
  munmap(map, map_bytes);
  return 0;
}
