// SPDX-License-Identifier: Apache-2.0
//
// Reading a PIN and logging in. The PIN is in locked memory, for as long as this takes.

#include "pkcs11/login.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory/memory.h"
#include "pkcs11/answer.h"

struct pin {
  CK_UTF8CHAR *bytes; // BN_PIN_BYTES_MOST + 2, for a newline and to notice a longer file
  size_t n_bytes;
};

#define PIN_MEMORY_BYTES (BN_PIN_BYTES_MOST + 2)

// Reads to the end of the file or of the memory; a system call's errno, or 0.
static int read_all(int fd, struct pin *pin) {
  while (pin->n_bytes < PIN_MEMORY_BYTES) {
    const ssize_t got = read(fd, pin->bytes + pin->n_bytes, PIN_MEMORY_BYTES - pin->n_bytes);
    if (got == 0)
      return 0;
    if (got > 0)
      pin->n_bytes += (size_t)got;
    else if (errno != EINTR)
      return errno;
  }
  return 0;
}

// Takes away the newline that an editor wrote, which may be one of Windows.
static void strip_newline(struct pin *pin) {
  if (pin->n_bytes > 0 && pin->bytes[pin->n_bytes - 1] == '\n') {
    pin->n_bytes--;
    if (pin->n_bytes > 0 && pin->bytes[pin->n_bytes - 1] == '\r')
      pin->n_bytes--;
  }
}

// What is wrong with it, or NULL. It is found out here because a login would cost one of few tries.
static const char *wrong_with(const struct pin *pin) {
  if (pin->n_bytes == 0)
    return "is empty";
  if (pin->n_bytes > BN_PIN_BYTES_MOST)
    return "is too long for a PIN";
  if (memchr(pin->bytes, '\n', pin->n_bytes) != NULL)
    return "has more than one line; keep only the PIN";
  return NULL;
}

static enum bn_err read_pin(const char *path, struct pin *pin, struct bn_fault *fault) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return bn_fault_set(fault, BN_ERR_PIN_FILE, errno, 0, "open", path);
  const int sys_errno = read_all(fd, pin);
  close(fd);
  if (sys_errno != 0)
    return bn_fault_set(fault, BN_ERR_PIN_FILE, sys_errno, 0, "read", path);
  strip_newline(pin);
  const char *wrong = wrong_with(pin);
  if (wrong != NULL) {
    char text[sizeof fault->text];
    (void)snprintf(text, sizeof text, "%s %s", path, wrong);
    return bn_fault_set(fault, BN_ERR_PIN_FILE, 0, 0, "read", text);
  }
  return BN_OK;
}

static enum bn_err check_flags(const struct bn_module *module, CK_SLOT_ID slot,
                               struct bn_fault *fault) {
  CK_TOKEN_INFO info;
  const CK_RV ckr = module->calls->C_GetTokenInfo(slot, &info);
  if (ckr != CKR_OK)
    return bn_answer_fault(fault, ckr, "C_GetTokenInfo", NULL);
  if ((info.flags & CKF_USER_PIN_LOCKED) != 0) {
    return bn_fault_set(fault, BN_ERR_PIN_REFUSED, 0, 0, "C_GetTokenInfo",
                        "the token says that its PIN is locked; no login was made");
  }
  if ((info.flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    return bn_fault_set(fault, BN_ERR_PIN_REFUSED, 0, 0, "C_GetTokenInfo",
                        "the token says that one wrong PIN more locks it; no login was made");
  }
  return BN_OK;
}

static enum bn_err log_in(const struct bn_module *module, CK_SESSION_HANDLE session,
                          const struct pin *pin, struct bn_fault *fault) {
  const CK_RV ckr = module->calls->C_Login(session, CKU_USER, pin->bytes, pin->n_bytes);
  if (ckr == CKR_OK || ckr == CKR_USER_ALREADY_LOGGED_IN)
    return BN_OK;
  if (bn_answer_refuses_pin(ckr))
    return bn_fault_set(fault, BN_ERR_PIN_REFUSED, 0, ckr, "C_Login", NULL);
  return bn_answer_fault(fault, ckr, "C_Login", NULL);
}

enum bn_err bn_login(const struct bn_module *module, CK_SLOT_ID slot, CK_SESSION_HANDLE session,
                     const char *pin_path, int allow_unlocked, struct bn_ring_producer *ring,
                     struct bn_fault *fault) {
  struct pin pin = {.bytes = bn_secure_alloc(PIN_MEMORY_BYTES, allow_unlocked, fault)};
  if (pin.bytes == NULL)
    return (enum bn_err)fault->err;
  enum bn_err err = read_pin(pin_path, &pin, fault);
  if (err == BN_OK)
    err = check_flags(module, slot, fault);
  if (err == BN_OK) {
    bn_ring_producer_report(ring, BN_PHASE_LOGIN, NULL);
    err = log_in(module, session, &pin, fault);
  }
  bn_secure_free(pin.bytes, PIN_MEMORY_BYTES);
  bn_wipe_registers();
  return err;
}
