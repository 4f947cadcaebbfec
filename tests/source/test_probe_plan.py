"""How a probe proceeds, against modules of every kind, each a function of the length."""

import math
from dataclasses import dataclass, field

import pytest

from bridge.hsm.selection import HsmError
from bridge.native.probe import ProbedCall, ProbedCell
from bridge.source.probe_plan import (
    SESSIONS,
    Limit,
    advise,
    find_limit,
    measure_all,
    sizes_up_to,
    try_odd_lengths,
)

ARGUMENTS_BAD = 0x7
DEVICE_REMOVED = 0x32


@dataclass
class Module:
    """Refuses what is longer than `longest`; a call costs its latency, a byte its time."""

    longest: int = 1 << 30
    latency: float = 0.0
    per_byte: float = 1e-8
    parallel: int = 1
    n_sessions: int = 64
    gone_after: int = 1 << 30
    noise: list[float] = field(default_factory=lambda: [1.0])
    calls: list[int] = field(default_factory=list)
    cells: list[tuple[int, int, float]] = field(default_factory=list)

    def _ckr(self, n_bytes):
        if len(self.calls) > self.gone_after:
            return DEVICE_REMOVED
        return ARGUMENTS_BAD if n_bytes > self.longest else 0

    def call(self, n_bytes):
        self.calls.append(n_bytes)
        seconds = self.latency + self.per_byte * n_bytes
        return ProbedCall(n_bytes, self._ckr(n_bytes), seconds, unwritten=False, spilled=False)

    def measure(self, call_bytes, sessions, seconds):
        self.cells.append((call_bytes, sessions, seconds))
        sessions = min(sessions, self.n_sessions)
        one = self.latency + self.per_byte * call_bytes
        one *= self.noise[len(self.cells) % len(self.noise)]
        turns = max(1, math.ceil(seconds / one))
        calls = turns * min(sessions, self.parallel)
        return ProbedCell(call_bytes, sessions, calls, turns * one, 0, one, one, one, one)


@pytest.mark.parametrize("longest", [32, 33, 777, 1023, 1024, 1025, 3136, 65536, 1_000_003])
def test_the_longest_call_is_found_to_the_byte(longest):
    module = Module(longest=longest)
    assert find_limit(module) == Limit(longest, ARGUMENTS_BAD)
    assert max(module.calls) <= 2 * max(longest, 1024)


def test_a_module_without_a_limit_is_not_tried_beyond_a_mebibyte():
    module = Module()
    assert find_limit(module) == Limit(1 << 20, None)
    assert module.calls == [1024 << i for i in range(11)]


def test_a_slow_one_is_not_kept_busy():
    module = Module(per_byte=1 / 2000)
    assert find_limit(module) == Limit(1024, None)
    assert sum(module.calls) <= 2048
    assert [call.length_bytes for call in try_odd_lengths(module, 1 / 2000)] == [
        *(0, 1, 3, 31, 1023, 1025)
    ]


@pytest.mark.parametrize("gone_after", [0, 1, 5, 12])
def test_a_token_that_goes_away_is_not_taken_for_a_limit(gone_after):
    with pytest.raises(HsmError, match=r"CKR_DEVICE_REMOVED \(0x32\) from C_GenerateRandom"):
        find_limit(Module(longest=3000, gone_after=gone_after))


def test_what_is_measured():
    assert sizes_up_to(1024) == (1024,)
    assert sizes_up_to(3143) == (1024, 2048, 3136)
    assert sizes_up_to(777) == (768,)
    assert sizes_up_to(32) == (32,)
    assert len(sizes_up_to(1 << 20)) == 11


def _measured(module, longest=1 << 20):
    steps = []
    cells = measure_all(module, sizes_up_to(longest), 0.3, lambda *step: steps.append(step))
    assert all(done < total for done, total, _ in steps)
    assert sum(seconds for _, _, seconds in module.cells) <= 0.3 * len(cells) * 3 + 1e-9
    return cells


def test_every_length_in_every_number_of_sessions():
    cells = _measured(Module(), 4096)
    assert [(cell.call_bytes, cell.sessions) for cell in cells] == [
        (size, sessions) for size in (1024, 2048, 4096) for sessions in SESSIONS
    ]


def test_a_token_with_one_session_shows_once():
    cells = _measured(Module(n_sessions=1), 2048)
    assert [(cell.call_bytes, cell.sessions) for cell in cells] == [(1024, 1), (2048, 1)]


def test_of_three_rounds_the_fastest_counts():
    quiet = _measured(Module(latency=1e-4), 1024)
    noisy = _measured(Module(latency=1e-4, noise=[1.0, 3.0, 1.0, 5.0]), 1024)
    assert noisy == quiet


def test_a_slow_cell_is_measured_once():
    module = Module(per_byte=1 / 2000)
    _measured(module, 1024)
    assert len(module.cells) == len(SESSIONS)


@pytest.mark.parametrize(
    ("module", "call_bytes", "sessions"),
    [
        (Module(), 1024, 1),  # nothing helps
        (Module(latency=1e-3, per_byte=1e-7), 262_144, 1),  # 19 times the latency for the bytes
        (Module(latency=1e-4, per_byte=1e-9, parallel=2), 1 << 20, 2),
        (Module(parallel=8), 1024, 4),
    ],
)
def test_the_advice_is_the_least_that_is_nearly_the_best(module, call_bytes, sessions):
    advice = advise(_measured(module))
    assert (advice.sessions, advice.call_bytes) == (sessions, call_bytes)
    assert advice.bytes_per_second >= 0.95 * advice.best_bytes_per_second


def test_no_advice_without_a_call():
    assert advise(()) is None
