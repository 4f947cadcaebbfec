// SPDX-License-Identifier: Apache-2.0
//
// Memory between two pages that cannot be touched.

#ifndef BN_TESTS_GUARDED_H
#define BN_TESTS_GUARDED_H

#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

// Of whole pages.
static inline uint8_t *guarded_area(size_t len_bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  CHECK(len_bytes % page == 0);
  uint8_t *map = mmap(NULL, len_bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(map != MAP_FAILED);
  CHECK(mprotect(map + page, len_bytes, PROT_READ | PROT_WRITE) == 0);
  return map + page;
}

// One page.
static inline uint8_t *guarded_page(size_t *page_bytes) {
  *page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  return guarded_area(*page_bytes);
}

#endif
