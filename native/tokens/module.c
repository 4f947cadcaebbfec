// SPDX-License-Identifier: Apache-2.0
//
// The functions of PKCS#11 that a token of random bytes answers, and the function list.

#include "session.h"
#include "token.h"

#include <stdatomic.h>
#include <string.h>

static _Atomic int initialised;

static void put_blank_padded(CK_BYTE *to, size_t len_bytes, const char *text) {
  size_t text_bytes = strnlen(text, len_bytes);
  memset(to, ' ', len_bytes);
  memcpy(to, text, text_bytes);
}

#define PUT(field, text) put_blank_padded(field, sizeof(field), text)

static CK_RV check_slot(CK_SLOT_ID slot) {
  if (!atomic_load(&initialised))
    return CKR_CRYPTOKI_NOT_INITIALIZED;
  return slot < token_slots() ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static CK_RV check_token(CK_SLOT_ID slot) {
  CK_RV rv = check_slot(slot);
  return rv == CKR_OK && !token_present() ? CKR_TOKEN_NOT_PRESENT : rv;
}

// When a token comes back after it was pulled out, no session is left and nobody is logged in.
static CK_RV check_session(CK_SESSION_HANDLE handle, struct session *session) {
  if (!atomic_load(&initialised))
    return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (token_present())
    return session_find(handle, session);
  for (CK_SLOT_ID slot = 0; slot < TOKEN_SLOTS_MAX; slot++)
    session_close_all(slot);
  return CKR_DEVICE_REMOVED;
}

static CK_RV initialize(void *init_args) {
  const CK_C_INITIALIZE_ARGS *args = init_args;
  if (atomic_load(&initialised))
    return CKR_CRYPTOKI_ALREADY_INITIALIZED;
  if (args != NULL) {
    int n_functions = (args->CreateMutex != NULL) + (args->DestroyMutex != NULL) +
                      (args->LockMutex != NULL) + (args->UnlockMutex != NULL);
    if (n_functions != 0 && n_functions != 4)
      return CKR_ARGUMENTS_BAD;
    if (n_functions == 4 && (args->flags & CKF_OS_LOCKING_OK) == 0)
      return CKR_CANT_LOCK; // locks with the system's own mutexes only
  }
  CK_RV rv = token_initialise(args);
  if (rv == CKR_OK)
    atomic_store(&initialised, 1);
  return rv;
}

static CK_RV finalize(void *reserved) {
  if (reserved != NULL)
    return CKR_ARGUMENTS_BAD;
  if (!atomic_exchange(&initialised, 0))
    return CKR_CRYPTOKI_NOT_INITIALIZED;
  for (CK_SLOT_ID slot = 0; slot < TOKEN_SLOTS_MAX; slot++)
    session_close_all(slot);
  token_finalise();
  return CKR_OK;
}

static CK_RV get_info(CK_INFO *info) {
  if (!atomic_load(&initialised))
    return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (info == NULL)
    return CKR_ARGUMENTS_BAD;
  memset(info, 0, sizeof *info);
  info->cryptokiVersion = (CK_VERSION){2, 40};
  info->libraryVersion = (CK_VERSION){1, 0};
  PUT(info->manufacturerID, token_words.manufacturer);
  PUT(info->libraryDescription, token_words.library);
  return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL token_present_only, CK_SLOT_ID *slots, CK_ULONG *n_slots) {
  if (!atomic_load(&initialised))
    return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (n_slots == NULL)
    return CKR_ARGUMENTS_BAD;
  CK_ULONG room = *n_slots;
  *n_slots = token_present_only && !token_present() ? 0 : token_slots();
  if (slots == NULL)
    return CKR_OK;
  if (room < *n_slots)
    return CKR_BUFFER_TOO_SMALL;
  for (CK_SLOT_ID slot = 0; slot < *n_slots; slot++)
    slots[slot] = slot;
  return CKR_OK;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info) {
  CK_RV rv = check_slot(slot);
  if (rv != CKR_OK || info == NULL)
    return rv != CKR_OK ? rv : CKR_ARGUMENTS_BAD;
  memset(info, 0, sizeof *info);
  PUT(info->slotDescription, token_words.slot);
  PUT(info->manufacturerID, token_words.manufacturer);
  info->flags = CKF_REMOVABLE_DEVICE | (token_present() ? CKF_TOKEN_PRESENT : 0);
  return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
  CK_RV rv = check_token(slot);
  if (rv != CKR_OK || info == NULL)
    return rv != CKR_OK ? rv : CKR_ARGUMENTS_BAD;
  memset(info, 0, sizeof *info);
  PUT(info->label, token_words.label);
  PUT(info->manufacturerID, token_words.manufacturer);
  PUT(info->model, token_words.model);
  PUT(info->serialNumber, token_words.serial);
  if (slot > 0)
    info->serialNumber[strlen(token_words.serial)] = (CK_CHAR)('A' + slot);
  info->flags = CKF_TOKEN_INITIALIZED | token_flags();
  info->ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
  info->ulSessionCount = session_count(slot);
  info->ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
  info->ulRwSessionCount = CK_UNAVAILABLE_INFORMATION;
  info->ulMaxPinLen = 64;
  info->ulMinPinLen = 4;
  info->ulTotalPublicMemory = info->ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
  info->ulTotalPrivateMemory = info->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
  PUT(info->utcTime, "");
  return CKR_OK;
}

static CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *types, CK_ULONG *n_types) {
  (void)types;
  CK_RV rv = check_token(slot);
  if (rv != CKR_OK || n_types == NULL)
    return rv != CKR_OK ? rv : CKR_ARGUMENTS_BAD;
  *n_types = 0;
  return CKR_OK;
}

static CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info) {
  (void)type, (void)info;
  CK_RV rv = check_token(slot);
  return rv != CKR_OK ? rv : CKR_MECHANISM_INVALID;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *handle) {
  (void)application, (void)notify;
  CK_RV rv = check_token(slot);
  if (rv != CKR_OK || handle == NULL)
    return rv != CKR_OK ? rv : CKR_ARGUMENTS_BAD;
  if ((flags & CKF_SERIAL_SESSION) == 0)
    return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
  if ((flags & CKF_RW_SESSION) != 0 && (token_flags() & CKF_WRITE_PROTECTED) != 0)
    return CKR_TOKEN_WRITE_PROTECTED;
  return session_open(slot, flags, handle);
}

static CK_RV close_session(CK_SESSION_HANDLE handle) {
  struct session session;
  CK_RV rv = check_session(handle, &session);
  return rv != CKR_OK ? rv : session_close(handle);
}

static CK_RV close_all_sessions(CK_SLOT_ID slot) {
  CK_RV rv = check_token(slot);
  if (rv == CKR_OK)
    session_close_all(slot);
  return rv;
}

static CK_RV get_session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info) {
  struct session session;
  CK_RV rv = check_session(handle, &session);
  if (rv != CKR_OK || info == NULL)
    return rv != CKR_OK ? rv : CKR_ARGUMENTS_BAD;
  int writes = (session.flags & CKF_RW_SESSION) != 0;
  memset(info, 0, sizeof *info);
  info->slotID = session.slot;
  info->flags = session.flags;
  if (session_logged_in(session.slot))
    info->state = writes ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
  else
    info->state = writes ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
  return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin,
                   CK_ULONG pin_bytes) {
  struct session session;
  CK_RV rv = check_session(handle, &session);
  if (rv != CKR_OK)
    return rv;
  if (user != CKU_USER)
    return CKR_USER_TYPE_INVALID;
  if (pin == NULL)
    return CKR_ARGUMENTS_BAD;
  if (session_logged_in(session.slot))
    return CKR_USER_ALREADY_LOGGED_IN;
  rv = token_login(pin, pin_bytes);
  if (rv == CKR_OK)
    session_set_logged_in(session.slot, 1);
  return rv;
}

static CK_RV logout(CK_SESSION_HANDLE handle) {
  struct session session;
  CK_RV rv = check_session(handle, &session);
  if (rv != CKR_OK)
    return rv;
  if (!session_logged_in(session.slot))
    return CKR_USER_NOT_LOGGED_IN;
  session_set_logged_in(session.slot, 0);
  return CKR_OK;
}

