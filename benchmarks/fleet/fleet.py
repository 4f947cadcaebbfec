"""A bridge that feeds far ends, from its start to its end, and what its processes use."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.far_end.far_end import FarEnd
from tests.support.bridge import BridgeProcess, document
from tests.support.testtoken import LABEL, TestToken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.far_end.far_end import Count


@dataclass(frozen=True)
class Usage:
    """Of feeder and source: CPU seconds since they began, RSS in bytes."""

    feeder_cpu_seconds: float
    source_cpu_seconds: float
    feeder_rss_bytes: int
    source_rss_bytes: int

    @property
    def rss_bytes(self) -> int:
        return self.feeder_rss_bytes + self.source_rss_bytes


class Fleet:
    """Far ends of one shape, a token at a pace, and the bridge between them once it is begun."""

    def __init__(self, fars: Sequence[FarEnd], token: TestToken, here: Path) -> None:
        self.fars = fars
        self.token = token
        self._here = here
        self._bridge: BridgeProcess | None = None

    @contextmanager
    def fed(self, **vcenter: object) -> Iterator[BridgeProcess]:
        """Feed it; `vcenter` goes into every [vcenter.NAME]."""
        tables: dict[str, dict[str, object]] = {
            f"vcenter_far-{number}": far.table | vcenter for number, far in enumerate(self.fars)
        }
        hsm = {"module": self.token.module, "token_label": LABEL, "env": self.token.environment}
        configuration = document(hsm_bench=hsm, status={"listen": "127.0.0.1:0"}, **tables)
        with BridgeProcess(configuration, self._here) as self._bridge:
            yield self._bridge
            self._bridge.stop()

    def usage(self) -> Usage:
        assert self._bridge is not None
        feeder = psutil.Process(self._bridge.process.pid)
        [source] = feeder.children()
        (f_cpu, f_rss), (s_cpu, s_rss) = (
            (sum(it.cpu_times()[:2]), it.memory_info().rss) for it in (feeder, source)
        )
        return Usage(f_cpu, s_cpu, f_rss, s_rss)

    def counts(self) -> list[Count]:
        return [far.count() for far in self.fars]

    def count_anew(self) -> None:
        for far in self.fars:
            far.count_anew()

    def wait_until_known(self, seconds: float = 120.0) -> None:
        """Wait until every host was contacted."""
        end = time.monotonic() + seconds
        while any(count.looks + count.adds < count.hosts for count in self.counts()):
            if time.monotonic() > end:
                raise TimeoutError("not every host was looked at")
            time.sleep(0.05)


@contextmanager
def fleet(
    vcenters: int, hosts: int, *, bytes_per_second: float, timeout_seconds: int = 60
) -> Iterator[Fleet]:
    """Make `vcenters` far ends with `hosts` hosts each, and a token with this pace."""
    with ExitStack() as stack:
        here = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        token = TestToken(here / "state")
        stack.callback(token.close)
        token.picoseconds_per_byte = round(1e12 / bytes_per_second)
        fars = [
            stack.enter_context(FarEnd(hosts, timeout_seconds=timeout_seconds))
            for _ in range(vcenters)
        ]
        yield Fleet(fars, token, here)
