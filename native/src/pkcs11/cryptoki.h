// SPDX-License-Identifier: Apache-2.0
//
// The part of PKCS #11 v2.40 (OASIS Standard, 14 April 2015) that this project speaks, as C sees it
// on Unix: CK_ULONG is unsigned long, structures are not packed, functions have C linkage. Names
// are the specification's. The function list is complete and in order; a function that nobody here
// calls has its place and no prototype.

#ifndef BN_CRYPTOKI_H
#define BN_CRYPTOKI_H

typedef unsigned char CK_BYTE;
typedef CK_BYTE CK_UTF8CHAR;
typedef CK_BYTE CK_CHAR;
typedef CK_BYTE CK_BBOOL;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_FLAGS;
typedef CK_ULONG CK_RV;
typedef CK_ULONG CK_SLOT_ID;
typedef CK_ULONG CK_SESSION_HANDLE;
typedef CK_ULONG CK_USER_TYPE;
typedef CK_ULONG CK_STATE;
typedef CK_ULONG CK_NOTIFICATION;
typedef CK_ULONG CK_MECHANISM_TYPE;

#define CK_UNAVAILABLE_INFORMATION (~(CK_ULONG)0)
#define CK_EFFECTIVELY_INFINITE ((CK_ULONG)0)
#define CK_INVALID_HANDLE ((CK_ULONG)0)

typedef struct CK_VERSION {
  CK_BYTE major;
  CK_BYTE minor;
} CK_VERSION;

// Texts in these structures are padded with blanks and not terminated.
typedef struct CK_INFO {
  CK_VERSION cryptokiVersion;
  CK_UTF8CHAR manufacturerID[32];
  CK_FLAGS flags;
  CK_UTF8CHAR libraryDescription[32];
  CK_VERSION libraryVersion;
} CK_INFO;

typedef struct CK_SLOT_INFO {
  CK_UTF8CHAR slotDescription[64];
  CK_UTF8CHAR manufacturerID[32];
  CK_FLAGS flags;
  CK_VERSION hardwareVersion;
  CK_VERSION firmwareVersion;
} CK_SLOT_INFO;

typedef struct CK_TOKEN_INFO {
  CK_UTF8CHAR label[32];
  CK_UTF8CHAR manufacturerID[32];
  CK_UTF8CHAR model[16];
  CK_CHAR serialNumber[16];
  CK_FLAGS flags;
  CK_ULONG ulMaxSessionCount;
  CK_ULONG ulSessionCount;
  CK_ULONG ulMaxRwSessionCount;
  CK_ULONG ulRwSessionCount;
  CK_ULONG ulMaxPinLen;
  CK_ULONG ulMinPinLen;
  CK_ULONG ulTotalPublicMemory;
  CK_ULONG ulFreePublicMemory;
  CK_ULONG ulTotalPrivateMemory;
  CK_ULONG ulFreePrivateMemory;
  CK_VERSION hardwareVersion;
  CK_VERSION firmwareVersion;
  CK_CHAR utcTime[16];
} CK_TOKEN_INFO;

typedef struct CK_SESSION_INFO {
  CK_SLOT_ID slotID;
  CK_STATE state;
  CK_FLAGS flags;
  CK_ULONG ulDeviceError;
} CK_SESSION_INFO;

typedef struct CK_MECHANISM_INFO {
  CK_ULONG ulMinKeySize;
  CK_ULONG ulMaxKeySize;
  CK_FLAGS flags;
} CK_MECHANISM_INFO;

typedef CK_RV (*CK_NOTIFY)(CK_SESSION_HANDLE session, CK_NOTIFICATION event, void *application);

typedef struct CK_C_INITIALIZE_ARGS {
  CK_RV (*CreateMutex)(void **mutex);
  CK_RV (*DestroyMutex)(void *mutex);
  CK_RV (*LockMutex)(void *mutex);
  CK_RV (*UnlockMutex)(void *mutex);
  CK_FLAGS flags;
  void *pReserved;
} CK_C_INITIALIZE_ARGS;

