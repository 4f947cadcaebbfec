// SPDX-License-Identifier: Apache-2.0
//
// The end of a file of fast looks: whole windows by way of its scan_span, and the set of them,
// SCAN.

static size_t scan_windows(const uint8_t *windows, size_t n_windows) {
  for (size_t i = 0; i < n_windows; i++) {
    const uint8_t *window = windows + i * BN_HEALTH_WINDOW_BYTES;
    uint32_t n_equal = 0;
    if (!scan_span(window, BN_HEALTH_WINDOW_BYTES, window[0], &n_equal) ||
        n_equal >= BN_HEALTH_PROPORTION_DISCARD)
      return i;
  }
  return n_windows;
}

const struct bn_scan SCAN = {
    .span = scan_span,
    .windows = scan_windows,
    .repeat = scan_repeat,
    .same_word = scan_same_word,
};
