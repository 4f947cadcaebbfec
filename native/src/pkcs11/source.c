// SPDX-License-Identifier: Apache-2.0
//
// A source from open to close. The functions of bn.h are called by one thread (but bn_source_wait);
// what the readers share with it is in source.h.

#include "pkcs11/source.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "memory/memory.h"
#include "pkcs11/answer.h"
#include "pkcs11/login.h"
#include "pkcs11/session.h"

// ---- open and close -----------------------------------------------------------------------------

static void init_locks(struct bn_source *source) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&source->reader_ended, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&source->lock, NULL);
  pthread_mutex_init(&source->recovery_lock, NULL);
}

enum bn_err bn_source_open(const struct bn_source_config *config, struct bn_source **out,
                           struct bn_fault *fault) {
  if (config->call_bytes != 0 &&
      (config->call_bytes < BN_CALL_BYTES_LEAST || config->call_bytes > BN_CALL_BYTES_MOST)) {
    return bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_source_open",
                        "a call is of 32 to 1,048,576 bytes");
  }
  enum bn_err err;
  struct bn_source *source = calloc(1, sizeof *source);
  if (source == NULL)
    return bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_source_open", NULL);
  source->config = *config;
  source->login_session = CK_INVALID_HANDLE;
  source->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (source->stop_fd < 0) {
    err = bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "eventfd", NULL);
    goto err_free;
  }
  err = bn_ring_producer_open(config->ring_fd, config->n_slots, config->n_readers,
                              config->data_eventfd, config->allow_unlocked, &source->ring, fault);
  if (err != BN_OK)
    goto err_close;
  init_locks(source);
  bn_ring_producer_report(source->ring, BN_PHASE_STARTED, NULL);
  *out = source;
  return BN_OK;

err_close:
  close(source->stop_fd);
err_free:
  free(source);
  return err;
}

static void deadline_after(int32_t timeout_ms, struct timespec *out) {
  clock_gettime(CLOCK_MONOTONIC, out);
  if (timeout_ms < 0)
    return;
  out->tv_sec += timeout_ms / 1000;
  out->tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (out->tv_nsec >= 1000000000) {
    out->tv_sec++;
    out->tv_nsec -= 1000000000;
  }
}

void bn_source_stop(struct bn_source *source) {
  const uint64_t one = 1;
  atomic_store_explicit(&source->stopping, 1, memory_order_relaxed);
  const ssize_t written = write(source->stop_fd, &one, sizeof one);
  (void)written; // it fails only when it is readable already
}

static int wait_for_readers(struct bn_source *source, int32_t timeout_ms) {
  struct timespec deadline;
  deadline_after(timeout_ms, &deadline);
  pthread_mutex_lock(&source->lock);
  int rc = 0;
  while (source->n_running > 0 && rc == 0)
    rc = pthread_cond_timedwait(&source->reader_ended, &source->lock, &deadline);
  const int ended = source->n_running == 0;
  pthread_mutex_unlock(&source->lock);
  return ended;
}

enum bn_err bn_source_close(struct bn_source *source, int32_t timeout_ms) {
  if (source == NULL)
    return BN_OK;
  bn_source_stop(source);
  if (!wait_for_readers(source, timeout_ms))
    return BN_ERR_SYSTEM; // all of it is left to the thread that hangs
  for (uint32_t i = 0; i < source->n_readers; i++)
    pthread_join(source->readers[i].thread, NULL);
  bn_ring_producer_report(source->ring, BN_PHASE_STOPPED, NULL);
  bn_module_finalise(&source->module);
  bn_ring_producer_close(source->ring);
  pthread_cond_destroy(&source->reader_ended);
  pthread_mutex_destroy(&source->lock);
  pthread_mutex_destroy(&source->recovery_lock);
  close(source->stop_fd);
  free(source->readers);
  free(source->pin_path);
  free(source);
  return BN_OK;
}

// ---- load and login -----------------------------------------------------------------------------

// Ends the phase that failed, so that the header says why before anything else can happen.
static enum bn_err stopped(struct bn_source *source, const struct bn_fault *fault) {
  bn_ring_producer_report(source->ring, BN_PHASE_STOPPED, fault);
  return (enum bn_err)fault->err;
}

static enum bn_err out_of_turn(struct bn_fault *fault, const char *where) {
  return bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, where, "called out of turn");
}

enum bn_err bn_source_load(struct bn_source *source, const char *module_path, const char *init_args,
                           struct bn_fault *fault) {
  if (source->module.calls != NULL)
    return out_of_turn(fault, "bn_source_load");
  bn_ring_producer_report(source->ring, BN_PHASE_INITIALISING, NULL);
  if (bn_module_load(module_path, init_args, &source->module, fault) != BN_OK)
    return stopped(source, fault);
  bn_ring_producer_report(source->ring, BN_PHASE_SELECTING, NULL);
  return BN_OK;
}

