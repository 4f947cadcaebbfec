// SPDX-License-Identifier: Apache-2.0
//
// The loops around what is measured, so that no call out of Python is. Each returns nanoseconds for
// `n_times` calls. All reach their function through a pointer, and forget after each call what is
// in memory, so that none can be left out.

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define FORGET_MEMORY() __asm__ volatile("" ::: "memory")

typedef int own_fn(uint32_t kernel, const uint8_t *raw, size_t raw_bytes, char *text);
typedef size_t peer_fn(const uint8_t *raw, size_t raw_bytes, char *text);

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t time_own(own_fn *encode, uint32_t kernel, const uint8_t *raw, size_t raw_bytes, char *text,
                  size_t n_times) {
  const uint64_t began_ns = clock_ns();
  for (size_t i = 0; i < n_times; i++) {
    (void)encode(kernel, raw, raw_bytes, text);
    FORGET_MEMORY();
  }
  return clock_ns() - began_ns;
}

uint64_t time_peer(peer_fn *encode, const uint8_t *raw, size_t raw_bytes, char *text,
                   size_t n_times) {
  const uint64_t began_ns = clock_ns();
  for (size_t i = 0; i < n_times; i++) {
    (void)encode(raw, raw_bytes, text);
    FORGET_MEMORY();
  }
  return clock_ns() - began_ns;
}

uint64_t time_copy(const char *from, size_t len_bytes, char *to, size_t n_times) {
  const uint64_t began_ns = clock_ns();
  for (size_t i = 0; i < n_times; i++) {
    memcpy(to, from, len_bytes);
    FORGET_MEMORY();
  }
  return clock_ns() - began_ns;
}
