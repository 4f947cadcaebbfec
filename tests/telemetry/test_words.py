import math

import pytest

from bridge.telemetry.snapshot import HostRow, by_time_to_dry
from bridge.telemetry.words import bytes_text, duration_text, rate_text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1023.49, "1023 B"),
        (1023.5, "1 KiB"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (524_288, "512 KiB"),
        (2**20 - 1, "1 MiB"),
        (2**20, "1 MiB"),
        (5 * 2**40, "5 TiB"),
    ],
)
def test_bytes(n_bytes, text):
    assert bytes_text(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (math.nan, "unknown"),
        (math.inf, "endless"),
        (-1, "0 s"),
        (59.9, "59 s"),
        (512, "8 min 32 s"),
        (3600, "1 h 00 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_rates():
    assert rate_text(1024.4) == "1 KiB/s"


def test_what_is_not_known_comes_after_what_is_and_what_takes_nothing_last():
    rows = [
        HostRow("a", "0", "disabled", "disabled"),
        HostRow("a", "1", "unknown", "waiting"),
        HostRow("a", "2", "endless, full", "fed", 9, 9, 1, 0.0, math.inf),
        HostRow("a", "3", "endless, empty", "fed", 1, 9, 1, 0.0, math.inf),
        HostRow("a", "4", "late", "fed", 5, 9, 1, 1.0, 5.0),
        HostRow("a", "5", "soon", "fed", 1, 9, 1, 1.0, 1.0),
    ]
    names = [row.name for row in sorted(rows, key=by_time_to_dry)]
    assert names == ["soon", "late", "endless, empty", "endless, full", "unknown", "disabled"]
