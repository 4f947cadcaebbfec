// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic of a ring's layout, and the memfd that holds one. Both sides of a ring use it;
// nothing in here reads or writes shared memory.

#include "ring/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/memory.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U // Linux 6.3
#endif

static size_t round_up(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

enum bn_err bn_ring_geometry(uint32_t n_slots, uint32_t n_readers, struct bn_ring_geometry *out) {
  if (n_readers == 0 || n_readers > BN_READERS_MAX || n_slots < n_readers || n_slots > BN_SLOTS_MAX)
    return BN_ERR_ARGUMENT;
  const uint32_t most_slots = (n_slots + n_readers - 1) / n_readers;
  uint32_t n_entries = 1;
  while (n_entries < most_slots)
    n_entries *= 2;
  const size_t lane_bytes =
      round_up(sizeof(struct bn_ring_lane) + 2 * n_entries * sizeof(uint64_t), BN_CACHE_LINE_BYTES);
  const size_t arena_offset =
      round_up(BN_RING_PAGE_BYTES + n_readers * lane_bytes, BN_RING_PAGE_BYTES);
  *out = (struct bn_ring_geometry){
      .n_slots = n_slots,
      .n_readers = n_readers,
      .n_entries = n_entries,
      .lane_bytes = lane_bytes,
      .arena_offset = arena_offset,
      .map_bytes = arena_offset + (size_t)n_slots * BN_SLOT_TEXT_BYTES,
  };
  return BN_OK;
}

size_t bn_ring_bytes(uint32_t n_slots, uint32_t n_readers) {
  struct bn_ring_geometry geometry;
  if (bn_ring_geometry(n_slots, n_readers, &geometry) != BN_OK)
    return 0;
  return geometry.map_bytes;
}

// Memory that holds random bytes is never code: a kernel that knows MFD_NOEXEC_SEAL keeps it so.
static int create(void) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = memfd_create("entropy-bridge-ring", flags | MFD_NOEXEC_SEAL);
  if (fd >= 0 || errno != EINVAL)
    return fd;
  return memfd_create("entropy-bridge-ring", flags);
}

int32_t bn_ring_memfd(uint32_t n_slots, uint32_t n_readers, struct bn_fault *fault) {
  const size_t map_bytes = bn_ring_bytes(n_slots, n_readers);
  if (map_bytes == 0) {
    bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_ring_memfd", "no ring has this many slots");
    return -1;
  }
  const int fd = create();
  if (fd < 0) {
    bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "memfd_create", NULL);
    return -1;
  }
  if (ftruncate(fd, (off_t)map_bytes) != 0) {
    bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "ftruncate", NULL);
    goto err_close;
  }
  // Without F_SEAL_SHRINK a producer that shrinks the file kills the consumer by SIGBUS.
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "fcntl(F_ADD_SEALS)", NULL);
    goto err_close;
  }
  return fd;

err_close:
  close(fd);
  return -1;
}
