// SPDX-License-Identifier: Apache-2.0
//
// Loading and initialising a module.

#include "pkcs11/module.h"

#include <dlfcn.h>
#include <string.h>

#include "memory/memory.h"
#include "pkcs11/answer.h"

// NSS has a field more in front of pReserved and reads its parameter string where the standard has
// pReserved; what it then takes for pReserved must be there, and NULL.
struct init_args {
  CK_C_INITIALIZE_ARGS standard;
  void *nss_reserved;
};

static int complete(const CK_FUNCTION_LIST *calls) {
  return (calls->version.major == 2 || calls->version.major == 3) && calls->C_Initialize != NULL &&
         calls->C_Finalize != NULL && calls->C_GetTokenInfo != NULL &&
         calls->C_OpenSession != NULL && calls->C_CloseSession != NULL &&
         calls->C_GetSessionInfo != NULL && calls->C_Login != NULL &&
         calls->C_GenerateRandom != NULL;
}

static CK_RV initialise(const CK_FUNCTION_LIST *calls, const char *init_args,
                        int *single_threaded) {
  char *words = (char *)(uintptr_t)init_args; // C_Initialize takes no const
  struct init_args args = {.standard = {.flags = CKF_OS_LOCKING_OK, .pReserved = words}};
  *single_threaded = 0;
  const CK_RV ckr = calls->C_Initialize(&args);
  if (ckr != CKR_CANT_LOCK)
    return ckr;
  *single_threaded = 1;
  args = (struct init_args){.standard = {.pReserved = words}};
  return calls->C_Initialize(words == NULL ? NULL : &args);
}

enum bn_err bn_module_load(const char *path, const char *init_args, struct bn_module *out,
                           struct bn_fault *fault) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL)
    return bn_fault_set(fault, BN_ERR_LOAD, 0, 0, "dlopen", dlerror());
  CK_C_GetFunctionList get_function_list;
  void *symbol = dlsym(library, "C_GetFunctionList");
  if (symbol == NULL) {
    (void)dlclose(library);
    return bn_fault_set(fault, BN_ERR_NOT_MODULE, 0, 0, "dlsym",
                        "the library has no C_GetFunctionList");
  }
  memcpy(&get_function_list, &symbol, sizeof symbol); // ISO C knows no cast for this
  CK_FUNCTION_LIST *calls = NULL;
  CK_RV ckr = get_function_list(&calls);
  if (ckr != CKR_OK)
    return bn_answer_fault(fault, ckr, "C_GetFunctionList", NULL);
  if (calls == NULL || !complete(calls)) {
    return bn_fault_set(fault, BN_ERR_NOT_MODULE, 0, 0, "C_GetFunctionList",
                        "functions are missing, or the version is not 2 or 3");
  }
  int single_threaded = 0;
  ckr = initialise(calls, init_args, &single_threaded);
  if (ckr != CKR_OK)
    return bn_answer_fault(fault, ckr, "C_Initialize", NULL);
  *out = (struct bn_module){.calls = calls, .single_threaded = single_threaded};
  return BN_OK;
}

void bn_module_finalise(struct bn_module *module) {
  if (module->calls != NULL) {
    (void)module->calls->C_Finalize(NULL);
    module->calls = NULL;
  }
}
