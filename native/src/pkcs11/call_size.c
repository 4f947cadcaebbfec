// SPDX-License-Identifier: Apache-2.0
//
// Finding the best length of a call.

#include "pkcs11/call_size.h"

#define SAMPLES 4 // the fastest of these is what a length is judged by
#define CALL_NS_MOST UINT64_C(100000000)
// A call that is this short costs nobody anything, so a longer one need not prove that it pays:
// that keeps the noise of microseconds out of the decision.
#define CALL_NS_CHEAP UINT64_C(2000000)
#define GAIN 0.95 // a longer call pays when a byte takes at most this much of its time before

void bn_call_size_init(struct bn_call_size *size, uint32_t fixed_bytes, uint32_t most_bytes) {
  const uint32_t found = BN_CALL_BYTES_FIRST < most_bytes ? BN_CALL_BYTES_FIRST : most_bytes;
  *size = (struct bn_call_size){
      .bytes = fixed_bytes != 0 ? fixed_bytes : found,
      .ceiling = most_bytes + 1,
      .settled = fixed_bytes != 0,
  };
}

static int pays(const struct bn_call_size *size, double ns_per_byte) {
  return size->shorter_ns == 0.0 || size->best_ns < CALL_NS_CHEAP ||
         ns_per_byte < GAIN * size->shorter_ns;
}

void bn_call_size_succeeded(struct bn_call_size *size, uint32_t n_bytes, uint64_t elapsed_ns) {
  if (n_bytes > size->good)
    size->good = n_bytes;
  if (size->settled || n_bytes != size->bytes)
    return;
  if (size->samples == 0 || elapsed_ns < size->best_ns)
    size->best_ns = elapsed_ns;
  size->samples++;
  if (size->samples < SAMPLES)
    return;
  const double ns_per_byte = (double)size->best_ns / size->bytes;
  size->samples = 0;
  if (!pays(size, ns_per_byte)) {
    size->bytes /= 2;
    size->settled = 1;
  } else if (size->bytes * 2 >= size->ceiling || size->best_ns * 2 > CALL_NS_MOST) {
    size->settled = 1;
  } else {
    size->shorter_ns = ns_per_byte;
    size->bytes *= 2;
  }
}

int bn_call_size_failed(struct bn_call_size *size, uint32_t n_bytes) {
  if (n_bytes <= BN_CALL_BYTES_LEAST)
    return 0;
  if (n_bytes < size->ceiling)
    size->ceiling = n_bytes;
  while (size->bytes >= size->ceiling)
    size->bytes /= 2;
  size->samples = 0;
  size->settled = 1;
  return 1;
}
