// SPDX-License-Identifier: Apache-2.0

#include "session.h"
#include "token.h"

#include <pthread.h>
#include <stdatomic.h>

#define SESSIONS_MAX 1024 // a power of two

// A handle is the entry's index and, above it, a count of sessions, so that a closed one's handle
// is not valid for the next. The handle is written last when a session opens and first when it
// closes: a look-up takes no lock.
static struct {
  _Atomic CK_SESSION_HANDLE handle; // CK_INVALID_HANDLE when free
  _Atomic CK_SLOT_ID slot;
  _Atomic CK_FLAGS flags;
} sessions[SESSIONS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // for opening and closing
static CK_SESSION_HANDLE opened;
static CK_ULONG counts[TOKEN_SLOTS_MAX];
static _Atomic int logged_in_slots[TOKEN_SLOTS_MAX];

CK_RV session_open(CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *handle) {
  CK_RV rv = CKR_SESSION_COUNT;
  (void)pthread_mutex_lock(&lock);
  for (CK_ULONG i = 0; i < SESSIONS_MAX; i++) {
    if (atomic_load(&sessions[i].handle) != CK_INVALID_HANDLE)
      continue;
    opened++;
    atomic_store(&sessions[i].slot, slot);
    atomic_store(&sessions[i].flags, flags);
    atomic_store(&sessions[i].handle, *handle = opened * SESSIONS_MAX + i);
    counts[slot]++;
    rv = CKR_OK;
    break;
  }
  (void)pthread_mutex_unlock(&lock);
  return rv;
}

CK_RV session_find(CK_SESSION_HANDLE handle, struct session *out) {
  CK_ULONG i = handle % SESSIONS_MAX;
  if (handle == CK_INVALID_HANDLE || atomic_load(&sessions[i].handle) != handle)
    return CKR_SESSION_HANDLE_INVALID;
  out->slot = atomic_load(&sessions[i].slot);
  out->flags = atomic_load(&sessions[i].flags);
  return CKR_OK;
}

static void close_locked(CK_ULONG i) {
  CK_SLOT_ID slot = atomic_load(&sessions[i].slot);
  atomic_store(&sessions[i].handle, CK_INVALID_HANDLE);
  if (--counts[slot] == 0)
    atomic_store(&logged_in_slots[slot], 0);
}

CK_RV session_close(CK_SESSION_HANDLE handle) {
  struct session session;
  (void)pthread_mutex_lock(&lock);
  CK_RV rv = session_find(handle, &session);
  if (rv == CKR_OK)
    close_locked(handle % SESSIONS_MAX);
  (void)pthread_mutex_unlock(&lock);
  return rv;
}

void session_close_all(CK_SLOT_ID slot) {
  (void)pthread_mutex_lock(&lock);
  for (CK_ULONG i = 0; i < SESSIONS_MAX; i++)
    if (atomic_load(&sessions[i].handle) != CK_INVALID_HANDLE &&
        atomic_load(&sessions[i].slot) == slot)
      close_locked(i);
  (void)pthread_mutex_unlock(&lock);
}

CK_ULONG session_count(CK_SLOT_ID slot) {
  (void)pthread_mutex_lock(&lock);
  CK_ULONG count = counts[slot];
  (void)pthread_mutex_unlock(&lock);
  return count;
}

int session_logged_in(CK_SLOT_ID slot) {
  return atomic_load(&logged_in_slots[slot]);
}

void session_set_logged_in(CK_SLOT_ID slot, int logged_in) {
  atomic_store(&logged_in_slots[slot], logged_in);
}
