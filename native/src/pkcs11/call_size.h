// SPDX-License-Identifier: Apache-2.0
//
// How many bytes to ask for per call. Modules have limits that nothing announces (1,024 bytes,
// 3,136, 64 KiB) and a cost per call that only time shows, so the length is found: from 1 KiB it
// doubles while that succeeds and pays, and what failed once is a ceiling for good. Pure: no clock,
// no module.

#ifndef BN_PKCS11_CALL_SIZE_H
#define BN_PKCS11_CALL_SIZE_H

#include <stdint.h>

#define BN_CALL_BYTES_FIRST 1024  // what every module that was measured accepts
#define BN_CALL_BYTES_FOUND 65536 // longer calls were nowhere faster
#define BN_CALL_BYTES_MOST 1048576
#define BN_CALL_BYTES_LEAST 32 // a module that refuses this has another problem than the length

struct bn_call_size {
  uint32_t bytes;    // to ask for now
  uint32_t ceiling;  // never ask for this many or more
  uint32_t good;     // the most that ever succeeded
  uint32_t samples;  // calls of `bytes` so far
  uint64_t best_ns;  // the fastest of them
  double shorter_ns; // per byte, of the length before the last doubling; 0: none
  int settled;       // no more doubling
};

// `fixed_bytes` 0: to be found, and at most `most_bytes`.
void bn_call_size_init(struct bn_call_size *size, uint32_t fixed_bytes, uint32_t most_bytes);
// A call of `n_bytes` succeeded.
void bn_call_size_succeeded(struct bn_call_size *size, uint32_t n_bytes, uint64_t elapsed_ns);
// A call of `n_bytes` failed, and the length may be why. 1: a shorter one is worth a try.
int bn_call_size_failed(struct bn_call_size *size, uint32_t n_bytes);

#endif
