"""A whole vCenter's fleet, and four of them: what feeding it costs, and how soon it is filled.

`python -m benchmarks.fleet [steady] [many] [cold] [far] [--minutes M] [--output FILE]`; without a
name all of them. The far ends are C (benchmarks/far_end), the token is the test token at a pace.

- steady: 2,500 hosts at ESXi's defaults use 1 KiB/s each for a minute: shares of one core, RSS.
  Then 6 KiB/s each for `--minutes`: RSS in every tenth of that.
- many: four vCenters with 2,500 hosts each at 1 KiB/s, for a minute.
- cold: 2,500 empty hosts at 1 KiB/s, from the first contact until all are above their watermark at
  one moment, against the bound: hosts x watermark bytes, less what the ring holds, over what is
  left of the HSM's pace after the hosts' use; or over the wire's, whichever is less. The wire's is
  the push path alone at 64 KiB and more, which is above both paces tried here.
- far: 2,500 hosts behind 50 to 300 ms, and behind 300 ms with more connections: looks later than a
  third of the timeout, and what the bridge says of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.far_end.far_end import CAPACITY_BYTES, TIMEOUT_SECONDS, WATERMARK_BYTES
from benchmarks.fleet.fleet import fleet
from benchmarks.report import machine, write

if TYPE_CHECKING:
    from benchmarks.fleet.fleet import Fleet

HOSTS = 2500
KIB = 1024
PACE = 40e6  # bytes/s of the token, where it is not what is measured
RESERVE_BYTES = 128 * 12288  # of the default ring
TURNS = 10
MEASURED = ("bridge", "native", "benchmarks/fleet", "benchmarks/far_end")


def observe(it: Fleet, seconds: float) -> dict[str, object]:
    """Share of one core, bytes and looks over a while."""
    it.count_anew()
    before, begun = it.usage(), time.monotonic()
    time.sleep(seconds)
    after, lasted = it.usage(), time.monotonic() - begun
    counts = it.counts()
    feeder = (after.feeder_cpu_seconds - before.feeder_cpu_seconds) / lasted
    source = (after.source_cpu_seconds - before.source_cpu_seconds) / lasted
    return {
        "feeder_share_of_a_core": round(feeder, 4),
        "source_share_of_a_core": round(source, 4),
        "rss_mb": round(after.rss_bytes / 1e6, 1),
        "bytes_per_second": round(sum(c.sent_bytes for c in counts) / lasted),
        "requests_per_second": round(sum(c.requests for c in counts) / lasted, 1),
        "adds_per_second": round(sum(c.adds for c in counts) / lasted, 1),
        "over_bytes": sum(c.over_bytes for c in counts),
        "below_watermark": sum(c.below_watermark for c in counts),
        "lowest_bytes": min(c.lowest_bytes for c in counts),
        "late_looks": sum(c.late for c in counts),
        "longest_gap_seconds": max(c.longest_gap_seconds for c in counts),
    }


def start(it: Fleet, bytes_per_second: float, level_bytes: float) -> None:
    for far in it.fars:
        far.set_level(level_bytes)
        far.set_drain(bytes_per_second)
        far.count_anew()


def steady(minutes: float) -> dict[str, object]:
    with fleet(1, HOSTS, bytes_per_second=PACE) as it:
        start(it, KIB, 0.9 * CAPACITY_BYTES)
        with it.fed():
            it.wait_until_known()
            time.sleep(TIMEOUT_SECONDS / 2)
            calm = observe(it, 60.0)
            it.fars[0].set_drain(6 * KIB)
            time.sleep(TIMEOUT_SECONDS / 3)
            busy = [observe(it, minutes * 60.0 / TURNS) for _ in range(TURNS)]
    return {"at 1 KiB/s": calm, "at 6 KiB/s": busy}


def many() -> dict[str, object]:
    with fleet(4, HOSTS, bytes_per_second=PACE) as it:
        start(it, KIB, 0.9 * CAPACITY_BYTES)
        with it.fed():
            it.wait_until_known()
            time.sleep(TIMEOUT_SECONDS / 2)
            return observe(it, 60.0)


def cold(pace: float) -> dict[str, object]:
    with fleet(1, HOSTS, bytes_per_second=pace) as it:
        start(it, KIB, 0.0)
        [far] = it.fars
        with it.fed():
            while not far.count().requests:
                time.sleep(0.005)
            begun = far.count()
            while (count := far.count()).below_watermark:
                time.sleep(0.02)
        bound = (HOSTS * WATERMARK_BYTES - RESERVE_BYTES) / (pace - HOSTS * KIB)
        seconds = count.now - begun.now
        return {
            "hsm_bytes_per_second": pace,
            "seconds": round(seconds, 3),
            "bound_seconds": round(bound, 3),
            "ratio": round(seconds / bound, 3),
            "sent_bytes": count.sent_bytes,
            "over_bytes": count.over_bytes,
            "adds": count.adds,
            "looks": count.looks,
        }


def far(least_seconds: float, most_seconds: float, max_in_flight: int) -> dict[str, object]:
    with fleet(1, HOSTS, bytes_per_second=PACE) as it:
        start(it, KIB, 0.9 * CAPACITY_BYTES)
        it.fars[0].set_delay(least_seconds, most_seconds)
        with it.fed(max_in_flight=max_in_flight) as bridge:
            it.wait_until_known()
            time.sleep(TIMEOUT_SECONDS / 2)
            seen = observe(it, 40.0)
            [ready] = bridge.events("ready")
            status = bridge.status(int(ready["status"].rstrip("/").rpartition(":")[2]))
    return {
        "delay_seconds": [least_seconds, most_seconds],
        "max_in_flight": max_in_flight,
        **seen,
        "the bridge says": status["warnings"],
        "look_lateness_seconds": status["look_lateness_seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("what", nargs="*", help="steady, many, cold, far; all when left out")
    parser.add_argument("--minutes", type=float, default=10.0, help="at six times the rate")
    parser.add_argument("--output", type=Path, help="write all figures here, as JSON")
    options = parser.parse_args()
    runs = {
        "steady": lambda: steady(options.minutes),
        "many": many,
        "cold": lambda: [cold(pace) for pace in (10e6, 20e6, 40e6)],
        "far": lambda: [far(0.05, 0.3, 32), far(0.3, 0.3, 32), far(0.3, 0.3, 64)],
    }
    document: dict[str, object] = {
        "what": f"{HOSTS} hosts a vCenter through the bridge into C far ends, TLS 1.3, loopback",
        "environment": machine(*MEASURED),
    }
    for name in options.what or runs:
        document[name] = runs[name]()
        print(json.dumps({name: document[name]}, indent=1), file=sys.stderr)
        if options.output:
            write(options.output, document)


if __name__ == "__main__":
    main()
