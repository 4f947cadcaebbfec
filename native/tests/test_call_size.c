// SPDX-License-Identifier: Apache-2.0
//
// The length of calls against modules of every kind, each a function of the length: how long a call
// takes, and whether it succeeds.

#include "check.h"
#include "pkcs11/answer.h"
#include "pkcs11/call_size.h"

struct module {
  uint32_t longest; // that it accepts; 0: any
  uint64_t call_ns;
  double byte_ns;
};

static uint64_t duration_ns(const struct module *module, uint32_t n_bytes) {
  return module->call_ns + (uint64_t)(module->byte_ns * n_bytes);
}

static uint32_t settle(const struct module *module, uint32_t fixed_bytes, uint32_t most_bytes) {
  struct bn_call_size size;
  bn_call_size_init(&size, fixed_bytes, most_bytes);
  for (int call = 0; call < 200; call++) {
    CHECK(size.bytes > 0 && size.bytes <= most_bytes);
    if (module->longest == 0 || size.bytes <= module->longest)
      bn_call_size_succeeded(&size, size.bytes, duration_ns(module, size.bytes));
    else if (!bn_call_size_failed(&size, size.bytes))
      return 0;
  }
  return size.bytes;
}

static void test_found_lengths(void) {
  const struct module fast = {.call_ns = 1000, .byte_ns = 0.3};
  CHECK_EQUAL(settle(&fast, 0, 65536), 65536);
  CHECK_EQUAL(settle(&fast, 0, 49152), 32768);
  const struct module nethsm = {.longest = 1024, .call_ns = 3000000};
  CHECK_EQUAL(settle(&nethsm, 0, 65536), 1024);
  const struct module yubihsm = {.longest = 3136, .call_ns = 5000000, .byte_ns = 1000};
  CHECK_EQUAL(settle(&yubihsm, 0, 65536), 2048);
  const struct module tiny = {.longest = 100};
  CHECK_EQUAL(settle(&tiny, 0, 65536), 64);
  const struct module none = {.longest = 16};
  CHECK_EQUAL(settle(&none, 0, 65536), 0);
  // A TPM: slow, and as slow per byte at any length.
  const struct module tpm = {.byte_ns = 1000};
  CHECK_EQUAL(settle(&tpm, 0, 65536), 1024);
  // A network in between: a longer call pays, until twice its time is more than a tenth of a
  // second.
  const struct module network = {.call_ns = 20000000, .byte_ns = 2000};
  CHECK_EQUAL(settle(&network, 0, 65536), 16384);
  const struct module slow = {.call_ns = 4000000000};
  CHECK_EQUAL(settle(&slow, 0, 65536), 1024);
}

static void test_fixed_lengths(void) {
  const struct module fast = {.call_ns = 1000, .byte_ns = 0.3};
  CHECK_EQUAL(settle(&fast, 4096, 4096), 4096);
  CHECK_EQUAL(settle(&fast, 1048576, 1048576), 1048576);
  const struct module nss = {.longest = 65536, .byte_ns = 4};
  CHECK_EQUAL(settle(&nss, 262144, 262144), 65536);
}

static void test_shorter_calls_say_nothing(void) {
  struct bn_call_size size;
  bn_call_size_init(&size, 0, 65536);
  for (int call = 0; call < 100; call++)
    bn_call_size_succeeded(&size, 512, 10);
  CHECK_EQUAL(size.bytes, 1024);
  // A failure of a call that was cut to the space there was.
  struct bn_call_size cut;
  bn_call_size_init(&cut, 65536, 65536);
  CHECK(bn_call_size_failed(&cut, 12288));
  CHECK(cut.bytes < 12288 && cut.bytes >= 6144);
}

static void test_answers(void) {
  CHECK_EQUAL(bn_answer_of_random(CKR_ARGUMENTS_BAD), BN_ANSWER_LENGTH);
  CHECK_EQUAL(bn_answer_of_random(CKR_DATA_LEN_RANGE), BN_ANSWER_LENGTH);
  CHECK_EQUAL(bn_answer_of_random(CKR_BUFFER_TOO_SMALL), BN_ANSWER_LENGTH);
  CHECK_EQUAL(bn_answer_of_random(CKR_DEVICE_ERROR), BN_ANSWER_DEVICE);
  CHECK_EQUAL(bn_answer_of_random(CKR_DEVICE_MEMORY), BN_ANSWER_DEVICE);
  CHECK_EQUAL(bn_answer_of_random(CKR_SESSION_HANDLE_INVALID), BN_ANSWER_SESSION);
  CHECK_EQUAL(bn_answer_of_random(CKR_USER_NOT_LOGGED_IN), BN_ANSWER_SESSION);
  CHECK_EQUAL(bn_answer_of_random(CKR_DEVICE_REMOVED), BN_ANSWER_SESSION);
  CHECK_EQUAL(bn_answer_of_random(0x80000123UL), BN_ANSWER_SESSION);
  CHECK_EQUAL(bn_answer_of_random(CKR_RANDOM_NO_RNG), BN_ANSWER_FINAL);
  CHECK_EQUAL(bn_answer_of_random(CKR_CRYPTOKI_NOT_INITIALIZED), BN_ANSWER_FINAL);
  static const CK_RV refusals[] = {CKR_PIN_INCORRECT, CKR_PIN_INVALID,
                                   CKR_PIN_LEN_RANGE, CKR_PIN_EXPIRED,
                                   CKR_PIN_LOCKED,    CKR_USER_PIN_NOT_INITIALIZED};
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    CHECK(bn_answer_refuses_pin(refusals[i]));
  CHECK(!bn_answer_refuses_pin(CKR_DEVICE_ERROR));
  CHECK(!bn_answer_refuses_pin(CKR_TOKEN_NOT_PRESENT));
}

int main(void) {
  test_found_lengths();
  test_fixed_lengths();
  test_shorter_calls_say_nothing();
  test_answers();
  return 0;
}
