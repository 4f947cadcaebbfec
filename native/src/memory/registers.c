// SPDX-License-Identifier: Apache-2.0
//
// Vector registers. What moves bytes quickly leaves the last of them there until something else
// needs the register: a thread that sleeps after its work keeps them, and its core shows them.

#include "memory/memory.h"

#define NUMBERS_LOW "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define NUMBERS_HIGH "16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
#define FOR_EACH(numbers, instruction) ".irp n," numbers "\n\t" instruction "\n\t.endr"

#if defined(__x86_64__)

#define CLOBBERS_LOW                                                                               \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",         \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

// Those that only AVX-512 has.
__attribute__((target("avx512f"))) static void wipe_avx512(void) {
  __asm__ volatile(FOR_EACH(NUMBERS_HIGH, "vpxorq %%zmm\\n, %%zmm\\n, %%zmm\\n")::
                       : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                         "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

// The others, as wide as they are.
__attribute__((target("avx"))) static void wipe_avx(void) {
  __asm__ volatile("vzeroall" ::: CLOBBERS_LOW);
}

static void wipe_sse(void) {
  __asm__ volatile(FOR_EACH(NUMBERS_LOW, "pxor %%xmm\\n, %%xmm\\n")::: CLOBBERS_LOW);
}

void bn_wipe_registers(void) {
  if (__builtin_cpu_supports("avx512f"))
    wipe_avx512();
  if (__builtin_cpu_supports("avx"))
    wipe_avx();
  else
    wipe_sse();
}

#elif defined(__aarch64__)

// The lower halves of v8 to v15 are the caller's, and come back as they were before.
void bn_wipe_registers(void) {
  __asm__ volatile(FOR_EACH(NUMBERS_LOW "," NUMBERS_HIGH, "movi v\\n\\().2d, #0")::
                       : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
                         "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
                         "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

#else

void bn_wipe_registers(void) {}

#endif
