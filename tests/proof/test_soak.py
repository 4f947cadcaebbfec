"""The proof once more, by night: minutes of whatever can go wrong, in an order that chance finds.

Two tokens, two vCenters and a bridge; faults, crashes, frozen processes, lost sessions and reloads
strike together. The seed is printed, and $BN_SOAK_SEED throws the same dice again.

Calls are of many blocks and requests are large: of pieces of blocks, which there would be more of,
the ledger cannot always tell whose they are.
"""

import os
import random
import signal
import time
from contextlib import suppress

import psutil
import pytest

from bridge.twin.faults import TLS_KINDS, FaultKind
from bridge.twin.recorder import Recording
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.counting import Ledger
from tests.support.testtoken import LABEL, Mode, TestToken
from tests.support.twin import TwinProcess

MINUTES = 4
OTHER_STREAM = 1 << 40  # where the second token begins to count
THIRSTY = ("--drain-bytes-per-second", 12_000, "--spread", 0.8, "--initial-level", 0.6)
ODD_ANSWERS = {"not_json", "wrong_shape", "huge_reply"}
ONCE = [0x30, 0x31, 0xB3, 0x101, 0x07, 0x21, 0x32, 0xE0, 0x06]  # CKRs of a device, session or token
FAULTS = {
    FaultKind.DELAY: {"delay_seconds": 0.5},
    FaultKind.STALL: {"count": 4},
    FaultKind.EARLY_REPLY: {"delay_seconds": 2.0},
    FaultKind.SLOW_READ: {"bytes_per_second": 50_000},
    FaultKind.SLOW_REPLY: {"bytes_per_second": 200},
    FaultKind.HUGE_REPLY: {"size_bytes": 3_000_000},
    FaultKind.EXPIRE_SESSIONS: {"probability": 0.01},
    FaultKind.UNAUTHENTICATED: {"probability": 0.01},
}
SUMS = {"generated", "delivered", "refused", "unknown", "in_flight", "in_ring"}
NOT_HERE = TLS_KINDS | {FaultKind.VANISH, FaultKind.JUMP_TIME}


class Chaos:
    """What goes wrong, and the configuration that changes meanwhile."""

    def __init__(self, seed, tokens, twins):
        self.dice = random.Random(seed)
        self.tokens = tokens
        self.twins = twins
        self.tables = {"hsm_0": self.hsm(0), "vcenter_0": self.vcenter(0)}

    def hsm(self, number):
        token, choice = self.tokens[number], self.dice.choice
        return {
            "module": token.module,
            "token_label": LABEL,
            "env": token.environment,
            "sessions": choice([1, 2, 4]),
            "reserve": choice(["512KiB", "1MiB"]),
            "call_bytes": choice([4096, 16_384, 65_536]),
            "max_bytes_per_second": choice(["1MiB", "1GiB"]),
        }

    def vcenter(self, number):
        twin, choice = self.twins[number], self.dice.choice
        return {
            "url": twin.url,
            "username": twin.username,
            "password_file": twin.password_file,
            "ca_file": twin.ca_file,
            "request_timeout_seconds": choice([2, 3, 5]),
            "max_in_flight": choice([1, 4, 32]),
            "max_add_bytes": choice([30_000, 65_536, 1 << 20]),
            "fast_path": choice([True, True, False]),
        }

    def faults(self, _bridge):
        kinds = [kind for kind in FaultKind if kind not in NOT_HERE]
        operations = self.dice.choice([["pool.add"], ["pool.get"], ["pool.add", "host.list"]])
        rules = [
            {"kind": kind, "seed": seed, "operations": operations}
            | {"probability": self.dice.choice([0.005, 0.03, 0.2])}
            | FAULTS.get(kind, {})
            for seed, kind in enumerate(self.dice.sample(kinds, self.dice.randrange(8)))
        ]
        self.dice.choice(self.twins).admin("PUT", "faults", rules)

    def sessions(self, _bridge):
        self.dice.choice(self.twins).expire_sessions()

    def token(self, _bridge):
        token = self.dice.choice(self.tokens)
        token.behave(self.dice.choice([Mode.CRASHES, Mode.WRITES_NOTHING]), 1)
        token.answer(self.dice.choice(ONCE), 1)

    def reload(self, bridge):
        name = self.dice.choice(["hsm_0", "hsm_1", "vcenter_0", "vcenter_1"])
        kind, number = name.split("_")
        others = [it for it in self.tables if it.startswith(kind) and it != name]
        if name in self.tables and others and self.dice.random() < 0.3:
            del self.tables[name]
        else:
            self.tables[name] = getattr(self, kind)(int(number))
        bridge.config.write_text(document(**self.tables))
        for _ in range(self.dice.choice([1, 1, 20])):
            bridge.process.send_signal(signal.SIGHUP)

    def sources(self, bridge):
        what = self.dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
        found = psutil.Process(bridge.process.pid).children()
        for source in found:
            source.send_signal(what)
        time.sleep(self.dice.random())
        for source in found:
            with suppress(psutil.NoSuchProcess):
                source.resume()

    def feeder(self, bridge):
        bridge.process.send_signal(signal.SIGSTOP)
        time.sleep(self.dice.random() * 3)
        bridge.process.send_signal(signal.SIGCONT)

    def strike(self, bridge):
        """Let one thing go wrong; the process that it was meant for may be gone already."""
        deeds = (self.faults, self.reload, self.token, self.sources, self.sessions, self.feeder)
        [deed] = self.dice.choices(deeds, (5, 5, 3, 3, 1, 1))
        with suppress(psutil.NoSuchProcess):
            deed(bridge)
        time.sleep(self.dice.choice([0, 0.05, 0.3, 1]))

    def calm(self):
        for twin in self.twins:
            twin.set_faults()
        for token in self.tokens:
            token.behave(Mode.NORMAL)
            token.answer(0)


