// SPDX-License-Identifier: Apache-2.0
//
// To be preloaded into a process whose core a test wants to see: it stays dumpable, whatever it
// asks for. With BN_DUMP_ALL set its memory does as well, so that the test can be seen to fail.

#include <asm/mman.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int prctl(int option, ...) {
  if (option == PR_SET_DUMPABLE)
    return 0;
  unsigned long words[4];
  va_list list;
  va_start(list, option);
  for (int i = 0; i < 4; i++)
    words[i] = va_arg(list, unsigned long);
  va_end(list);
  return (int)syscall(SYS_prctl, option, words[0], words[1], words[2], words[3]);
}

EXPORTED int madvise(void *start, size_t len_bytes, int advice);
EXPORTED int madvise(void *start, size_t len_bytes, int advice) {
  if (advice == MADV_DONTDUMP && getenv("BN_DUMP_ALL") != NULL)
    return 0;
  return (int)syscall(SYS_madvise, start, len_bytes, advice);
}