static CK_RV seed_random(CK_SESSION_HANDLE handle, CK_BYTE *seed, CK_ULONG seed_bytes) {
  (void)seed, (void)seed_bytes;
  struct session session;
  CK_RV rv = check_session(handle, &session);
  return rv != CKR_OK ? rv : CKR_RANDOM_SEED_NOT_SUPPORTED;
}

static CK_RV generate_random(CK_SESSION_HANDLE handle, CK_BYTE *random, CK_ULONG random_bytes) {
  struct session session;
  CK_RV rv = check_session(handle, &session);
  if (rv != CKR_OK)
    return rv;
  if (random == NULL)
    return CKR_ARGUMENTS_BAD;
  return token_random(random, random_bytes, session_logged_in(session.slot));
}

static CK_RV unsupported(void) {
  return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV not_parallel(void) { // the answer that the specification fixes for these two
  return CKR_FUNCTION_NOT_PARALLEL;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = initialize,
    .C_Finalize = finalize,
    .C_GetInfo = get_info,
    .C_GetFunctionList = C_GetFunctionList,
    .C_GetSlotList = get_slot_list,
    .C_GetSlotInfo = get_slot_info,
    .C_GetTokenInfo = get_token_info,
    .C_GetMechanismList = get_mechanism_list,
    .C_GetMechanismInfo = get_mechanism_info,
    .C_InitToken = unsupported,
    .C_InitPIN = unsupported,
    .C_SetPIN = unsupported,
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_CloseAllSessions = close_all_sessions,
    .C_GetSessionInfo = get_session_info,
    .C_GetOperationState = unsupported,
    .C_SetOperationState = unsupported,
    .C_Login = login,
    .C_Logout = logout,
    .C_CreateObject = unsupported,
    .C_CopyObject = unsupported,
    .C_DestroyObject = unsupported,
    .C_GetObjectSize = unsupported,
    .C_GetAttributeValue = unsupported,
    .C_SetAttributeValue = unsupported,
    .C_FindObjectsInit = unsupported,
    .C_FindObjects = unsupported,
    .C_FindObjectsFinal = unsupported,
    .C_EncryptInit = unsupported,
    .C_Encrypt = unsupported,
    .C_EncryptUpdate = unsupported,
    .C_EncryptFinal = unsupported,
    .C_DecryptInit = unsupported,
    .C_Decrypt = unsupported,
    .C_DecryptUpdate = unsupported,
    .C_DecryptFinal = unsupported,
    .C_DigestInit = unsupported,
    .C_Digest = unsupported,
    .C_DigestUpdate = unsupported,
    .C_DigestKey = unsupported,
    .C_DigestFinal = unsupported,
    .C_SignInit = unsupported,
    .C_Sign = unsupported,
    .C_SignUpdate = unsupported,
    .C_SignFinal = unsupported,
    .C_SignRecoverInit = unsupported,
    .C_SignRecover = unsupported,
    .C_VerifyInit = unsupported,
    .C_Verify = unsupported,
    .C_VerifyUpdate = unsupported,
    .C_VerifyFinal = unsupported,
    .C_VerifyRecoverInit = unsupported,
    .C_VerifyRecover = unsupported,
    .C_DigestEncryptUpdate = unsupported,
    .C_DecryptDigestUpdate = unsupported,
    .C_SignEncryptUpdate = unsupported,
    .C_DecryptVerifyUpdate = unsupported,
    .C_GenerateKey = unsupported,
    .C_GenerateKeyPair = unsupported,
    .C_WrapKey = unsupported,
    .C_UnwrapKey = unsupported,
    .C_DeriveKey = unsupported,
    .C_SeedRandom = seed_random,
    .C_GenerateRandom = generate_random,
    .C_GetFunctionStatus = not_parallel,
    .C_CancelFunction = not_parallel,
    .C_WaitForSlotEvent = unsupported,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
  if (list == NULL)
    return CKR_ARGUMENTS_BAD;
  *list = &functions;
  return CKR_OK;
}
