// SPDX-License-Identifier: Apache-2.0
#include "fleet.h"

#include <stdio.h>

static void use(struct fleet *fleet, struct pool *pool, double now) {
  double used = fleet->drain_bytes_per_second * (now - pool->at);
  if (used > pool->level_bytes) {
    fleet->dry_host_seconds += (used - pool->level_bytes) / fleet->drain_bytes_per_second;
    used = pool->level_bytes;
  }
  pool->level_bytes -= used;
  pool->at = now;
}

static void use_all(struct fleet *fleet, double now) {
  for (size_t i = 0; i < fleet->n; i++)
    use(fleet, &fleet->pools[i], now);
}

// A host that nobody ever contacted waits since its counting began.
static struct pool *contact(struct fleet *fleet, size_t host, double now) {
  struct pool *pool = &fleet->pools[host];
  double gap = now - pool->contact_at;
  pool->contact_at = now;
  if (gap > fleet->longest_gap_seconds)
    fleet->longest_gap_seconds = gap;
  fleet->late += gap * 3 > (double)fleet->timeout_seconds;
  fleet->lost += gap > (double)fleet->timeout_seconds;
  use(fleet, pool, now);
  return pool;
}

uint64_t fleet_look(struct fleet *fleet, size_t host, double now) {
  fleet->looks++;
  return (uint64_t)contact(fleet, host, now)->level_bytes;
}

uint64_t fleet_add(struct fleet *fleet, size_t host, uint64_t n_bytes, double now) {
  struct pool *pool = contact(fleet, host, now);
  double room = (double)fleet->capacity_bytes - pool->level_bytes;
  fleet->adds++;
  fleet->sent_bytes += n_bytes;
  if ((double)n_bytes > room + 1) { // a reading is rounded to whole bytes
    fleet->over_bytes += (uint64_t)((double)n_bytes - room);
    n_bytes = (uint64_t)room;
  }
  pool->level_bytes += (double)n_bytes;
  return (uint64_t)pool->level_bytes;
}

void fleet_set_level(struct fleet *fleet, double bytes, double now) {
  for (size_t i = 0; i < fleet->n; i++) {
    fleet->pools[i].level_bytes = bytes;
    fleet->pools[i].at = now;
  }
}

void fleet_set_drain(struct fleet *fleet, double bytes_per_second, double now) {
  use_all(fleet, now);
  fleet->drain_bytes_per_second = bytes_per_second;
}

void fleet_count_anew(struct fleet *fleet, double now) {
  use_all(fleet, now);
  fleet->looks = fleet->adds = fleet->sent_bytes = fleet->over_bytes = 0;
  fleet->late = fleet->lost = 0;
  fleet->longest_gap_seconds = fleet->dry_host_seconds = 0;
}

void fleet_say(struct fleet *fleet, double now, char *out, size_t size) {
  size_t below = 0, dry = 0;
  double lowest = (double)fleet->capacity_bytes, held = 0, longest = fleet->longest_gap_seconds;
  use_all(fleet, now);
  for (size_t i = 0; i < fleet->n; i++) {
    const struct pool *pool = &fleet->pools[i];
    below += pool->level_bytes < (double)fleet->watermark_bytes;
    dry += pool->level_bytes < 1;
    held += pool->level_bytes;
    if (pool->level_bytes < lowest)
      lowest = pool->level_bytes;
    if (now - pool->contact_at > longest)
      longest = now - pool->contact_at;
  }
  snprintf(out, size,
           "{\"hosts\":%zu,\"below_watermark\":%zu,\"dry\":%zu,\"lowest_bytes\":%.0f,"
           "\"held_bytes\":%.0f,\"looks\":%llu,\"adds\":%llu,\"sent_bytes\":%llu,"
           "\"over_bytes\":%llu,\"late\":%llu,\"lost\":%llu,\"longest_gap_seconds\":%.3f,"
           "\"dry_host_seconds\":%.3f,\"now\":%.6f}",
           fleet->n, below, dry, lowest, held, (unsigned long long)fleet->looks,
           (unsigned long long)fleet->adds, (unsigned long long)fleet->sent_bytes,
           (unsigned long long)fleet->over_bytes, (unsigned long long)fleet->late,
           (unsigned long long)fleet->lost, longest, fleet->dry_host_seconds, now);
}
