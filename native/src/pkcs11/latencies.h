// SPDX-License-Identifier: Apache-2.0
//
// Durations, counted in bins that grow with them: percentiles to 3 % from nanoseconds to centuries,
// in memory that does not. Pure.

#ifndef BN_PKCS11_LATENCIES_H
#define BN_PKCS11_LATENCIES_H

#include <stdint.h>

#define BN_LATENCY_BINS (60 * 32)

struct bn_latencies {
  uint64_t n;
  uint64_t most_ns;
  uint64_t bins[BN_LATENCY_BINS];
};

void bn_latencies_add(struct bn_latencies *latencies, uint64_t ns);
void bn_latencies_merge(struct bn_latencies *into, const struct bn_latencies *from);
// The duration that `percent` of all reach at most; 0 when there are none.
uint64_t bn_latencies_percentile(const struct bn_latencies *latencies, uint32_t percent);

#endif
