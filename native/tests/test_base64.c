// SPDX-License-Identifier: Apache-2.0
//
// Every kernel against a plain encoder written here, at every length and alignment, with memory
// that cannot be touched right before and right after both buffers. With a kernel's name, that one
// alone; what cannot be run here says so.

#include "base64/kernel.h"
#include "bn.h"
#include "guarded.h"

#include <string.h>

#define LENGTH_MAX 600
#define LONG_BYTES (3 * 65536 + 7)
#define LONGEST_BYTES ((size_t)16 << 20)

static size_t reference(const uint8_t *raw, size_t raw_bytes, char *text) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t n = 0;
  for (size_t i = 0; i < raw_bytes; i += 3) {
    unsigned bits = 0;
    for (size_t k = 0; k < 3; k++)
      bits = bits << 8 | (i + k < raw_bytes ? raw[i + k] : 0U);
    for (size_t k = 0; k < 4; k++)
      text[n++] = (char)(i + k <= raw_bytes ? alphabet[bits >> (18 - 6 * k) & 63U] : '=');
  }
  return n;
}

static void check_one(uint32_t kernel, const uint8_t *raw, size_t raw_bytes, char *text) {
  static char expected[2 * LONGEST_BYTES];
  size_t text_bytes = reference(raw, raw_bytes, expected);
  CHECK_EQUAL(bn_base64_text_bytes(raw_bytes), text_bytes);
  memset(text, '!', text_bytes);
  CHECK_EQUAL(bn_base64_encode(kernel, raw, raw_bytes, text), BN_OK);
  CHECK(memcmp(text, expected, text_bytes) == 0);
}

static void every_length_between_guards(uint32_t kernel) {
  size_t page;
  uint8_t *raw = guarded_page(&page);
  char *text = (char *)guarded_page(&page);
  uint64_t random = 1;
  check_fill(&random, raw, page);
  for (size_t n = 0; n <= LENGTH_MAX; n++) {
    size_t text_bytes = bn_base64_text_bytes(n);
    check_one(kernel, raw, n, text);                                // at the lower guards
    check_one(kernel, raw + page - n, n, text + page - text_bytes); // at the upper ones
    check_one(kernel, raw, n, text + page - text_bytes);            // at one of each
    check_one(kernel, raw + page - n, n, text);
  }
}

static void every_alignment(uint32_t kernel) {
  static uint8_t raw[LENGTH_MAX + 64];
  static char text[LENGTH_MAX * 2 + 64];
  static const size_t lengths[] = {1, 2, 3, 27, 28, 29, 48, 72, 96, 97, 127, 255, 300, 511, 600};
  uint64_t random = 2;
  check_fill(&random, raw, sizeof raw);
  for (size_t from = 0; from < 64; from++)
    for (size_t to = 0; to < 64; to++)
      for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(text, '!', sizeof text);
        check_one(kernel, raw + from, lengths[i], text + to);
        for (size_t k = 0; k < sizeof text; k++) // nothing written beside
          if (k < to || k >= to + bn_base64_text_bytes(lengths[i]))
            CHECK(text[k] == '!');
      }
}

static void every_value(uint32_t kernel) { // of three bytes, and a long buffer at once
  static uint8_t raw[LONG_BYTES];
  static char text[LONG_BYTES * 2];
  for (unsigned block = 0; block < 256; block++) {
    for (unsigned i = 0; i < 65536; i++) {
      raw[3 * i] = (uint8_t)block;
      raw[3 * i + 1] = (uint8_t)(i >> 8);
      raw[3 * i + 2] = (uint8_t)i;
    }
    check_one(kernel, raw, sizeof raw, text);
  }
}

// What fits in which cache is gone over in ways of its own. None reaches over an end: the bytes,
// and the text where its alignment does not matter, end at a guard.
static void every_way_of_long_buffers(uint32_t kernel) {
  static uint8_t *raw;
  static char *text;
  static const size_t lengths[] = {28671,  28672,   65537,   163840,
                                   400000, 1000000, 3145735, LONGEST_BYTES};
  if (raw == NULL) {
    uint64_t random = 4;
    raw = guarded_area(LONGEST_BYTES);
    text = (char *)guarded_area(2 * LONGEST_BYTES);
    check_fill(&random, raw, LONGEST_BYTES);
  }
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    const uint8_t *from = raw + LONGEST_BYTES - lengths[i];
    check_one(kernel, from, lengths[i], text);
    check_one(kernel, from, lengths[i],
              text + 2 * LONGEST_BYTES - bn_base64_text_bytes(lengths[i]));
  }
}

static void misuse(void) {
  uint8_t raw[64] = {0};
  char *same = (char *)raw;
  CHECK_EQUAL(bn_base64_encode(bn_base64_kernel_count(), raw, 3, same + 32), BN_ERR_KERNEL);
  CHECK_EQUAL(bn_base64_encode(0, raw, 24, same + 23), BN_ERR_ARGUMENT);
  CHECK_EQUAL(bn_base64_encode(0, raw + 31, 24, same), BN_ERR_ARGUMENT);
  CHECK_EQUAL(bn_base64_encode(0, raw, 24, same + 24), BN_OK);
  CHECK(bn_base64_kernel_name(bn_base64_kernel_count()) == NULL);
  CHECK(!bn_base64_kernel_usable(bn_base64_kernel_count()));
  CHECK(strcmp(bn_base64_kernel_name(0), "scalar") == 0);
  CHECK(bn_base64_kernel_usable(0));
}

#define EXIT_SKIPPED 77

// Whether it ran.
static int test_kernel(const char *name) {
  uint32_t kernel = 0;
  while (kernel < bn_base64_kernel_count() && strcmp(bn_base64_kernel_name(kernel), name) != 0)
    kernel++;
  if (kernel == bn_base64_kernel_count()) {
    (void)printf("%s: SKIPPED, not a kernel of this architecture\n", name);
    return 0;
  }
  if (!bn_base64_kernel_usable(kernel)) {
    CHECK_EQUAL(bn_base64_encode(kernel, (const uint8_t *)"abc", 3, (char[4]){0}), BN_ERR_KERNEL);
    CHECK(bn_base64_kernel_function(kernel) == NULL);
    (void)printf("%s: SKIPPED, this processor does not run it\n", name);
    return 0;
  }
  every_length_between_guards(kernel);
  every_alignment(kernel);
  every_value(kernel);
  every_way_of_long_buffers(kernel);
  (void)printf("%s: passed\n", name);
  return 1;
}

// The kernels of all architectures, so that none goes missing without a word.
static const char *const known[] = {"scalar", "ssse3", "avx2", "avx512vbmi", "neon"};
#define N_KNOWN (sizeof known / sizeof known[0])

static void every_kernel_is_known(void) {
  for (uint32_t kernel = 0; kernel < bn_base64_kernel_count(); kernel++) {
    size_t i = 0;
    while (i < N_KNOWN && strcmp(known[i], bn_base64_kernel_name(kernel)) != 0)
      i++;
    CHECK(i < N_KNOWN);
  }
}

int main(int argc, char **argv) {
  CHECK(bn_base64_kernel_usable(bn_base64_kernel_best()));
  every_kernel_is_known();
  misuse();
  if (argc > 1)
    return test_kernel(argv[1]) ? 0 : EXIT_SKIPPED;
  for (size_t i = 0; i < N_KNOWN; i++)
    (void)test_kernel(known[i]);
  return 0;
}
