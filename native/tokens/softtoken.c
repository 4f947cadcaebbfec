// SPDX-License-Identifier: Apache-2.0
//
// The soft token: the kernel's random numbers behind PKCS#11, for demonstrations and rehearsals. It
// is not a hardware security module, says so in its label, and has nothing to configure.

#include "token.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

const struct token_words token_words = {
    .manufacturer = "entropy-bridge",
    .library = "soft token, not an HSM",
    .slot = "getrandom, not an HSM",
    .label = "entropy-bridge soft token",
    .model = "softtoken",
    .serial = "1",
};

CK_RV token_initialise(const CK_C_INITIALIZE_ARGS *args) {
  return args != NULL && args->pReserved != NULL ? CKR_ARGUMENTS_BAD : CKR_OK;
}

void token_finalise(void) {}

CK_ULONG token_slots(void) {
  return 1;
}

int token_present(void) {
  return 1;
}

CK_FLAGS token_flags(void) {
  return CKF_RNG | CKF_WRITE_PROTECTED;
}

CK_RV token_login(const CK_UTF8CHAR *pin, CK_ULONG pin_bytes) {
  (void)pin, (void)pin_bytes;
  return CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV token_random(CK_BYTE *out, CK_ULONG len_bytes, int logged_in) {
  (void)logged_in;
  while (len_bytes > 0) {
    ssize_t got = getrandom(out, len_bytes, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return CKR_DEVICE_ERROR;
    out += got;
    len_bytes -= (CK_ULONG)got;
  }
  return CKR_OK;
}
