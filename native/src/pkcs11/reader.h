// SPDX-License-Identifier: Apache-2.0
//
// A reader: one thread with a session of its own that asks the module for bytes, tests, encodes and
// publishes them. It shares nothing with other readers but what source.h says.

#ifndef BN_PKCS11_READER_H
#define BN_PKCS11_READER_H

#include <pthread.h>

#include "health/health.h"
#include "pkcs11/call_size.h"
#include "pkcs11/cryptoki.h"
#include "ring/packer.h"

struct bn_source;

struct bn_reader {
  struct bn_source *source;
  uint32_t index;
  pthread_t thread;
  CK_SESSION_HANDLE session;
  struct bn_lane lane;
  struct bn_packer packer;
  struct bn_call_size size;
  struct bn_health *health;        // secure: it remembers bytes
  uint8_t poison[BN_POISON_BYTES]; // random, not secret
  uint32_t most_bytes;             // of a call
  uint64_t last_call_ns;
  int recovered; // a new session was opened, and no call has succeeded since
};

// Everything that a reader needs but its session.
BN_CHECKED enum bn_err bn_reader_open(struct bn_source *source, uint32_t index,
                                      struct bn_reader *out, struct bn_fault *fault);
// Wipes and frees; NULL fields are allowed. The session is left to C_Finalize.
void bn_reader_close(struct bn_reader *reader);
// The thread's body.
void *bn_reader_main(void *arg);

#endif
