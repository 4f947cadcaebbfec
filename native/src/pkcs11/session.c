// SPDX-License-Identifier: Apache-2.0
//
// Opening, closing and asking sessions.

#include "pkcs11/session.h"

#include "pkcs11/answer.h"

enum bn_err bn_session_open(const struct bn_module *module, CK_SLOT_ID slot, CK_SESSION_HANDLE *out,
                            struct bn_fault *fault) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  const CK_RV ckr = module->calls->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
  if (ckr != CKR_OK)
    return bn_answer_fault(fault, ckr, "C_OpenSession", NULL);
  *out = session;
  return BN_OK;
}

void bn_session_close(const struct bn_module *module, CK_SESSION_HANDLE session) {
  if (session != CK_INVALID_HANDLE)
    (void)module->calls->C_CloseSession(session);
}

int bn_session_logged_in(const struct bn_module *module, CK_SESSION_HANDLE session) {
  CK_SESSION_INFO info;
  return module->calls->C_GetSessionInfo(session, &info) == CKR_OK &&
         (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}
