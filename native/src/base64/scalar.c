// SPDX-License-Identifier: Apache-2.0
//
// The plain kernel: 6 bytes into 8 characters within one 64-bit word. It looks nothing up in a
// table, so the processor's caches learn nothing about the bytes.

#include "base64/kernel.h"

#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))

static uint64_t load_big_endian(const uint8_t *from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

static void store_big_endian(char *to, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  memcpy(to, &word, sizeof word);
}

// 48 bits to eight bytes of 6 bits each, the highest first: halves are moved apart three times.
static uint64_t spread(uint64_t bits) {
  bits = (bits & UINT64_C(0x0000FFFFFF000000)) << 8 | (bits & UINT64_C(0x0000000000FFFFFF));
  bits = (bits & UINT64_C(0x00FFF00000FFF000)) << 4 | (bits & UINT64_C(0x00000FFF00000FFF));
  bits = (bits & UINT64_C(0x0FC00FC00FC00FC0)) << 2 | (bits & UINT64_C(0x003F003F003F003F));
  return bits;
}

// 1 in each byte whose value (at most 63) is `limit` or more.
static uint64_t at_least(uint64_t values, unsigned limit) {
  return (values + EACH(128 - limit)) >> 7 & EACH(1);
}

// A-Z are 65 above their value, a-z 6 more, 0-9 75 less than those, + another 15 less, and / as +
// but 3 more, for 63 is odd. No byte leaves 0..255 on the way, so none carries into its neighbour.
static uint64_t to_alphabet(uint64_t values) {
  const uint64_t signs = at_least(values, 62);
  return values + EACH('A') + 6 * at_least(values, 26) + 3 * (signs & values) -
         75 * at_least(values, 52) - 15 * signs;
}

static void store_group(uint64_t bits, char *text) {
  char quad[8];
  store_big_endian(quad, to_alphabet(spread(bits << 24)));
  memcpy(text, quad, 4);
}

void bn_base64_scalar(const uint8_t *raw, size_t raw_bytes, char *text) {
  // Eight bytes are read for six.
  for (; raw_bytes >= 8; raw_bytes -= 6, raw += 6, text += 8)
    store_big_endian(text, to_alphabet(spread(load_big_endian(raw) >> 16)));
  for (; raw_bytes >= 3; raw_bytes -= 3, raw += 3, text += 4)
    store_group((uint64_t)raw[0] << 16 | (uint64_t)raw[1] << 8 | raw[2], text);
  if (raw_bytes == 0)
    return;
  store_group((uint64_t)raw[0] << 16 | (raw_bytes == 2 ? (uint64_t)raw[1] << 8 : 0), text);
  if (raw_bytes == 1)
    text[2] = '=';
  text[3] = '=';
}
