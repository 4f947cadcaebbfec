// SPDX-License-Identifier: Apache-2.0
//
// 12 bytes into 16 characters per step, for processors without AVX2.

#include "base64/kernel.h"

#ifndef __SSSE3__
#error "ssse3.c is compiled with -mssse3"
#endif
#include <tmmintrin.h>

#define STEP_RAW 12
#define STEP_TEXT 16
#define STEP_READS 16 // bytes that a step reads from `raw` on
#define ABREAST 4     // steps side by side

// Of each group aaaaaabb bbbbcccc ccdddddd in the first 12 bytes, a 32-bit lane, highest byte
// first:
//
//   bbbbcccc ccdddddd aaaaaabb bbbbcccc
static inline __m128i gather(__m128i in) {
  return _mm_shuffle_epi8(in, _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
}

// Multiplying 16-bit halves shifts each by its own distance: a by 10 and c by 6 to the right (the
// upper half of the product), b by 4 and d by 8 to the left. Out, highest byte first:
//
//   00dddddd 00cccccc 00bbbbbb 00aaaaaa
static inline __m128i split(__m128i lanes) {
  const __m128i ac = _mm_and_si128(lanes, _mm_set1_epi32(0x0FC0FC00));
  const __m128i bd = _mm_and_si128(lanes, _mm_set1_epi32(0x003F03F0));
  return _mm_or_si128(_mm_mulhi_epu16(ac, _mm_set1_epi32(0x04000040)),
                      _mm_mullo_epi16(bd, _mm_set1_epi32(0x01000010)));
}

// Adds to each value the distance to its character. The distance stands in a table at 0 for A-Z, at
// 1 for a-z, at 2..11 for 0-9, at 12 for + and at 13 for /.
static inline __m128i to_alphabet(__m128i values) {
  const __m128i distances = _mm_setr_epi8('A', 'a' - 26, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4,
                                          '+' - 62, '/' - 63, 0, 0);
  const __m128i above_letters = _mm_subs_epu8(values, _mm_set1_epi8(51));
  const __m128i above_capitals = _mm_cmpgt_epi8(values, _mm_set1_epi8(25)); // -1 if so
  const __m128i place = _mm_sub_epi8(above_letters, above_capitals);
  return _mm_add_epi8(values, _mm_shuffle_epi8(distances, place));
}

static inline __m128i load(const uint8_t *raw) {
  return _mm_loadu_si128((const __m128i *)(const void *)raw);
}

static inline void store(char *text, __m128i characters) {
  _mm_storeu_si128((__m128i *)(void *)text, characters);
}

void bn_base64_ssse3(const uint8_t *raw, size_t raw_bytes, char *text) {
  while (raw_bytes >= STEP_RAW * (ABREAST - 1) + STEP_READS) {
    __m128i v[ABREAST];
    for (int i = 0; i < ABREAST; i++)
      v[i] = split(gather(load(raw + STEP_RAW * i)));
    // All are computed before the first is translated: nobody waits for another's multiplications.
    __asm__("" : "+x"(v[0]), "+x"(v[1]), "+x"(v[2]), "+x"(v[3]));
    for (int i = 0; i < ABREAST; i++)
      store(text + STEP_TEXT * i, to_alphabet(v[i]));
    raw += STEP_RAW * ABREAST, text += STEP_TEXT * ABREAST, raw_bytes -= STEP_RAW * ABREAST;
  }
  for (; raw_bytes >= STEP_READS; raw_bytes -= STEP_RAW) {
    store(text, to_alphabet(split(gather(load(raw)))));
    raw += STEP_RAW, text += STEP_TEXT;
  }
  bn_base64_scalar(raw, raw_bytes, text);
}