// C_Initialize
#define CKF_LIBRARY_CANT_CREATE_OS_THREADS ((CK_FLAGS)0x00000001)
#define CKF_OS_LOCKING_OK ((CK_FLAGS)0x00000002)
// CK_SLOT_INFO
#define CKF_TOKEN_PRESENT ((CK_FLAGS)0x00000001)
#define CKF_REMOVABLE_DEVICE ((CK_FLAGS)0x00000002)
#define CKF_HW_SLOT ((CK_FLAGS)0x00000004)
// CK_TOKEN_INFO
#define CKF_RNG ((CK_FLAGS)0x00000001)
#define CKF_WRITE_PROTECTED ((CK_FLAGS)0x00000002)
#define CKF_LOGIN_REQUIRED ((CK_FLAGS)0x00000004)
#define CKF_USER_PIN_INITIALIZED ((CK_FLAGS)0x00000008)
#define CKF_PROTECTED_AUTHENTICATION_PATH ((CK_FLAGS)0x00000100)
#define CKF_TOKEN_INITIALIZED ((CK_FLAGS)0x00000400)
#define CKF_USER_PIN_COUNT_LOW ((CK_FLAGS)0x00010000)
#define CKF_USER_PIN_FINAL_TRY ((CK_FLAGS)0x00020000)
#define CKF_USER_PIN_LOCKED ((CK_FLAGS)0x00040000)
#define CKF_USER_PIN_TO_BE_CHANGED ((CK_FLAGS)0x00080000)
// C_OpenSession and CK_SESSION_INFO
#define CKF_RW_SESSION ((CK_FLAGS)0x00000002)
#define CKF_SERIAL_SESSION ((CK_FLAGS)0x00000004)

#define CKU_SO ((CK_USER_TYPE)0)
#define CKU_USER ((CK_USER_TYPE)1)

#define CKS_RO_PUBLIC_SESSION ((CK_STATE)0)
#define CKS_RO_USER_FUNCTIONS ((CK_STATE)1)
#define CKS_RW_PUBLIC_SESSION ((CK_STATE)2)
#define CKS_RW_USER_FUNCTIONS ((CK_STATE)3)

#define CKR_OK ((CK_RV)0x00000000)
#define CKR_CANCEL ((CK_RV)0x00000001)
#define CKR_HOST_MEMORY ((CK_RV)0x00000002)
#define CKR_SLOT_ID_INVALID ((CK_RV)0x00000003)
#define CKR_GENERAL_ERROR ((CK_RV)0x00000005)
#define CKR_FUNCTION_FAILED ((CK_RV)0x00000006)
#define CKR_ARGUMENTS_BAD ((CK_RV)0x00000007)
#define CKR_CANT_LOCK ((CK_RV)0x0000000A)
#define CKR_DATA_LEN_RANGE ((CK_RV)0x00000021)
#define CKR_DEVICE_ERROR ((CK_RV)0x00000030)
#define CKR_DEVICE_MEMORY ((CK_RV)0x00000031)
#define CKR_DEVICE_REMOVED ((CK_RV)0x00000032)
#define CKR_FUNCTION_CANCELED ((CK_RV)0x00000050)
#define CKR_FUNCTION_NOT_PARALLEL ((CK_RV)0x00000051)
#define CKR_FUNCTION_NOT_SUPPORTED ((CK_RV)0x00000054)
#define CKR_MECHANISM_INVALID ((CK_RV)0x00000070)
#define CKR_PIN_INCORRECT ((CK_RV)0x000000A0)
#define CKR_PIN_INVALID ((CK_RV)0x000000A1)
#define CKR_PIN_LEN_RANGE ((CK_RV)0x000000A2)
#define CKR_PIN_EXPIRED ((CK_RV)0x000000A3)
#define CKR_PIN_LOCKED ((CK_RV)0x000000A4)
#define CKR_SESSION_CLOSED ((CK_RV)0x000000B0)
#define CKR_SESSION_COUNT ((CK_RV)0x000000B1)
#define CKR_SESSION_HANDLE_INVALID ((CK_RV)0x000000B3)
#define CKR_SESSION_PARALLEL_NOT_SUPPORTED ((CK_RV)0x000000B4)
#define CKR_SESSION_READ_ONLY ((CK_RV)0x000000B5)
#define CKR_TOKEN_NOT_PRESENT ((CK_RV)0x000000E0)
#define CKR_TOKEN_NOT_RECOGNIZED ((CK_RV)0x000000E1)
#define CKR_TOKEN_WRITE_PROTECTED ((CK_RV)0x000000E2)
#define CKR_USER_ALREADY_LOGGED_IN ((CK_RV)0x00000100)
#define CKR_USER_NOT_LOGGED_IN ((CK_RV)0x00000101)
#define CKR_USER_PIN_NOT_INITIALIZED ((CK_RV)0x00000102)
#define CKR_USER_TYPE_INVALID ((CK_RV)0x00000103)
#define CKR_USER_ANOTHER_ALREADY_LOGGED_IN ((CK_RV)0x00000104)
#define CKR_USER_TOO_MANY_TYPES ((CK_RV)0x00000105)
#define CKR_RANDOM_SEED_NOT_SUPPORTED ((CK_RV)0x00000120)
#define CKR_RANDOM_NO_RNG ((CK_RV)0x00000121)
#define CKR_BUFFER_TOO_SMALL ((CK_RV)0x00000150)
#define CKR_CRYPTOKI_NOT_INITIALIZED ((CK_RV)0x00000190)
#define CKR_CRYPTOKI_ALREADY_INITIALIZED ((CK_RV)0x00000191)
#define CKR_MUTEX_BAD ((CK_RV)0x000001A0)
#define CKR_MUTEX_NOT_LOCKED ((CK_RV)0x000001A1)