enum bn_err bn_source_login(struct bn_source *source, uint64_t slot_id, const char *pin_path,
                            struct bn_fault *fault) {
  if (source->module.calls == NULL || source->pin_path != NULL || source->n_readers > 0)
    return out_of_turn(fault, "bn_source_login");
  source->slot = slot_id;
  source->pin_path = strdup(pin_path);
  if (source->pin_path == NULL) {
    (void)bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_source_login", NULL);
    return stopped(source, fault);
  }
  if (bn_session_open(&source->module, slot_id, &source->login_session, fault) != BN_OK ||
      bn_login(&source->module, slot_id, source->login_session, pin_path,
               source->config.allow_unlocked, source->ring, fault) != BN_OK) {
    return stopped(source, fault);
  }
  bn_ring_producer_report(source->ring, BN_PHASE_OPENING, NULL);
  return BN_OK;
}

// ---- start --------------------------------------------------------------------------------------

static enum bn_err open_session(struct bn_source *source, struct bn_reader *reader,
                                struct bn_fault *fault) {
  if (source->login_session != CK_INVALID_HANDLE) {
    reader->session = source->login_session;
    source->login_session = CK_INVALID_HANDLE;
    return BN_OK;
  }
  return bn_session_open(&source->module, source->slot, &reader->session, fault);
}

// Opens the readers; with fewer sessions than asked for it goes on, if there is one.
static enum bn_err open_readers(struct bn_source *source, uint32_t n_wanted, uint32_t *n_opened,
                                struct bn_fault *fault) {
  for (*n_opened = 0; *n_opened < n_wanted; ++*n_opened) {
    struct bn_reader *reader = &source->readers[*n_opened];
    enum bn_err err = bn_reader_open(source, *n_opened, reader, fault);
    if (err == BN_OK)
      err = open_session(source, reader, fault);
    if (err != BN_OK) {
      bn_reader_close(reader);
      return fault->ckr == CKR_SESSION_COUNT && *n_opened > 0 ? BN_OK : err;
    }
  }
  return BN_OK;
}

// Signals are for the thread that Python runs in.
static int create_thread(struct bn_reader *reader) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int rc = pthread_create(&reader->thread, NULL, bn_reader_main, reader);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc;
}

enum bn_err bn_source_start(struct bn_source *source, uint64_t slot_id, struct bn_fault *fault) {
  if (source->module.calls == NULL || source->readers != NULL ||
      (source->pin_path != NULL && source->slot != slot_id)) {
    return out_of_turn(fault, "bn_source_start");
  }
  source->slot = slot_id;
  bn_ring_producer_report(source->ring, BN_PHASE_OPENING, NULL);
  const uint32_t n_wanted = source->module.single_threaded ? 1 : source->config.n_readers;
  source->readers = calloc(n_wanted, sizeof *source->readers);
  if (source->readers == NULL) {
    (void)bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_source_start", NULL);
    return stopped(source, fault);
  }
  uint32_t n_opened = 0;
  enum bn_err err = open_readers(source, n_wanted, &n_opened, fault);
  if (err == BN_OK)
    bn_ring_producer_report(source->ring, BN_PHASE_RUNNING, NULL);
  while (err == BN_OK && source->n_readers < n_opened) {
    pthread_mutex_lock(&source->lock);
    const int rc = create_thread(&source->readers[source->n_readers]);
    if (rc == 0) {
      source->n_readers++;
      source->n_running++;
    } else {
      err = bn_fault_set(fault, BN_ERR_SYSTEM, rc, 0, "pthread_create", NULL);
    }
    pthread_mutex_unlock(&source->lock);
  }
  if (err != BN_OK) {
    bn_source_stop(source);
    for (uint32_t i = source->n_readers; i < n_opened; i++)
      bn_reader_close(&source->readers[i]);
    return stopped(source, fault);
  }
  return BN_OK;
}

// ---- while it runs ------------------------------------------------------------------------------

void bn_source_reader_ended(struct bn_source *source, const struct bn_fault *fault) {
  if (fault->err != BN_OK) {
    bn_ring_producer_report(source->ring, BN_PHASE_STOPPED, fault);
    bn_source_stop(source);
  }
  pthread_mutex_lock(&source->lock);
  if (fault->err != BN_OK && !source->failed) {
    source->failed = 1;
    source->fault = *fault;
  }
  source->n_running--;
  pthread_cond_broadcast(&source->reader_ended);
  pthread_mutex_unlock(&source->lock);
}

enum bn_err bn_source_wait(struct bn_source *source, int32_t timeout_ms, struct bn_fault *fault) {
  struct timespec deadline;
  deadline_after(timeout_ms, &deadline);
  enum bn_err err = BN_OK;
  int rc = 0;
  pthread_mutex_lock(&source->lock);
  while (!source->failed && source->n_running > 0 && rc == 0) {
    rc = timeout_ms < 0 ? pthread_cond_wait(&source->reader_ended, &source->lock)
                        : pthread_cond_timedwait(&source->reader_ended, &source->lock, &deadline);
  }
  if (source->failed) {
    *fault = source->fault;
    err = (enum bn_err)fault->err;
  } else if (source->n_running == 0) {
    err = bn_fault_set(fault, BN_ERR_STOPPED, 0, 0, "bn_source_wait", NULL);
  }
  pthread_mutex_unlock(&source->lock);
  return err;
}

void bn_source_report(struct bn_source *source, uint32_t phase, const struct bn_fault *fault) {
  bn_ring_producer_report(source->ring, phase, fault);
}
