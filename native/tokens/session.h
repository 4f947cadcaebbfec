// SPDX-License-Identifier: Apache-2.0
//
// The sessions of a module and who is logged in. Every function may be called from any thread.

#ifndef BN_SESSION_H
#define BN_SESSION_H

#include "cryptoki.h"

struct session {
  CK_SLOT_ID slot;
  CK_FLAGS flags;
};

CK_RV session_open(CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *handle);
CK_RV session_find(CK_SESSION_HANDLE handle, struct session *out);
CK_RV session_close(CK_SESSION_HANDLE handle);
void session_close_all(CK_SLOT_ID slot);
CK_ULONG session_count(CK_SLOT_ID slot);

// A token's user stays logged in until the last session with the token is closed.
int session_logged_in(CK_SLOT_ID slot);
void session_set_logged_in(CK_SLOT_ID slot, int logged_in);

#endif
