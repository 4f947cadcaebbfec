// SPDX-License-Identifier: Apache-2.0
//
// Reopening a session.

#include "pkcs11/recovery.h"

#include "pkcs11/login.h"
#include "pkcs11/session.h"

// The login is the application's, not the session's: while another session of ours lives, it lasts,
// and a PIN that need not be sent cannot be refused.
static int needs_login(const struct bn_source *source, CK_SESSION_HANDLE session, CK_RV ckr) {
  return source->pin_path != NULL &&
         (ckr == CKR_USER_NOT_LOGGED_IN || !bn_session_logged_in(&source->module, session));
}

static enum bn_err reopen(struct bn_source *source, struct bn_reader *reader, CK_RV ckr,
                          struct bn_fault *fault) {
  bn_ring_producer_report(source->ring, BN_PHASE_OPENING, NULL);
  bn_session_close(&source->module, reader->session);
  reader->session = CK_INVALID_HANDLE;
  enum bn_err err = bn_session_open(&source->module, source->slot, &reader->session, fault);
  if (err == BN_OK && needs_login(source, reader->session, ckr)) {
    err = bn_login(&source->module, source->slot, reader->session, source->pin_path,
                   source->config.allow_unlocked, source->ring, fault);
  }
  if (err == BN_OK) {
    bn_ring_producer_report(source->ring, BN_PHASE_RUNNING, NULL);
  } else {
    // At once, so that an end of the process from here on is not taken for a crash in C_Login.
    bn_ring_producer_report(source->ring, BN_PHASE_STOPPED, fault);
  }
  return err;
}

enum bn_err bn_recover(struct bn_source *source, struct bn_reader *reader, CK_RV ckr,
                       struct bn_fault *fault) {
  enum bn_err err = BN_OK;
  pthread_mutex_lock(&source->recovery_lock);
  // A reader that failed while this one waited has stopped the source: no login after a refusal.
  if (!bn_source_stopping(source)) {
    err = reopen(source, reader, ckr, fault);
    if (err != BN_OK)
      bn_source_stop(source);
  }
  pthread_mutex_unlock(&source->recovery_lock);
  return err;
}
