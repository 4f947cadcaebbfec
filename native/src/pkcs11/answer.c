// SPDX-License-Identifier: Apache-2.0
//
// Return values, sorted.

#include "pkcs11/answer.h"

#include "memory/memory.h"

enum bn_answer bn_answer_of_random(CK_RV ckr) {
  switch (ckr) {
  case CKR_ARGUMENTS_BAD:  // NetHSM over 1,024 bytes, NSS over 64 KiB
  case CKR_DATA_LEN_RANGE: // YubiHSM 2
  case CKR_BUFFER_TOO_SMALL:
    return BN_ANSWER_LENGTH;
  case CKR_DEVICE_ERROR:
  case CKR_DEVICE_MEMORY:
  case CKR_GENERAL_ERROR:
  case CKR_FUNCTION_FAILED:
  case CKR_HOST_MEMORY:
    return BN_ANSWER_DEVICE;
  case CKR_RANDOM_NO_RNG:
  case CKR_FUNCTION_NOT_SUPPORTED:
  case CKR_CRYPTOKI_NOT_INITIALIZED: // what is in place is not finalised and initialised anew
    return BN_ANSWER_FINAL;
  default: // lost sessions, logins and tokens, and what vendors define
    return BN_ANSWER_SESSION;
  }
}

int bn_answer_refuses_pin(CK_RV ckr) {
  switch (ckr) {
  case CKR_PIN_INCORRECT:
  case CKR_PIN_INVALID:
  case CKR_PIN_LEN_RANGE:
  case CKR_PIN_EXPIRED:
  case CKR_PIN_LOCKED:
  case CKR_USER_PIN_NOT_INITIALIZED:
    return 1;
  default:
    return 0;
  }
}

enum bn_err bn_answer_fault(struct bn_fault *fault, CK_RV ckr, const char *where,
                            const char *text) {
  return bn_fault_set(fault, BN_ERR_CKR, 0, ckr, where, text);
}
