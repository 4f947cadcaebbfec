// SPDX-License-Identifier: Apache-2.0
//
// Turns what calls of any length bring into slots of whole 3-byte groups. It owns the buffer that
// the module writes to; the 1 or 2 bytes that make no group wait in front of that buffer, so that
// the next call's bytes continue them. One thread.

#ifndef BN_RING_PACKER_H
#define BN_RING_PACKER_H

#include "base64/kernel.h"
#include "ring/producer.h"

struct bn_packer {
  struct bn_lane *lane;
  bn_base64_kernel_fn *encode;
  uint8_t *memory; // secure
  size_t memory_bytes;
  uint8_t *buffer;     // where the next call's bytes go
  uint32_t carry;      // bytes in front of it, 0 to 2
  char *text;          // of the slot that is being filled; NULL: none
  uint32_t slot;       // that slot
  uint32_t text_bytes; // in that slot
  uint64_t since_ns;   // when the first of them came
};

BN_CHECKED enum bn_err bn_packer_open(struct bn_lane *lane, size_t most_call_bytes,
                                      int allow_unlocked, struct bn_packer *out,
                                      struct bn_fault *fault);
// Wipes what was carried and, if it was not published, the slot that was being filled.
void bn_packer_close(struct bn_packer *packer);
// How many bytes a call may bring now without a wait for space.
size_t bn_packer_room(const struct bn_packer *packer);
// Encodes the first `raw_bytes` (at most the room) of the buffer, publishing each slot that is
// full. The buffer still holds them afterwards. BN_ERR_RING when the consumer hands out nonsense.
BN_CHECKED enum bn_err bn_packer_pack(struct bn_packer *packer, size_t raw_bytes, uint64_t now_ns);
// Publishes a slot that is not full yet, if there is one.
void bn_packer_flush(struct bn_packer *packer);

#endif
