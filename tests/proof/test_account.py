"""The proof: what hosts received, decoded to the byte, against what the bridge says it sent.

Test token, source process, ring, pusher, TLS, and a twin with 300 draining hosts, each a process as
a user runs it. The token's stream tells of every byte where it came from.
"""

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.twin.faults import TLS_KINDS, FaultKind
from bridge.twin.recorder import Entry, Recording
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.counting import Ledger, Proof
from tests.support.testtoken import LABEL, TestToken
from tests.support.twin import TwinProcess

HOSTS = 300
READERS = 2
ROUNDS_BYTES = 10_000_000  # to be delivered once every host is above its watermark


@dataclass
class Outcome:
    account: dict[str, Any]
    entries: list[Entry]  # all requests
    additions: list[Entry]
    proof: Proof
    state: dict[str, Any]
    token_bytes: int


@contextmanager
def explained(bridge, port, twin):
    """Of a wait in vain, print how bridge and hosts stood then: the log of errors does not say."""
    try:
        yield
    except AssertionError:
        # a bridge that hangs says nothing any more: what the hosts have comes first
        for state in (twin.hosts, lambda: bridge.status(port)):
            json.dump(state(), sys.stderr, indent=1)
        raise


@pytest.fixture
def outcome(request, tmp_path, port):
    """Feed 300 hosts with the faults given, stop, and decode what arrived."""
    faults = getattr(request, "param", [])
    token = TestToken(tmp_path / "token")
    record = tmp_path / "record"
    twin = TwinProcess(
        *("--hosts", HOSTS, "--record", record, "--initial-level", 0.1, "--spread", 0.8),
        *("--drain-bytes-per-second", 8_000),
    )
    with twin:
        twin.admin("PUT", "faults", faults)
        configuration = document(
            hsm_test={"module": token.module, "token_label": LABEL, "env": token.environment},
            vcenter_twin={
                "url": twin.url,
                "username": twin.username,
                "password_file": twin.password_file,
                "ca_file": twin.ca_file,
                # lost replies are waited for; without faults nothing is, on however busy a machine
                "request_timeout_seconds": 5 if faults else 60,
            },
            status={"listen": f"127.0.0.1:{port}"},
        )
        with BridgeProcess(configuration, tmp_path) as bridge:
            saved = set()
            with explained(bridge, port, twin):
                wait_until(lambda: above_watermark(twin, saved) >= set(twin.hosts()), 90)
                enough = received(twin) + ROUNDS_BYTES
                wait_until(lambda: received(twin) > enough, 90)
            assert bridge.stop() == 0
            [account] = bridge.events("account")
        state = twin.state()
    recording = Recording(record)
    ledger = Ledger()
    everything = memoryview(recording.received())
    for entry in recording.additions():
        stop = entry.offset_bytes + entry.raw_bytes
        ledger.add(entry.host, everything[entry.offset_bytes : stop])
    made = Outcome(
        account,
        recording.entries,
        recording.additions(),
        ledger.verify(),
        state,
        token.bytes_handed_out,
    )
    token.close()
    return made


def fed_without_a_look(entries):
    """What hosts were sent after a request that may have reached them, before they were read."""
    doubtful, wrong = set(), []
    for entry in sorted(entries, key=lambda it: it.time_seconds):
        if entry.operation == "pool.get":
            doubtful.discard(entry.host)
        elif entry.operation == "pool.add":
            if entry.host in doubtful:
                wrong.append(entry)
            # of a refusal that broke off, the status had come
            refused = "truncated_reply" in entry.faults and not entry.accepted_bytes
            if entry.raw_bytes and entry.status in (0, 500) and not refused:
                doubtful.add(entry.host)
    return wrong


def above_watermark(twin, saved):
    """Add to `saved` the hosts that are above their watermark now."""
    for host, pool in twin.hosts().items():
        if pool["level_bytes"] >= pool["low_watermark_bytes"]:
            saved.add(host)
    return saved


def received(twin):
    return sum(it["received_bytes"] for it in twin.hosts().values())


ODD_ANSWERS = {"not_json", "wrong_shape", "huge_reply"}


