// SPDX-License-Identifier: Apache-2.0
//
// What the threads of a source share. Readers see this and source.c; nobody else does.

#ifndef BN_PKCS11_SOURCE_H
#define BN_PKCS11_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>

#include "pkcs11/module.h"
#include "pkcs11/reader.h"

struct bn_source {
  // Set before the readers run, and only read afterwards.
  struct bn_source_config config;
  struct bn_ring_producer *ring;
  struct bn_module module;
  CK_SLOT_ID slot;
  char *pin_path;                  // NULL: no login
  CK_SESSION_HANDLE login_session; // becomes the first reader's
  int stop_fd;                     // an eventfd that stays readable once it is time to stop
  uint32_t n_readers;              // that were started
  struct bn_reader *readers;

  atomic_int stopping;
  pthread_mutex_t recovery_lock; // one reader at a time reopens and logs in

  pthread_mutex_t lock; // the rest
  pthread_cond_t reader_ended;
  uint32_t n_running;
  int failed;            // a reader ended by itself
  struct bn_fault fault; // why the first of them did
};

static inline int bn_source_stopping(const struct bn_source *source) {
  // Only a request to look up: what it is about is ordered by the locks.
  return atomic_load_explicit(&source->stopping, memory_order_relaxed);
}

// Asks every reader to stop; none is waited for.
void bn_source_stop(struct bn_source *source);

// A reader's last words. `fault` is BN_OK when it was asked to stop. Stops the other readers.
void bn_source_reader_ended(struct bn_source *source, const struct bn_fault *fault);

#endif
