// SPDX-License-Identifier: Apache-2.0
//
// The fast looks with what every processor of its kind has.

#define SCAN bn_scan_plain
#define VECTOR_BYTES 16
#include "health/scan_body.h"
