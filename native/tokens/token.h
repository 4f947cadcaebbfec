// SPDX-License-Identifier: Apache-2.0
//
// A PKCS#11 module whose tokens have random bytes and nothing else. module.c answers as the
// specification says; what makes one module different from the other stands behind the functions
// below, which softtoken.c and testtoken.c define. They are called from any thread, and the module
// is initialised whenever they are, but for token_initialise().

#ifndef BN_TOKEN_H
#define BN_TOKEN_H

#include "cryptoki.h"

#define TOKEN_SLOTS_MAX 16

struct token_words {
  const char *manufacturer;
  const char *library;
  const char *slot;
  const char *label;
  const char *model;
  const char *serial; // of slot 0; a further slot's serial has a letter more: B, C, ...
};
extern const struct token_words token_words;

CK_RV token_initialise(const CK_C_INITIALIZE_ARGS *args); // args may be NULL
void token_finalise(void);
CK_ULONG token_slots(void); // at most TOKEN_SLOTS_MAX; slot ids count from 0
int token_present(void);    // in all slots, or in none
CK_FLAGS token_flags(void); // of CK_TOKEN_INFO, beyond CKF_TOKEN_INITIALIZED
CK_RV token_login(const CK_UTF8CHAR *pin, CK_ULONG pin_bytes);
CK_RV token_random(CK_BYTE *out, CK_ULONG len_bytes, int logged_in);

#endif
