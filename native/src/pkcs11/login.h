// SPDX-License-Identifier: Apache-2.0
//
// The login. A token counts wrong PINs and destroys its keys after a few, so this is the one place
// that calls C_Login, and it says so in the ring's header before it does.

#ifndef BN_PKCS11_LOGIN_H
#define BN_PKCS11_LOGIN_H

#include "pkcs11/module.h"
#include "ring/producer.h"

#define BN_PIN_BYTES_MOST 1024

// Reads the PIN (one trailing newline is not part of it), looks at the token's flags, announces
// BN_PHASE_LOGIN, logs in, wipes the PIN. BN_ERR_PIN_REFUSED is for good; BN_ERR_PIN_FILE and
// BN_ERR_CKR are not. The phase stays BN_PHASE_LOGIN: the caller sets the next one.
BN_CHECKED enum bn_err bn_login(const struct bn_module *module, CK_SLOT_ID slot,
                                CK_SESSION_HANDLE session, const char *pin_path, int allow_unlocked,
                                struct bn_ring_producer *ring, struct bn_fault *fault);

#endif