typedef struct CK_FUNCTION_LIST CK_FUNCTION_LIST;

// A function's place in the list, for those that are not called from here.
typedef CK_RV (*CK_UNCALLED)(void);

struct CK_FUNCTION_LIST {
  CK_VERSION version;
  CK_RV (*C_Initialize)(void *init_args); // CK_C_INITIALIZE_ARGS * or NULL
  CK_RV (*C_Finalize)(void *reserved);
  CK_RV (*C_GetInfo)(CK_INFO *info);
  CK_RV (*C_GetFunctionList)(CK_FUNCTION_LIST **list);
  CK_RV (*C_GetSlotList)(CK_BBOOL token_present, CK_SLOT_ID *slots, CK_ULONG *n_slots);
  CK_RV (*C_GetSlotInfo)(CK_SLOT_ID slot, CK_SLOT_INFO *info);
  CK_RV (*C_GetTokenInfo)(CK_SLOT_ID slot, CK_TOKEN_INFO *info);
  CK_RV (*C_GetMechanismList)(CK_SLOT_ID slot, CK_MECHANISM_TYPE *types, CK_ULONG *n_types);
  CK_RV (*C_GetMechanismInfo)(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info);
  CK_UNCALLED C_InitToken;
  CK_UNCALLED C_InitPIN;
  CK_UNCALLED C_SetPIN;
  CK_RV (*C_OpenSession)(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                         CK_SESSION_HANDLE *session);
  CK_RV (*C_CloseSession)(CK_SESSION_HANDLE session);
  CK_RV (*C_CloseAllSessions)(CK_SLOT_ID slot);
  CK_RV (*C_GetSessionInfo)(CK_SESSION_HANDLE session, CK_SESSION_INFO *info);
  CK_UNCALLED C_GetOperationState;
  CK_UNCALLED C_SetOperationState;
  CK_RV (*C_Login)(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin,
                   CK_ULONG pin_bytes);
  CK_RV (*C_Logout)(CK_SESSION_HANDLE session);
  CK_UNCALLED C_CreateObject;
  CK_UNCALLED C_CopyObject;
  CK_UNCALLED C_DestroyObject;
  CK_UNCALLED C_GetObjectSize;
  CK_UNCALLED C_GetAttributeValue;
  CK_UNCALLED C_SetAttributeValue;
  CK_UNCALLED C_FindObjectsInit;
  CK_UNCALLED C_FindObjects;
  CK_UNCALLED C_FindObjectsFinal;
  CK_UNCALLED C_EncryptInit;
  CK_UNCALLED C_Encrypt;
  CK_UNCALLED C_EncryptUpdate;
  CK_UNCALLED C_EncryptFinal;
  CK_UNCALLED C_DecryptInit;
  CK_UNCALLED C_Decrypt;
  CK_UNCALLED C_DecryptUpdate;
  CK_UNCALLED C_DecryptFinal;
  CK_UNCALLED C_DigestInit;
  CK_UNCALLED C_Digest;
  CK_UNCALLED C_DigestUpdate;
  CK_UNCALLED C_DigestKey;
  CK_UNCALLED C_DigestFinal;
  CK_UNCALLED C_SignInit;
  CK_UNCALLED C_Sign;
  CK_UNCALLED C_SignUpdate;
  CK_UNCALLED C_SignFinal;
  CK_UNCALLED C_SignRecoverInit;
  CK_UNCALLED C_SignRecover;
  CK_UNCALLED C_VerifyInit;
  CK_UNCALLED C_Verify;
  CK_UNCALLED C_VerifyUpdate;
  CK_UNCALLED C_VerifyFinal;
  CK_UNCALLED C_VerifyRecoverInit;
  CK_UNCALLED C_VerifyRecover;
  CK_UNCALLED C_DigestEncryptUpdate;
  CK_UNCALLED C_DecryptDigestUpdate;
  CK_UNCALLED C_SignEncryptUpdate;
  CK_UNCALLED C_DecryptVerifyUpdate;
  CK_UNCALLED C_GenerateKey;
  CK_UNCALLED C_GenerateKeyPair;
  CK_UNCALLED C_WrapKey;
  CK_UNCALLED C_UnwrapKey;
  CK_UNCALLED C_DeriveKey;
  CK_RV (*C_SeedRandom)(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG seed_bytes);
  CK_RV (*C_GenerateRandom)(CK_SESSION_HANDLE session, CK_BYTE *random, CK_ULONG random_bytes);
  CK_UNCALLED C_GetFunctionStatus;
  CK_UNCALLED C_CancelFunction;
  CK_UNCALLED C_WaitForSlotEvent;
};

typedef CK_RV (*CK_C_GetFunctionList)(CK_FUNCTION_LIST **list);

#endif
