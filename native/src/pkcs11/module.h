// SPDX-License-Identifier: Apache-2.0
//
// A PKCS#11 module, loaded and initialised. This is the one owner of C_Initialize in its process.

#ifndef BN_PKCS11_MODULE_H
#define BN_PKCS11_MODULE_H

#include "bn.h"
#include "pkcs11/cryptoki.h"

struct bn_module {
  CK_FUNCTION_LIST *calls; // NULL: not initialised
  int single_threaded;     // the module cannot lock: one thread at a time, for ever
};

// BN_ERR_LOAD, BN_ERR_NOT_MODULE or BN_ERR_CKR. What another part of the process has initialised
// already is refused: its threading promise is not ours.
BN_CHECKED enum bn_err bn_module_load(const char *path, const char *init_args,
                                      struct bn_module *out, struct bn_fault *fault);
// C_Finalize. The library stays mapped: modules are known to crash when they are unloaded.
void bn_module_finalise(struct bn_module *module);

#endif
