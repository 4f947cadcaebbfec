// SPDX-License-Identifier: Apache-2.0
//
// How a failure is written down. Never give it a secret: what stands here reaches logs.

#include "memory/memory.h"

#include <stdio.h>
#include <string.h>

enum bn_err bn_fault_set(struct bn_fault *fault, enum bn_err err, int sys_errno, uint64_t ckr,
                         const char *where, const char *text) {
  if (fault != NULL) {
    memset(fault, 0, sizeof *fault);
    fault->err = (int32_t)err;
    fault->sys_errno = sys_errno;
    fault->ckr = ckr;
    (void)snprintf(fault->where, sizeof fault->where, "%s", where != NULL ? where : "");
    (void)snprintf(fault->text, sizeof fault->text, "%s", text != NULL ? text : "");
  }
  return err;
}
