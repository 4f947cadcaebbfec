// SPDX-License-Identifier: Apache-2.0
//
// A histogram with 32 bins to each power of two.

#include "pkcs11/latencies.h"

#define BITS 5 // of a duration below its highest one that tell bins apart
#define WIDTH (1u << BITS)

static uint32_t bin_of(uint64_t ns) {
  if (ns < WIDTH)
    return (uint32_t)ns;
  const uint32_t shift = 63 - BITS - (uint32_t)__builtin_clzll(ns);
  return (shift + 1) * WIDTH + ((uint32_t)(ns >> shift) & (WIDTH - 1));
}

static uint64_t top_of(uint32_t bin) {
  if (bin < WIDTH)
    return bin;
  const uint32_t shift = bin / WIDTH - 1;
  const uint64_t first = (uint64_t)(WIDTH + bin % WIDTH) << shift;
  return first + ((UINT64_C(1) << shift) - 1);
}

void bn_latencies_add(struct bn_latencies *latencies, uint64_t ns) {
  latencies->n++;
  latencies->bins[bin_of(ns)]++;
  if (ns > latencies->most_ns)
    latencies->most_ns = ns;
}

void bn_latencies_merge(struct bn_latencies *into, const struct bn_latencies *from) {
  into->n += from->n;
  if (from->most_ns > into->most_ns)
    into->most_ns = from->most_ns;
  for (uint32_t bin = 0; bin < BN_LATENCY_BINS; bin++)
    into->bins[bin] += from->bins[bin];
}

uint64_t bn_latencies_percentile(const struct bn_latencies *latencies, uint32_t percent) {
  const uint64_t wanted = (latencies->n * percent + 99) / 100;
  uint64_t seen = 0;
  for (uint32_t bin = 0; bin < BN_LATENCY_BINS && wanted > 0; bin++) {
    seen += latencies->bins[bin];
    if (seen >= wanted)
      return top_of(bin) < latencies->most_ns ? top_of(bin) : latencies->most_ns;
  }
  return 0;
}
