// SPDX-License-Identifier: Apache-2.0
//
// What a return value of a module means for the one who called: pure, and the only place that says.

#ifndef BN_PKCS11_ANSWER_H
#define BN_PKCS11_ANSWER_H

#include "bn.h"
#include "pkcs11/cryptoki.h"

enum bn_answer {     // of C_GenerateRandom, other than CKR_OK
  BN_ANSWER_LENGTH,  // the length was too much
  BN_ANSWER_DEVICE,  // the device failed, or the length was too much: modules say it for either
  BN_ANSWER_SESSION, // session, login or token are gone
  BN_ANSWER_FINAL,   // a new session would get the same
};

enum bn_answer bn_answer_of_random(CK_RV ckr);
// 1 when a C_Login that got this must never be repeated with the same PIN.
int bn_answer_refuses_pin(CK_RV ckr);

// The module answered `ckr` to `where`: fills in the fault, returns BN_ERR_CKR.
enum bn_err bn_answer_fault(struct bn_fault *fault, CK_RV ckr, const char *where, const char *text);

#endif
