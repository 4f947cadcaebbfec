// SPDX-License-Identifier: Apache-2.0
//
// What a process that holds secrets does to itself first.

#include "memory/memory.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum bn_err bn_process_harden(int32_t parent_pid, struct bn_fault *fault) {
  if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0)
    return bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "prctl", "PR_SET_DUMPABLE");
  if (parent_pid == 0)
    return BN_OK;
  if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) != 0)
    return bn_fault_set(fault, BN_ERR_SYSTEM, errno, 0, "prctl", "PR_SET_PDEATHSIG");
  // A parent that died before the line above sends no signal any more.
  if (getppid() != (pid_t)parent_pid)
    return bn_fault_set(fault, BN_ERR_STOPPED, 0, 0, "getppid", "the parent process has ended");
  return BN_OK;
}
