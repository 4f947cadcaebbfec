// SPDX-License-Identifier: Apache-2.0
//
// Sessions: read-only ones, for random bytes.

#ifndef BN_PKCS11_SESSION_H
#define BN_PKCS11_SESSION_H

#include "pkcs11/module.h"

BN_CHECKED enum bn_err bn_session_open(const struct bn_module *module, CK_SLOT_ID slot,
                                       CK_SESSION_HANDLE *out, struct bn_fault *fault);
// Of a session that may be gone already; CK_INVALID_HANDLE is allowed.
void bn_session_close(const struct bn_module *module, CK_SESSION_HANDLE session);
// 1 when the module says that the user is logged in.
int bn_session_logged_in(const struct bn_module *module, CK_SESSION_HANDLE session);

#endif
