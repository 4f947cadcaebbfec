// SPDX-License-Identifier: Apache-2.0
//
// What a module does with a length, and how fast it is: calls and a clock around them, no tests, no
// ring. Each session has a thread and a buffer of its own, which is wiped; the bytes go nowhere.

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "health/health.h"
#include "memory/memory.h"
#include "pkcs11/answer.h"
#include "pkcs11/latencies.h"
#include "pkcs11/session.h"
#include "pkcs11/source.h"

#define SPILL_BYTES BN_POISON_BYTES // watched behind the bytes that were asked for

struct prober {
  const struct bn_module *module;
  pthread_t thread;
  pthread_mutex_t *gate; // held until all are there
  const int *abandoned;  // read behind the gate
  CK_SESSION_HANDLE session;
  uint32_t call_bytes;
  uint64_t duration_ns;
  uint8_t *buffer; // secure; call_bytes and SPILL_BYTES
  uint64_t began_ns;
  uint64_t ended_ns;
  CK_RV ckr; // of the call that ended it
  struct bn_latencies latencies;
};

static uint64_t clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

// ---- sessions and buffers -----------------------------------------------------------------------

// The session that logged in is used as well, for a token may have no other.
static enum bn_err open_prober(const struct bn_source *source, uint32_t call_bytes, int is_first,
                               struct prober *prober, struct bn_fault *fault) {
  prober->module = &source->module;
  prober->call_bytes = call_bytes;
  prober->session = is_first ? source->login_session : CK_INVALID_HANDLE;
  // Unlocked if need be: what is thrown away is no secret.
  prober->buffer = bn_secure_alloc(call_bytes + SPILL_BYTES, 1, fault);
  if (prober->buffer == NULL)
    return (enum bn_err)fault->err;
  if (prober->session != CK_INVALID_HANDLE)
    return BN_OK;
  return bn_session_open(&source->module, source->slot, &prober->session, fault);
}

static void close_prober(const struct bn_source *source, struct prober *prober) {
  if (prober->session != source->login_session)
    bn_session_close(&source->module, prober->session);
  bn_secure_free(prober->buffer, prober->call_bytes + SPILL_BYTES);
}

static enum bn_err check_call(const struct bn_source *source, uint64_t slot_id, uint32_t call_bytes,
                              struct bn_fault *fault) {
  if (source->module.calls == NULL || source->readers != NULL ||
      (source->pin_path != NULL && source->slot != slot_id)) {
    return bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_source_probe", "called out of turn");
  }
  if (call_bytes > BN_CALL_BYTES_MOST + 1) {
    return bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_source_probe",
                        "a call is of 1,048,577 bytes at most");
  }
  return BN_OK;
}

// ---- one call -----------------------------------------------------------------------------------

static void call_once(struct prober *prober, const uint8_t *poison, struct bn_probe_call *out) {
  const uint32_t n_bytes = prober->call_bytes;
  bn_poison_fill(prober->buffer, poison, n_bytes);
  bn_poison_fill(prober->buffer + n_bytes, poison, SPILL_BYTES);
  const uint64_t begun_ns = clock_ns();
  out->ckr = prober->module->calls->C_GenerateRandom(prober->session, prober->buffer, n_bytes);
  out->elapsed_ns = clock_ns() - begun_ns;
  out->unwritten =
      out->ckr == CKR_OK && !bn_poison_overwritten(prober->buffer, poison, n_bytes) ? 1 : 0;
  out->spilled = memcmp(prober->buffer + n_bytes, poison, SPILL_BYTES) != 0 ? 1 : 0;
}

enum bn_err bn_source_probe_call(struct bn_source *source, uint64_t slot_id, uint32_t call_bytes,
                                 struct bn_probe_call *out, struct bn_fault *fault) {
  enum bn_err err = check_call(source, slot_id, call_bytes, fault);
  if (err != BN_OK)
    return err;
  source->slot = slot_id;
  *out = (struct bn_probe_call){.ckr = CKR_OK};
  uint8_t poison[BN_POISON_BYTES];
  err = bn_poison_draw(poison, fault);
  if (err != BN_OK)
    return err;
  struct prober *prober = calloc(1, sizeof *prober);
  if (prober == NULL)
    return bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_source_probe_call", NULL);
  err = open_prober(source, call_bytes, 1, prober, fault);
  if (err == BN_OK)
    call_once(prober, poison, out);
  close_prober(source, prober);
  free(prober);
  return err;
}

// ---- many calls, in several sessions ------------------------------------------------------------

