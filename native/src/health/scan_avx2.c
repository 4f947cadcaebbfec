// SPDX-License-Identifier: Apache-2.0
//
// The fast looks with AVX2.

#ifndef __AVX2__
#error "scan_avx2.c is compiled with -mavx2"
#endif

#define SCAN bn_scan_avx2
#define VECTOR_BYTES 32
#include "health/scan_body.h"
