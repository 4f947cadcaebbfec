// SPDX-License-Identifier: Apache-2.0
//
// 48 bytes into 64 characters per step: loads that take groups apart, stores that put them
// together.

#include "base64/kernel.h"

#ifndef __aarch64__
#error "neon.c is for 64-bit ARM"
#endif
#include <arm_neon.h>

#define STEP_RAW 48
#define STEP_TEXT 64

void bn_base64_neon(const uint8_t *raw, size_t raw_bytes, char *text) {
  static const uint8_t characters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8x16x4_t alphabet = vld1q_u8_x4(characters);
  const uint8x16_t six_bits = vdupq_n_u8(0x3F);
  for (; raw_bytes >= STEP_RAW; raw_bytes -= STEP_RAW) {
    // aaaaaabb bbbbcccc ccdddddd, one vector each
    const uint8x16x3_t in = vld3q_u8(raw);
    uint8x16x4_t out;
    out.val[0] = vshrq_n_u8(in.val[0], 2);
    out.val[1] = vandq_u8(vsliq_n_u8(vshrq_n_u8(in.val[1], 4), in.val[0], 4), six_bits);
    out.val[2] = vandq_u8(vsliq_n_u8(vshrq_n_u8(in.val[2], 6), in.val[1], 2), six_bits);
    out.val[3] = vandq_u8(in.val[2], six_bits);
    for (int i = 0; i < 4; i++)
      out.val[i] = vqtbl4q_u8(alphabet, out.val[i]);
    vst4q_u8((uint8_t *)text, out);
    raw += STEP_RAW, text += STEP_TEXT;
  }
  bn_base64_scalar(raw, raw_bytes, text);
}
