// SPDX-License-Identifier: Apache-2.0
//
// Secure memory: locked, guarded, out of dumps, wiped; and what happens when the kernel refuses.

#include "check.h"
#include "memory/memory.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs `function` in a child and returns its exit status, or minus the signal that ended it.
static int in_child(void (*function)(void)) {
  (void)fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    function();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// What /proc/self/smaps says about the mapping that holds `address`, looked up by `key`.
static void smaps(const void *address, const char *key, char *out, size_t out_bytes) {
  FILE *file = fopen("/proc/self/smaps", "re");
  CHECK(file != NULL);
  char line[512];
  int inside = 0;
  out[0] = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    char *rest;
    const unsigned long from = strtoul(line, &rest, 16);
    if (*rest == '-') // FROM-TO ...
      inside = (uintptr_t)address >= from && (uintptr_t)address < strtoul(rest + 1, NULL, 16);
    else if (inside && strncmp(line, key, strlen(key)) == 0)
      (void)snprintf(out, out_bytes, "%s", line + strlen(key));
  }
  (void)fclose(file);
}

static void layout(void) {
  static const size_t lengths[] = {1, 63, 64, 65, 4096, 4097, 12288, 65536, 1000001};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    struct bn_fault fault;
    uint8_t *data = bn_secure_alloc(lengths[i], 1, &fault);
    CHECK(data != NULL);
    CHECK_EQUAL((uintptr_t)data % 64, 0);
    for (size_t k = 0; k < lengths[i]; k++)
      CHECK(data[k] == 0);
    memset(data, 0xA5, lengths[i]);
    bn_secure_free(data, lengths[i]);
  }
  bn_secure_free(NULL, 100);
}

#ifndef BN_SANITIZED // sanitizers have their own way with SIGSEGV and with mlock
static volatile uint8_t *touched;

static void touch(void) {
  (void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL); // no core file
  *touched = 1;
}

static void guards(void) {
  struct bn_fault fault;
  uint8_t *data = bn_secure_alloc(4096, 1, &fault);
  CHECK(data != NULL);
  // Allocated before the fork, the pages are not in the child at all.
  touched = data;
  CHECK_EQUAL(in_child(touch), -SIGSEGV);
  bn_secure_free(data, 4096);
}

static void write_over_the_end(void) {
  struct bn_fault fault;
  uint8_t *data = bn_secure_alloc(4096, 1, &fault);
  touched = data + 4096;
  touch();
}

static void write_before_the_start(void) {
  struct bn_fault fault;
  uint8_t *data = bn_secure_alloc(4096, 1, &fault);
  touched = data - 1;
  touch();
}

static void limited(void) {
  // A privileged process is not limited: become nobody first.
  struct rlimit none = {0, 0};
  CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
  if (geteuid() == 0)
    CHECK(setresuid(65534, 65534, 65534) == 0);
  struct bn_fault fault;
  memset(&fault, 0xFF, sizeof fault);
  CHECK(bn_secure_alloc(4096, 0, &fault) == NULL);
  CHECK_EQUAL(fault.err, BN_ERR_LOCK);
  CHECK(fault.sys_errno == EPERM || fault.sys_errno == ENOMEM);
  CHECK(strcmp(fault.where, "mlock") == 0);
  uint8_t *data = bn_secure_alloc(4096, 1, &fault);
  CHECK(data != NULL);
  data[4095] = 1;
  bn_secure_free(data, 4096);
}
#endif

static void flags(void) {
  struct bn_fault fault;
  uint8_t *data = bn_secure_alloc(8192, 0, &fault);
  CHECK(data != NULL);
  char said[512];
  smaps(data, "VmFlags:", said, sizeof said);
#ifndef BN_SANITIZED                  // sanitizers make mlock do nothing
  CHECK(strstr(said, " lo") != NULL); // locked
#endif
  CHECK(strstr(said, " dd") != NULL); // not in dumps
  CHECK(strstr(said, " dc") != NULL); // not in a fork
  bn_secure_free(data, 8192);
}

static void misuse(void) {
  struct bn_fault fault;
  CHECK(bn_secure_alloc(0, 1, &fault) == NULL);
  CHECK_EQUAL(fault.err, BN_ERR_ARGUMENT);
  CHECK(bn_secure_alloc(SIZE_MAX - 4096, 1, &fault) == NULL);
  CHECK_EQUAL(fault.err, BN_ERR_ARGUMENT);
  CHECK(bn_secure_alloc((size_t)1 << 62, 1, &fault) == NULL);
  CHECK_EQUAL(fault.err, BN_ERR_MEMORY);
}

static void faults(void) {
  struct bn_fault fault;
  char longer[400];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  CHECK_EQUAL(bn_fault_set(&fault, BN_ERR_CKR, 7, 0xA0, longer, longer), BN_ERR_CKR);
  CHECK_EQUAL(fault.err, BN_ERR_CKR);
  CHECK_EQUAL(fault.sys_errno, 7);
  CHECK_EQUAL(fault.ckr, 0xA0);
  CHECK_EQUAL(strlen(fault.where), sizeof fault.where - 1);
  CHECK_EQUAL(strlen(fault.text), sizeof fault.text - 1);
  CHECK_EQUAL(bn_fault_set(&fault, BN_ERR_RING, 0, 0, "here", NULL), BN_ERR_RING);
  CHECK(strcmp(fault.where, "here") == 0);
  CHECK(fault.text[0] == 0);
  CHECK_EQUAL(bn_fault_set(NULL, BN_ERR_RING, 0, 0, "here", NULL), BN_ERR_RING);
}

static void wipes(void) {
  uint8_t data[100];
  memset(data, 0xA5, sizeof data);
  bn_wipe(data + 1, sizeof data - 2);
  for (size_t i = 1; i < sizeof data - 1; i++)
    CHECK(data[i] == 0);
  CHECK(data[0] == 0xA5 && data[sizeof data - 1] == 0xA5);
  bn_wipe(NULL, 0);
}

static void hardened(void) {
  struct bn_fault fault;
  CHECK_EQUAL(bn_process_harden(0, &fault), BN_OK);
  CHECK_EQUAL(prctl(PR_GET_DUMPABLE, 0UL, 0UL, 0UL, 0UL), 0);
  CHECK_EQUAL(bn_process_harden((int32_t)getppid(), &fault), BN_OK);
  int signal_number = 0;
  CHECK(prctl(PR_GET_PDEATHSIG, &signal_number, 0UL, 0UL, 0UL) == 0);
  CHECK_EQUAL(signal_number, SIGKILL);
  CHECK_EQUAL(bn_process_harden((int32_t)getpid(), &fault), BN_ERR_STOPPED);
  CHECK_EQUAL(fault.err, BN_ERR_STOPPED);
}

int main(void) {
  layout();
  misuse();
  faults();
  wipes();
  CHECK_EQUAL(in_child(flags), 0);
  CHECK_EQUAL(in_child(hardened), 0);
#ifdef BN_SANITIZED
  (void)printf("guard pages, the limit on locked memory: SKIPPED under a sanitizer\n");
#else
  guards();
  CHECK_EQUAL(in_child(write_over_the_end), -SIGSEGV);
  CHECK_EQUAL(in_child(write_before_the_start), -SIGSEGV);
  CHECK_EQUAL(in_child(limited), 0);
#endif
  return 0;
}
