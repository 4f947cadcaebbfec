// SPDX-License-Identifier: Apache-2.0
//
// Getting a lost session back, in place: a new session and, if need be, a new login. What this does
// not heal, a new process has to.

#ifndef BN_PKCS11_RECOVERY_H
#define BN_PKCS11_RECOVERY_H

#include "pkcs11/source.h"

// Replaces the reader's session after C_GenerateRandom returned `ckr`. Shows as BN_PHASE_OPENING,
// BN_PHASE_LOGIN if there is a login, and BN_PHASE_RUNNING again.
BN_CHECKED enum bn_err bn_recover(struct bn_source *source, struct bn_reader *reader, CK_RV ckr,
                                  struct bn_fault *fault);

#endif
