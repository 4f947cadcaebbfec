// SPDX-License-Identifier: Apache-2.0
//
// 24 bytes into 32 characters per step, four steps at once.

#include "base64/kernel.h"

#ifndef __AVX2__
#error "avx2.c is compiled with -mavx2"
#endif
#include <immintrin.h>

#define STEP_RAW 24
#define STEP_TEXT 32
#define STEP_READS 28 // bytes that a step in the middle reads from `raw` on
#define IN_FLIGHT 4   // steps at once

// In: groups of 3 bytes in bytes 4..15 of the lower half and in bytes 0..11 of the upper half. Out:
// a 32-bit lane for each, its group's bytes 1, 0, 2, 1 from the lowest to the highest. Of a group
// aaaaaabb bbbbcccc ccdddddd that makes, highest byte first:
//
//   bbbbcccc ccdddddd aaaaaabb bbbbcccc
static inline __m256i gather(__m256i in) {
  const __m256i order = _mm256_setr_epi8(5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14, //
                                         1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
  return _mm256_shuffle_epi8(in, order);
}

// Multiplying 16-bit halves shifts each by its own distance: a by 10 and c by 6 to the right (the
// upper half of the product), b by 4 and d by 8 to the left. Out, highest byte first:
//
//   00dddddd 00cccccc 00bbbbbb 00aaaaaa
static inline __m256i split(__m256i lanes) {
  const __m256i ac = _mm256_and_si256(lanes, _mm256_set1_epi32(0x0FC0FC00));
  const __m256i bd = _mm256_and_si256(lanes, _mm256_set1_epi32(0x003F03F0));
  return _mm256_or_si256(_mm256_mulhi_epu16(ac, _mm256_set1_epi32(0x04000040)),
                         _mm256_mullo_epi16(bd, _mm256_set1_epi32(0x01000010)));
}

// Adds to each value the distance to its character. The distance stands in a table at 0 for A-Z, at
// 1 for a-z, at 2..11 for 0-9, at 12 for + and at 13 for /.
static inline __m256i to_alphabet(__m256i values) {
  const __m256i distances = _mm256_setr_epi8(
      'A', 'a' - 26, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, '+' - 62, '/' - 63, 0, 0, //
      'A', 'a' - 26, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, '+' - 62, '/' - 63, 0, 0);
  const __m256i above_letters = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
  const __m256i above_capitals = _mm256_cmpgt_epi8(values, _mm256_set1_epi8(25)); // -1 if so
  const __m256i place = _mm256_sub_epi8(above_letters, above_capitals);
  return _mm256_add_epi8(values, _mm256_shuffle_epi8(distances, place));
}

static inline void store(char *text, __m256i characters) {
  _mm256_storeu_si256((__m256i *)(void *)text, characters);
}

// What lies around the step's own bytes may not be ours to read.
static inline __m256i load_alone(const uint8_t *raw) {
  const __m128i lower = _mm_loadu_si128((const __m128i *)(const void *)raw);
  const __m128i upper = _mm_loadu_si128((const __m128i *)(const void *)(raw + 8));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_slli_si128(lower, 4)),
                                 _mm_srli_si128(upper, 4), 1);
}

// In the middle, one load: the four bytes before `raw` have been encoded already, the four behind
// will be, and gather() looks at neither.
static inline __m256i load(const uint8_t *raw) {
  return _mm256_loadu_si256((const __m256i *)(const void *)(raw - 4));
}

// All of these are computed before anything that follows: the steps then advance side by side, and
// one's multiplications wait for nobody.
static inline void abreast(__m256i v[IN_FLIGHT]) {
  __asm__("" : "+x"(v[0]), "+x"(v[1]), "+x"(v[2]), "+x"(v[3]));
}

// Finishes the steps in flight, which began at `raw`, and takes the next ones in while at it.
static inline void advance(__m256i v[IN_FLIGHT], const uint8_t *raw, char *text) {
  for (int i = 0; i < IN_FLIGHT; i++)
    v[i] = split(v[i]);
  abreast(v);
  for (int i = 0; i < IN_FLIGHT; i++) {
    store(text + STEP_TEXT * i, to_alphabet(v[i]));
    v[i] = gather(load(raw + STEP_RAW * (IN_FLIGHT + i)));
  }
  abreast(v);
}

// Whether there is all that so many steps read.
static inline int reaches(size_t raw_bytes, size_t n_steps) {
  return raw_bytes >= STEP_RAW * (n_steps - 1) + STEP_READS;
}

void bn_base64_avx2(const uint8_t *raw, size_t raw_bytes, char *text) {
  if (raw_bytes < STEP_RAW) {
    bn_base64_scalar(raw, raw_bytes, text);
    return;
  }
  store(text, to_alphabet(split(gather(load_alone(raw)))));
  raw += STEP_RAW, text += STEP_TEXT, raw_bytes -= STEP_RAW;

  if (reaches(raw_bytes, IN_FLIGHT)) {
    __m256i v[IN_FLIGHT];
    for (int i = 0; i < IN_FLIGHT; i++)
      v[i] = gather(load(raw + STEP_RAW * i));
    for (; reaches(raw_bytes, 3 * IN_FLIGHT); raw_bytes -= 2 * IN_FLIGHT * STEP_RAW) {
      advance(v, raw, text);
      advance(v, raw + IN_FLIGHT * STEP_RAW, text + IN_FLIGHT * STEP_TEXT);
      raw += 2 * IN_FLIGHT * STEP_RAW, text += 2 * IN_FLIGHT * STEP_TEXT;
    }
    for (; reaches(raw_bytes, 2 * IN_FLIGHT); raw_bytes -= IN_FLIGHT * STEP_RAW) {
      advance(v, raw, text);
      raw += IN_FLIGHT * STEP_RAW, text += IN_FLIGHT * STEP_TEXT;
    }
    for (int i = 0; i < IN_FLIGHT; i++)
      store(text + STEP_TEXT * i, to_alphabet(split(v[i])));
    raw += IN_FLIGHT * STEP_RAW, text += IN_FLIGHT * STEP_TEXT;
    raw_bytes -= IN_FLIGHT * STEP_RAW;
  }
  for (; reaches(raw_bytes, 1); raw_bytes -= STEP_RAW) {
    store(text, to_alphabet(split(gather(load(raw)))));
    raw += STEP_RAW, text += STEP_TEXT;
  }
  if (raw_bytes >= STEP_RAW) {
    store(text, to_alphabet(split(gather(load_alone(raw)))));
    raw += STEP_RAW, text += STEP_TEXT, raw_bytes -= STEP_RAW;
  }
  // The groups that are left make no step: they are encoded together with some before them.
  const size_t n_groups = raw_bytes / 3;
  raw += 3 * n_groups, text += 4 * n_groups;
  if (n_groups > 0)
    store(text - STEP_TEXT, to_alphabet(split(gather(load_alone(raw - STEP_RAW)))));
  bn_base64_scalar(raw, raw_bytes % 3, text);
}
