// SPDX-License-Identifier: Apache-2.0
//
// Memory between two pages that cannot be touched.

#ifndef BN_TESTS_GUARDED_H
#define BN_TESTS_GUARDED_H

#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

// One page.
static inline uint8_t *guarded_page(size_t *page_bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(map != MAP_FAILED);
  CHECK(mprotect(map + page, page, PROT_READ | PROT_WRITE) == 0);
  *page_bytes = page;
  return map + page;
}

#endif
