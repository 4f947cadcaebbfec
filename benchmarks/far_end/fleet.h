// SPDX-License-Identifier: Apache-2.0
// The hosts behind the far end: what each pool holds, drained by time, and what became of them.
// Bytes are raw, seconds are those of one clock that never goes back. One thread.
#ifndef FLEET_H
#define FLEET_H
#include <stddef.h>
#include <stdint.h>

#define FIRST_HOST 1000 // hosts are host-1000, host-1001, ...

struct pool {
  double level_bytes;
  double at; // when it was that
  double contact_at;
};

struct fleet {
  size_t n;
  uint64_t capacity_bytes, watermark_bytes, timeout_seconds;
  double drain_bytes_per_second; // of each host
  struct pool *pools;
  // since the last fleet_count_anew()
  uint64_t looks, adds, sent_bytes, over_bytes, late, lost;
  double longest_gap_seconds, dry_host_seconds;
};

// Host `host` is contacted: returns what it holds.
uint64_t fleet_look(struct fleet *fleet, size_t host, double now);
// Host `host` is sent so much: what it has no room for is discarded and counted.
uint64_t fleet_add(struct fleet *fleet, size_t host, uint64_t n_bytes, double now);
// Every host holds so much, and uses so much from now on.
void fleet_set_level(struct fleet *fleet, double bytes, double now);
void fleet_set_drain(struct fleet *fleet, double bytes_per_second, double now);
void fleet_count_anew(struct fleet *fleet, double now);
// Writes all that is counted, as one JSON object.
void fleet_say(struct fleet *fleet, double now, char *out, size_t size);

#endif