def received(twins):
    return sum(pool["received_bytes"] for twin in twins for pool in twin.hosts().values())


@pytest.mark.nightly
@pytest.mark.timeout(60 * MINUTES + 900)
def test_every_byte_is_accounted_for_in_any_order_of_troubles(tmp_path):
    seed = int(os.environ.get("BN_SOAK_SEED") or time.time())
    print("BN_SOAK_SEED", seed)
    tokens = [TestToken(tmp_path / name) for name in ("one", "two")]
    tokens[1].next_block = OTHER_STREAM
    for token in tokens:
        token.picoseconds_per_byte = 300_000
    records = [tmp_path / "record-0", tmp_path / "record-1"]
    with (
        TwinProcess("--hosts", 40, "--record", records[0], *THIRSTY) as first,
        TwinProcess("--hosts", 40, "--record", records[1], *THIRSTY) as second,
    ):
        twins = [first, second]
        chaos = Chaos(seed, tokens, twins)
        with BridgeProcess(document(**chaos.tables), tmp_path) as bridge:
            wait_until(lambda: bridge.events("ready"))
            end = time.monotonic() + 60 * MINUTES
            while time.monotonic() < end:
                chaos.strike(bridge)
                assert bridge.process.poll() is None
            chaos.calm()
            before = received(twins)
            wait_until(lambda: received(twins) > before, 90)
            assert bridge.stop() == 0
            accounts = bridge.events("account")
            assert not bridge.events("a loop ended that should not have; begun anew")
    total = {key: sum(it[key] for it in accounts) for key in accounts[0] if key in SUMS}
    assert all(account["closes"] for account in accounts)
    assert total["in_flight"] == total["in_ring"] == 0
    assert total["generated"] == sum(token.bytes_handed_out for token in tokens)
    check(records, total)


def check(records, total):
    """Nothing twice, nothing altered, nothing over capacity, nothing that is in no account."""
    ledger = Ledger()
    n_arrived = n_confirmed = 0
    for record in records:
        recording = Recording(record)
        everything = memoryview(recording.received())
        for entry in recording.additions():
            stop = entry.offset_bytes + entry.raw_bytes
            ledger.add(f"{record.name} {entry.host}", everything[entry.offset_bytes : stop])
            assert entry.room_bytes is None or entry.raw_bytes <= entry.room_bytes
            n_arrived += entry.raw_bytes
            if entry.status == 200 and ODD_ANSWERS.isdisjoint(entry.faults):
                n_confirmed += entry.raw_bytes
    proof = ledger.verify()
    print(f"{proof.n_unproven_bytes} of {n_arrived} bytes unproven")
    assert proof.n_bytes == n_arrived
    # of a reply that came too late the bridge knows nothing
    assert 0 < total["delivered"] <= n_confirmed
    assert n_arrived <= total["delivered"] + total["refused"] + total["unknown"]
