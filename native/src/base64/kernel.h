// SPDX-License-Identifier: Apache-2.0
//
// What a Base64 kernel is. Each kernel has a file of its own, compiled with the flags of its
// instruction set and nothing else; dispatch.c alone decides which one a processor may run.

#ifndef BN_BASE64_KERNEL_H
#define BN_BASE64_KERNEL_H

#include <stddef.h>
#include <stdint.h>

// Encodes each group of 3 bytes into 4 characters, and what is left of `raw_bytes` into one more
// group with padding (RFC 4648 section 4). Reads exactly those bytes and writes exactly that text,
// at any alignment, stores in address order, and leaves no entropy in static memory.
typedef void bn_base64_kernel_fn(const uint8_t *raw, size_t raw_bytes, char *text);

bn_base64_kernel_fn bn_base64_scalar;
bn_base64_kernel_fn bn_base64_ssse3;
bn_base64_kernel_fn bn_base64_avx2;
bn_base64_kernel_fn bn_base64_avx512vbmi;
bn_base64_kernel_fn bn_base64_neon;

// A kernel without the face of bn.h: the hot path's entry. NULL when this processor does not run
// it.
bn_base64_kernel_fn *bn_base64_kernel_function(uint32_t kernel);

#endif
