// SPDX-License-Identifier: Apache-2.0
//
// Locked memory between two guard pages. The block ends as close to the upper guard as its
// alignment allows, for it is the upper end that a too long write runs over.

#include "memory/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_ALIGNMENT ((size_t)64)

struct layout {
  size_t page_bytes;
  size_t data_bytes; // whole pages between the guards
  size_t map_bytes;  // with both guards
  size_t offset;     // of the block in the map
};

// 0 when len_bytes is nothing, or more than an address space holds.
static int layout_of(size_t len_bytes, struct layout *out) {
  size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  if (len_bytes == 0 || len_bytes > SIZE_MAX / 2)
    return 0;
  size_t block_bytes = (len_bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
  out->page_bytes = page_bytes;
  out->data_bytes = (block_bytes + page_bytes - 1) / page_bytes * page_bytes;
  out->map_bytes = out->data_bytes + 2 * page_bytes;
  out->offset = page_bytes + out->data_bytes - block_bytes;
  return 1;
}

void bn_wipe(void *data, size_t len_bytes) {
  if (len_bytes != 0)
    explicit_bzero(data, len_bytes);
}

enum bn_err bn_memory_protect(void *data, size_t len_bytes, int allow_unlocked,
                              struct bn_fault *fault) {
  if (mlock(data, len_bytes) != 0 && !allow_unlocked)
    return bn_fault_set(fault, BN_ERR_LOCK, errno, 0, "mlock",
                        "the limit on locked memory (RLIMIT_MEMLOCK) is too low");
  if (madvise(data, len_bytes, MADV_DONTDUMP) != 0)
    return bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "madvise", "MADV_DONTDUMP");
  if (madvise(data, len_bytes, MADV_DONTFORK) != 0)
    return bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "madvise", "MADV_DONTFORK");
  return BN_OK;
}

void *bn_secure_alloc(size_t len_bytes, int32_t allow_unlocked, struct bn_fault *fault) {
  struct layout layout;
  if (!layout_of(len_bytes, &layout)) {
    (void)bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_secure_alloc", NULL);
    return NULL;
  }
  uint8_t *map =
      mmap(NULL, layout.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) {
    (void)bn_fault_set(fault, BN_ERR_MEMORY, errno, 0, "mmap", NULL);
    return NULL;
  }
  uint8_t *pages = map + layout.page_bytes;
  if (mprotect(pages, layout.data_bytes, PROT_READ | PROT_WRITE) != 0) {
    (void)bn_fault_set(fault, BN_ERR_MEMORY, errno, 0, "mprotect", NULL);
    goto err_unmap;
  }
  if (bn_memory_protect(pages, layout.data_bytes, allow_unlocked, fault) != BN_OK)
    goto err_unmap;
  return map + layout.offset;

err_unmap:
  (void)munmap(map, layout.map_bytes);
  return NULL;
}

void bn_secure_free(void *data, size_t len_bytes) {
  struct layout layout;
  if (data == NULL || !layout_of(len_bytes, &layout))
    return;
  uint8_t *map = (uint8_t *)data - layout.offset;
  bn_wipe(map + layout.page_bytes, layout.data_bytes);
  (void)munmap(map, layout.map_bytes); // unlocks as well
}
