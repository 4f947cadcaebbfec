// SPDX-License-Identifier: Apache-2.0
//
// When an output test fails. cutoffs.py computes each of these from the entropy per byte that is
// claimed (8 bits), the window and the false-alarm probability, and holds them against this file.

#ifndef BN_HEALTH_CUTOFFS_H
#define BN_HEALTH_CUTOFFS_H

#define BN_HEALTH_WINDOW_BYTES 512
#define BN_HEALTH_STARTUP_BYTES 1024

// Repetition count: a run of as many equal bytes (SP 800-90B section 4.4.1); 2^-40 and 2^-60.
#define BN_HEALTH_REPETITION_DISCARD 6
#define BN_HEALTH_REPETITION_LATCH 9
// Adaptive proportion: as many bytes of a window equal to its first, that one included (section
// 4.4.2, with the cutoff corrected for the first byte); 2^-40 and 2^-60.
#define BN_HEALTH_PROPORTION_DISCARD 20
#define BN_HEALTH_PROPORTION_LATCH 26
// Start-up: of the start-up bytes, as many have a given bit set; 2^-40 for each of the eight.
#define BN_HEALTH_STARTUP_ONES_MIN 398
#define BN_HEALTH_STARTUP_ONES_MAX 626

// Failures of the first tier that latch when fewer bytes than this passed between one and the next.
#define BN_HEALTH_FAILURES_LATCH 3
#define BN_HEALTH_FAILURES_APART_BYTES (1024 * 1024)

#endif