def check(outcome):
    """What holds whatever went wrong. ledger.verify() has shown: nothing twice, nothing altered."""
    account, additions = outcome.account, outcome.additions
    assert account["closes"]
    assert account["in_flight"] == 0
    assert account["generated"] == outcome.token_bytes
    confirmed = [
        entry for entry in additions if entry.status == 200 and ODD_ANSWERS.isdisjoint(entry.faults)
    ]
    assert account["delivered"] == sum(entry.raw_bytes for entry in confirmed)
    # nothing over capacity
    assert all(entry.accepted_bytes == entry.raw_bytes for entry in confirmed)
    assert all(
        entry.raw_bytes <= entry.room_bytes for entry in additions if entry.room_bytes is not None
    )
    assert not fed_without_a_look(outcome.entries)
    # everything that arrived is in the account, and nothing in the account was made up
    arrived = sum(entry.raw_bytes for entry in additions)
    assert outcome.proof.n_bytes == arrived
    assert arrived <= account["delivered"] + account["refused"] + account["unknown"]
    assert account["failed"] == 0
    print(f"{outcome.proof.n_unproven_bytes} of {arrived} bytes unproven")
    assert outcome.proof.n_unproven_bytes <= outcome.proof.n_bytes // 1_000_000


def test_every_byte_is_accounted_for(outcome):
    check(outcome)
    account = outcome.account
    assert account["refused"] == account["unknown"] == 0
    assert account["lost"] <= 2 * READERS  # each may have the beginning of a group
    assert outcome.proof.n_bytes == account["delivered"]
    assert len(outcome.proof.bytes_by_host) == HOSTS


TROUBLE = [
    {"kind": "reset_mid_body", "operations": ["pool.add"], "probability": 0.03, "seed": 1},
    {"kind": "lose_reply", "operations": ["pool.add"], "probability": 0.03, "seed": 2},
    {
        "kind": "early_reply",
        "operations": ["pool.add"],
        "probability": 0.03,
        "seed": 3,
        "delay_seconds": 2.0,
    },
    {"kind": "error", "operations": ["pool.add"], "probability": 0.03, "seed": 4},
    {"kind": "unavailable", "operations": ["pool.add"], "probability": 0.03, "seed": 5},
    {"kind": "unauthenticated", "operations": ["pool.add"], "probability": 0.02, "seed": 6},
    {"kind": "reset_before_body", "operations": ["pool.add"], "probability": 0.03, "seed": 7},
    {"kind": "truncated_reply", "operations": ["pool.add"], "probability": 0.02, "seed": 8},
    {"kind": "expire_sessions", "operations": ["pool.get"], "probability": 0.002, "seed": 9},
]


@pytest.mark.parametrize("outcome", [TROUBLE], ids=["trouble"], indirect=True)
def test_every_byte_is_accounted_for_whatever_goes_wrong(outcome):
    check(outcome)
    account = outcome.account
    assert account["refused"] > 0
    assert account["unknown"] > 0
    struck = {kind for entry in outcome.additions for kind in entry.faults}
    assert {"reset_mid_body", "lose_reply", "early_reply", "error"} <= struck


def everything():
    """Every fault of requests, seldom enough for hosts to be fed in between."""
    of_hosts = {"operations": ["pool.add", "pool.get"], "probability": 0.004}
    soon = 0.02  # of what happens a few times only, however few requests do the work
    some = {
        FaultKind.DELAY: {"delay_seconds": 0.5},
        # each takes a connection for as long as a request may
        FaultKind.STALL: {"count": 3, "probability": soon},
        FaultKind.TOO_LARGE: {"count": 3, "probability": soon},
        FaultKind.SLOW_READ: {"bytes_per_second": 50_000},
        FaultKind.SLOW_REPLY: {"bytes_per_second": 100},
        FaultKind.HUGE_REPLY: {"size_bytes": 4_000_000},
        FaultKind.VANISH: {"count": 3, "hosts": ["host-1001", "host-1002", "host-1003"]},
        FaultKind.JUMP_TIME: {"count": 2, "probability": soon, "jump_seconds": 5},
        FaultKind.EXPIRE_SESSIONS: {"probability": 0.003},
        FaultKind.UNAUTHENTICATED: {"probability": 0.003},
    }
    return [
        {"kind": kind, "seed": seed} | of_hosts | some.get(kind, {})
        for seed, kind in enumerate(FaultKind)
        if kind not in TLS_KINDS
    ]


@pytest.mark.nightly
@pytest.mark.parametrize("outcome", [everything()], ids=["everything"], indirect=True)
def test_every_byte_is_accounted_for_when_everything_goes_wrong(outcome):
    check(outcome)
    struck = {kind for entry in outcome.entries for kind in entry.faults}
    assert struck >= {*FaultKind} - TLS_KINDS - {FaultKind.VANISH}
