// SPDX-License-Identifier: Apache-2.0
//
// 48 bytes into 64 characters per step, in three instructions between load and store.

#include "base64/kernel.h"

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VBMI__)
#error "avx512vbmi.c is compiled with -mavx512f -mavx512bw -mavx512vbmi"
#endif
#include <immintrin.h>

#define STEP_RAW 48
#define STEP_TEXT 64
#define STEP_READS 64 // bytes that a step reads from `raw` on

#define STEP_MASK (~UINT64_C(0) >> (64 - STEP_RAW))

// Where most of what is read comes from the third-level cache, loads that stop at a step's last
// byte are a tenth faster; where it comes from memory, these cost a third.
#define FROM_THIRD_LEVEL_BYTES ((size_t)384 << 10)
#define FROM_MEMORY_BYTES ((size_t)3 << 20)
// Where the text goes into the second level, text that comes sooner than it is taken in queues up:
// it is a tenth faster when each step's bytes are loaded two steps before its text is stored.
#define INTO_SECOND_LEVEL_BYTES ((size_t)28 << 10)
#define BEYOND_SECOND_LEVEL_BYTES ((size_t)160 << 10)
// What is more than the caches hold drives out of them what is still to be read, unless the text
// goes around them.
#define AROUND_CACHES_BYTES ((size_t)16 << 20)

struct tables {
  __m512i order;    // of the bytes in a lane
  __m512i shifts;   // where each value's bits begin in its 64-bit lane
  __m512i alphabet; // by value
};

// Of each group aaaaaabb bbbbcccc ccdddddd, a 32-bit lane: its bytes 1, 0, 2, 1 from the lowest to
// the highest. Highest byte first, and with the number of each byte's lowest bit:
//
//   bbbbcccc ccdddddd aaaaaabb bbbbcccc
//   24       16       8        0           a from bit 10 on, b from 4, c from 22, d from 16
#define LANE(group) 3 * (group) + 1, 3 * (group), 3 * (group) + 2, 3 * (group) + 1
static const uint8_t order[64] = {LANE(0),  LANE(1),  LANE(2),  LANE(3), LANE(4),  LANE(5),
                                  LANE(6),  LANE(7),  LANE(8),  LANE(9), LANE(10), LANE(11),
                                  LANE(12), LANE(13), LANE(14), LANE(15)};

static inline struct tables tables(void) {
  return (struct tables){
      .order = _mm512_loadu_si512(order),
      .shifts = _mm512_set1_epi64(0x3036242A1016040A), // d c b a d c b a: 48 54 36 42 16 22 4 10
      .alphabet =
          _mm512_loadu_si512("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
  };
}

static inline __m512i split(__m512i in, const struct tables *tables) {
  const __m512i lanes = _mm512_permutexvar_epi8(tables->order, in);
  return _mm512_multishift_epi64_epi8(tables->shifts, lanes);
}

// The look-up takes the lower 6 bits of each byte: what split() left above them does not matter.
static inline __m512i encode(__m512i in, const struct tables *tables) {
  return _mm512_permutexvar_epi8(split(in, tables), tables->alphabet);
}

static inline void step(const uint8_t *raw, char *text, const struct tables *tables) {
  _mm512_storeu_si512(text, encode(_mm512_loadu_si512(raw), tables));
}

// Reads the step's own bytes and no more.
static inline void step_alone(const uint8_t *raw, char *text, const struct tables *tables) {
  _mm512_storeu_si512(text, encode(_mm512_maskz_loadu_epi8(STEP_MASK, raw), tables));
}

// The last bytes, less than a step. What is masked out is neither read nor written.
static inline void finish(const uint8_t *raw, size_t raw_bytes, char *text,
                          const struct tables *tables) {
  const size_t n_characters = (raw_bytes * 4 + 2) / 3;
  const size_t text_bytes = (raw_bytes + 2) / 3 * 4;
  const __mmask64 reads = ~UINT64_C(0) >> (64 - raw_bytes);
  const __mmask64 characters = ~UINT64_C(0) >> (64 - n_characters);
  const __mmask64 writes = ~UINT64_C(0) >> (64 - text_bytes);
  const __m512i values = split(_mm512_maskz_loadu_epi8(reads, raw), tables);
  const __m512i padded =
      _mm512_mask_permutexvar_epi8(_mm512_set1_epi8('='), characters, values, tables->alphabet);
  _mm512_mask_storeu_epi8(text, writes, padded);
}

static inline void encode_by_steps(const uint8_t *raw, size_t raw_bytes, char *text) {
  const struct tables t = tables();
  if (raw_bytes < FROM_THIRD_LEVEL_BYTES || raw_bytes >= FROM_MEMORY_BYTES) {
    for (; raw_bytes >= STEP_RAW + STEP_READS; raw_bytes -= 2 * STEP_RAW) {
      step(raw, text, &t);
      step(raw + STEP_RAW, text + STEP_TEXT, &t);
      raw += 2 * STEP_RAW, text += 2 * STEP_TEXT;
    }
  }
  for (; raw_bytes >= STEP_RAW; raw_bytes -= STEP_RAW) {
    step_alone(raw, text, &t);
    raw += STEP_RAW, text += STEP_TEXT;
  }
  if (raw_bytes > 0)
    finish(raw, raw_bytes, text, &t);
}

// These are functions of their own so that few bytes pay nothing for what they need.

static __attribute__((noinline)) void encode_ahead(const uint8_t *raw, size_t raw_bytes,
                                                   char *text) {
  const struct tables t = tables();
  __m512i next = _mm512_loadu_si512(raw);
  __m512i after_next = _mm512_loadu_si512(raw + STEP_RAW);
  for (; raw_bytes >= 2 * STEP_RAW + STEP_READS; raw_bytes -= STEP_RAW) {
    const __m512i in = _mm512_loadu_si512(raw + 2 * STEP_RAW);
    _mm512_storeu_si512(text, encode(next, &t));
    next = after_next, after_next = in;
    raw += STEP_RAW, text += STEP_TEXT;
  }
  encode_by_steps(raw, raw_bytes, text);
}

static __attribute__((noinline)) void encode_around(const uint8_t *raw, size_t raw_bytes,
                                                    char *text) {
  const struct tables t = tables();
  for (; raw_bytes >= STEP_READS; raw_bytes -= STEP_RAW) {
    _mm512_stream_si512((__m512i *)(void *)text, encode(_mm512_loadu_si512(raw), &t));
    raw += STEP_RAW, text += STEP_TEXT;
  }
  _mm_sfence(); // such stores keep no order: whoever is told of the text is to find it
  encode_by_steps(raw, raw_bytes, text);
}

void bn_base64_avx512vbmi(const uint8_t *raw, size_t raw_bytes, char *text) {
  if (raw_bytes >= INTO_SECOND_LEVEL_BYTES) {
    if (raw_bytes < BEYOND_SECOND_LEVEL_BYTES) {
      encode_ahead(raw, raw_bytes, text);
      return;
    }
    if (raw_bytes >= AROUND_CACHES_BYTES && (uintptr_t)text % STEP_TEXT == 0) {
      encode_around(raw, raw_bytes, text);
      return;
    }
  }
  encode_by_steps(raw, raw_bytes, text);
}
