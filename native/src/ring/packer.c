// SPDX-License-Identifier: Apache-2.0
//
// Raw bytes into slots. The entropy is in three places only: the buffer, which the caller
// overwrites; the carry, wiped here; and the slot.

#include "ring/packer.h"

#include <string.h>

#include "memory/memory.h"

#define CARRY_BYTES 2
#define FRONT_BYTES BN_CACHE_LINE_BYTES // keeps the buffer aligned, and has room for the carry

enum bn_err bn_packer_open(struct bn_lane *lane, size_t most_call_bytes, int allow_unlocked,
                           struct bn_packer *out, struct bn_fault *fault) {
  const size_t memory_bytes = FRONT_BYTES + most_call_bytes;
  uint8_t *memory = bn_secure_alloc(memory_bytes, allow_unlocked, fault);
  if (memory == NULL)
    return (enum bn_err)fault->err;
  *out = (struct bn_packer){
      .lane = lane,
      .encode = bn_base64_kernel_function(bn_base64_kernel_best()),
      .memory = memory,
      .memory_bytes = memory_bytes,
      .buffer = memory + FRONT_BYTES,
  };
  return BN_OK;
}

void bn_packer_close(struct bn_packer *packer) {
  if (packer->text != NULL) {
    bn_wipe(packer->text, BN_SLOT_TEXT_BYTES);
    packer->text = NULL;
  }
  bn_secure_free(packer->memory, packer->memory_bytes);
  packer->memory = NULL;
}

size_t bn_packer_room(const struct bn_packer *packer) {
  size_t room = (size_t)bn_ring_lane_available(packer->lane) * BN_SLOT_RAW_BYTES;
  if (packer->text != NULL)
    room += (BN_SLOT_TEXT_BYTES - packer->text_bytes) / 4 * 3;
  return room < packer->carry ? 0 : room - packer->carry;
}

static void put(struct bn_packer *packer) {
  packer->text = NULL;
  bn_ring_lane_put(packer->lane, packer->slot, packer->text_bytes);
}

void bn_packer_flush(struct bn_packer *packer) {
  if (packer->text == NULL)
    return;
  put(packer);
  bn_ring_lane_hand_over(packer->lane);
}

enum bn_err bn_packer_pack(struct bn_packer *packer, size_t raw_bytes, uint64_t now_ns) {
  const uint8_t *raw = packer->buffer - packer->carry;
  size_t n_groups = (packer->carry + raw_bytes) / 3;
  const uint32_t left = (uint32_t)((packer->carry + raw_bytes) % 3);
  uint32_t n_put = 0;
  while (n_groups > 0) {
    if (packer->text == NULL) {
      packer->text = bn_ring_lane_take(packer->lane, &packer->slot);
      if (packer->text == NULL)
        break;
      packer->text_bytes = 0;
      packer->since_ns = now_ns;
    }
    const size_t space = (BN_SLOT_TEXT_BYTES - packer->text_bytes) / 4;
    const size_t n = n_groups < space ? n_groups : space;
    packer->encode(raw, n * 3, packer->text + packer->text_bytes);
    raw += n * 3;
    n_groups -= n;
    packer->text_bytes += (uint32_t)(n * 4);
    if (packer->text_bytes == BN_SLOT_TEXT_BYTES) {
      put(packer);
      n_put++;
    }
  }
  if (n_put > 0)
    bn_ring_lane_hand_over(packer->lane);
  if (n_groups > 0)
    return BN_ERR_RING;
  memmove(packer->buffer - left, raw, left);
  bn_wipe(packer->buffer - CARRY_BYTES, CARRY_BYTES - left);
  packer->carry = left;
  return BN_OK;
}
