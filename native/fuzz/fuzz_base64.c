// SPDX-License-Identifier: Apache-2.0
//
// Every kernel that this processor runs against a reference that shares nothing with them, in
// buffers of the exact size.

#include <stdlib.h>
#include <string.h>

#include "bn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char digit(uint32_t value) {
  return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[value & 63U];
}

// RFC 4648 section 4, one group of three at a time.
static void encode_plainly(const uint8_t *raw, size_t size, char *text) {
  for (size_t i = 0; i < size; i += 3, text += 4) {
    uint32_t group = (uint32_t)raw[i] << 16;
    if (i + 1 < size)
      group |= (uint32_t)raw[i + 1] << 8;
    if (i + 2 < size)
      group |= raw[i + 2];
    text[0] = digit(group >> 18);
    text[1] = digit(group >> 12);
    text[2] = (char)(i + 1 < size ? digit(group >> 6) : '=');
    text[3] = (char)(i + 2 < size ? digit(group) : '=');
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const size_t text_bytes = bn_base64_text_bytes(size);
  char *expected = malloc(text_bytes + 1);
  char *text = malloc(text_bytes + 1);
  uint8_t *raw = malloc(size + 1);
  if (expected == NULL || text == NULL || raw == NULL || text_bytes != (size + 2) / 3 * 4)
    abort();
  memcpy(raw + 1, data, size); // not aligned
  encode_plainly(data, size, expected);
  for (uint32_t kernel = 0; kernel < bn_base64_kernel_count(); kernel++) {
    if (bn_base64_kernel_usable(kernel) == 0)
      continue;
    text[text_bytes] = '!';
    if (bn_base64_encode(kernel, raw + 1, size, text) != BN_OK ||
        memcmp(text, expected, text_bytes) != 0 || text[text_bytes] != '!')
      abort();
  }
  free(raw);
  free(text);
  free(expected);
  return 0;
}
