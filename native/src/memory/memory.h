// SPDX-License-Identifier: Apache-2.0
//
// What memory for secrets needs beside bn_secure_alloc() and bn_wipe().

#ifndef BN_MEMORY_H
#define BN_MEMORY_H

#include "bn.h"

// mlock, MADV_DONTDUMP and MADV_DONTFORK for memory that somebody else mapped.
BN_CHECKED enum bn_err bn_memory_protect(void *data, size_t len_bytes, int allow_unlocked,
                                         struct bn_fault *fault);

// Zeroes what vector registers there are (on x86-64 and aarch64), where code that handled secrets
// may have left some: before a thread sleeps.
void bn_wipe_registers(void);

// Fills in a fault: `where` and `text` are cut to fit, text may be NULL. Returns `err`.
enum bn_err bn_fault_set(struct bn_fault *fault, enum bn_err err, int sys_errno, uint64_t ckr,
                         const char *where, const char *text);

#endif
