// SPDX-License-Identifier: Apache-2.0
//
// What a vector register held is gone after the wipe, and is there without it.

#include "check.h"
#include "memory/memory.h"

#include <string.h>

#define SECRET 0xA5

#if defined(__x86_64__)
#define PUT "movdqu (%0), %%xmm4"
#define GET "movdqu %%xmm4, (%0)"
#elif defined(__aarch64__)
#define PUT "ldr q4, [%0]"
#define GET "str q4, [%0]"
#endif

#ifdef PUT
static int stays(int wipe) {
  uint8_t secret[16], found[16] = {0};
  memset(secret, SECRET, sizeof secret);
  __asm__ volatile(PUT ::"r"(secret) : "memory");
  if (wipe)
    bn_wipe_registers();
  __asm__ volatile(GET ::"r"(found) : "memory");
  return memchr(found, SECRET, sizeof found) != NULL;
}
#endif

#if defined(__x86_64__)
__attribute__((target("avx"))) static int stays_in_upper_half(int wipe) {
  uint8_t secret[32], found[32] = {0};
  memset(secret, SECRET, sizeof secret);
  __asm__ volatile("vmovdqu (%0), %%ymm4" ::"r"(secret) : "memory");
  if (wipe)
    bn_wipe_registers();
  __asm__ volatile("vmovdqu %%ymm4, (%0)" ::"r"(found) : "memory");
  return memchr(found + 16, SECRET, 16) != NULL;
}

__attribute__((target("avx512f"))) static int stays_in_those_of_avx512(int wipe) {
  uint8_t secret[64], found[64] = {0};
  memset(secret, SECRET, sizeof secret);
  __asm__ volatile("vmovdqu64 (%0), %%zmm20" ::"r"(secret) : "memory");
  if (wipe)
    bn_wipe_registers();
  __asm__ volatile("vmovdqu64 %%zmm20, (%0)" ::"r"(found) : "memory");
  return memchr(found, SECRET, sizeof found) != NULL;
}
#endif

int main(void) {
#ifdef PUT
  CHECK(stays(0) && !stays(1));
#else
  (void)printf("vector registers: SKIPPED, not known on this architecture\n");
#endif
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx"))
    CHECK(stays_in_upper_half(0) && !stays_in_upper_half(1));
  else
    (void)printf("AVX: SKIPPED, this processor does not have it\n");
  if (__builtin_cpu_supports("avx512f"))
    CHECK(stays_in_those_of_avx512(0) && !stays_in_those_of_avx512(1));
  else
    (void)printf("AVX-512: SKIPPED, this processor does not have it\n");
#endif
  return 0;
}