static void *prober_main(void *arg) {
  struct prober *prober = arg;
  pthread_mutex_lock(prober->gate);
  const int abandoned = *prober->abandoned;
  pthread_mutex_unlock(prober->gate);
  if (abandoned)
    return NULL;
  prober->began_ns = prober->ended_ns = clock_ns();
  do {
    const uint64_t begun_ns = prober->ended_ns;
    prober->ckr = prober->module->calls->C_GenerateRandom(prober->session, prober->buffer,
                                                          prober->call_bytes);
    prober->ended_ns = clock_ns();
    if (prober->ckr == CKR_OK)
      bn_latencies_add(&prober->latencies, prober->ended_ns - begun_ns);
  } while (prober->ckr == CKR_OK && prober->ended_ns - prober->began_ns < prober->duration_ns);
  return NULL;
}

static enum bn_err run(struct prober *probers, uint32_t n_probers, struct bn_fault *fault) {
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  int abandoned = 0;
  enum bn_err err = BN_OK;
  uint32_t n_started = 0;
  sigset_t all;
  sigset_t before;
  sigfillset(&all); // signals are for the thread that Python runs in
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_mutex_lock(&gate);
  while (err == BN_OK && n_started < n_probers) {
    struct prober *prober = &probers[n_started];
    prober->gate = &gate;
    prober->abandoned = &abandoned;
    const int rc = pthread_create(&prober->thread, NULL, prober_main, prober);
    if (rc == 0)
      n_started++;
    else
      err = bn_fault_set(fault, BN_ERR_SYSTEM, rc, 0, "pthread_create", NULL);
  }
  abandoned = err != BN_OK;
  pthread_mutex_unlock(&gate);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  for (uint32_t i = 0; i < n_started; i++)
    pthread_join(probers[i].thread, NULL);
  pthread_mutex_destroy(&gate);
  return err;
}

static void add_up(const struct prober *probers, uint32_t n_probers, struct bn_latencies *total,
                   struct bn_probe_cell *out) {
  uint64_t began_ns = UINT64_MAX;
  uint64_t ended_ns = 0;
  for (uint32_t i = 0; i < n_probers; i++) {
    const struct prober *prober = &probers[i];
    bn_latencies_merge(total, &prober->latencies);
    began_ns = prober->began_ns < began_ns ? prober->began_ns : began_ns;
    ended_ns = prober->ended_ns > ended_ns ? prober->ended_ns : ended_ns;
    if (out->ckr == CKR_OK)
      out->ckr = prober->ckr;
  }
  out->n_sessions = n_probers;
  out->calls = total->n;
  out->elapsed_ns = ended_ns - began_ns;
  out->p50_ns = bn_latencies_percentile(total, 50);
  out->p90_ns = bn_latencies_percentile(total, 90);
  out->p99_ns = bn_latencies_percentile(total, 99);
  out->max_ns = total->most_ns;
}

// With fewer sessions than asked for it goes on, if there is one.
static enum bn_err open_probers(const struct bn_source *source, uint32_t call_bytes,
                                struct prober *probers, uint32_t n_wanted, uint32_t *n_opened,
                                struct bn_fault *fault) {
  for (*n_opened = 0; *n_opened < n_wanted; ++*n_opened) {
    struct prober *prober = &probers[*n_opened];
    const enum bn_err err = open_prober(source, call_bytes, *n_opened == 0, prober, fault);
    if (err != BN_OK) {
      close_prober(source, prober);
      return fault->ckr == CKR_SESSION_COUNT && *n_opened > 0 ? BN_OK : err;
    }
  }
  return BN_OK;
}

enum bn_err bn_source_probe(struct bn_source *source, uint64_t slot_id, uint32_t call_bytes,
                            uint32_t n_sessions, uint32_t duration_ms, struct bn_probe_cell *out,
                            struct bn_fault *fault) {
  enum bn_err err = check_call(source, slot_id, call_bytes, fault);
  if (err != BN_OK)
    return err;
  if (n_sessions == 0 || n_sessions > BN_READERS_MAX) {
    return bn_fault_set(fault, BN_ERR_ARGUMENT, 0, 0, "bn_source_probe",
                        "a probe has 1 to 64 sessions");
  }
  source->slot = slot_id;
  *out = (struct bn_probe_cell){.ckr = CKR_OK};
  const uint32_t n_wanted = source->module.single_threaded ? 1 : n_sessions;
  uint32_t n_opened = 0;
  struct prober *probers = calloc(n_wanted, sizeof *probers);
  struct bn_latencies *total = calloc(1, sizeof *total);
  if (probers == NULL || total == NULL) {
    err = bn_fault_set(fault, BN_ERR_MEMORY, 0, 0, "bn_source_probe", NULL);
    goto err_free;
  }
  err = open_probers(source, call_bytes, probers, n_wanted, &n_opened, fault);
  for (uint32_t i = 0; i < n_opened; i++)
    probers[i].duration_ns = duration_ms * UINT64_C(1000000);
  if (err == BN_OK)
    err = run(probers, n_opened, fault);
  if (err == BN_OK)
    add_up(probers, n_opened, total, out);
  for (uint32_t i = 0; i < n_opened; i++)
    close_prober(source, &probers[i]);

err_free:
  free(total);
  free(probers);
  return err;
}
