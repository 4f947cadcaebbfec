"""What the bridge keeps to, measured on what arrived: caps, what vCenter asks for, no storms."""

import time

import pytest

from bridge.twin.recorder import Recording
from tests.daemon.conftest import configuration, vcenter_table
from tests.support.bridge import BridgeProcess, document, wait_until
from tests.support.testtoken import LABEL
from tests.support.twin import TwinProcess

KIB = 1024


def received(*twins):
    return sum(pool["received_bytes"] for twin in twins for pool in twin.hosts().values())


def most_in_any(seconds, entries, weight=lambda entry: entry.raw_bytes):
    """The most that began within so many seconds, whenever these began."""
    entries = sorted(entries, key=lambda entry: entry.time_seconds)
    most = total = first = 0
    for entry in entries:
        total += weight(entry)
        while entries[first].time_seconds <= entry.time_seconds - seconds:
            total -= weight(entries[first])
            first += 1
        most = max(most, total)
    return most


def test_two_hsms_feed_two_vcenters_and_every_cap_holds(tokens, tmp_path):
    records = [tmp_path / "record-a", tmp_path / "record-b"]
    empty = ("--hosts", 8, "--initial-level", 0.0)
    one, two = (
        {"module": token.module, "token_label": LABEL, "env": token.environment} for token in tokens
    )
    with (
        TwinProcess(*empty, "--record", records[0]) as a,
        TwinProcess(*empty, "--record", records[1]) as b,
    ):
        text = document(
            hsm_one=one | {"max_bytes_per_second": "48KiB"},
            hsm_two=two | {"max_bytes_per_second": "96KiB"},
            vcenter_a=vcenter_table(a, max_bytes_per_second="32KiB"),
            vcenter_b=vcenter_table(b),
        )
        with BridgeProcess(text, tmp_path) as bridge:
            wait_until(lambda: received(a) and received(b))
            began, before = time.monotonic(), received(a, b)
            wait_until(lambda: received(a, b) > before + 6 * 144 * KIB)
            seconds = time.monotonic() - began
            assert bridge.stop() == 0
            books = {account["hsm"]: account for account in bridge.events("account")}
    # what may pass is used, and by both
    assert seconds < 6 * 1.5
    assert books["one"]["delivered"] < books["two"]["delivered"] < 3 * books["one"]["delivered"]
    assert all(account["closes"] for account in books.values())
    to_a, to_b = (Recording(record).additions() for record in records)
    second = 1.0
    for span in (2.0, 4.0):
        # a second's worth may have been saved up, and a request is not cut in two
        assert most_in_any(span, to_a) <= (span + second + second) * 32 * KIB
        assert most_in_any(span, to_a + to_b) <= (span + second) * 144 * KIB + 64 * KIB
    assert len({entry.host for entry in to_a}) == len({entry.host for entry in to_b}) == 8


@pytest.mark.parametrize(
    ("hsm", "feed"),
    [({"max_bytes_per_second": "100KiB"}, {}), ({}, {"bytes_in_flight": "64KiB"})],
    ids=["a cap", "few bytes in flight"],
)
def test_hosts_that_want_more_than_may_pass_at_once_are_fed_before_they_are_dry(
    tokens, tmp_path, hsm, feed
):
    table = {"module": tokens[0].module, "token_label": LABEL, "env": tokens[0].environment} | hsm
    with TwinProcess("--hosts", 3, "--initial-level", 0.3) as twin:
        text = document(hsm_one=table, vcenter_twin=vcenter_table(twin), feed=feed)
        with BridgeProcess(text, tmp_path) as bridge:
            wait_until(lambda: received(twin) > 400 * KIB)
            assert bridge.stop() == 0


@pytest.fixture
def record(tmp_path):
    return tmp_path / "record"


def test_retry_after_is_honoured_by_every_request(test_token_table, record, tmp_path):
    thirsty = ("--hosts", 20, "--drain-bytes-per-second", 20_000, "--spread", 0.8)
    with (
        TwinProcess(*thirsty, "--record", record) as twin,
        BridgeProcess(configuration(test_token_table, twin), tmp_path) as bridge,
    ):
        wait_until(lambda: received(twin) > 2_000_000)
        rule = {"kind": "throttled", "operations": ["pool.get", "pool.add"], "count": 1}
        twin.set_faults(rule | {"retry_after": "3"})
        wait_until(lambda: twin.faults()[0]["struck"])
        before = received(twin)
        wait_until(lambda: received(twin) > before + 1_000_000)
        assert bridge.stop() == 0
    entries = sorted(Recording(record).entries, key=lambda entry: entry.time_seconds)
    [throttled] = [entry.time_seconds for entry in entries if entry.status == 429]
    after = [it.time_seconds for it in entries if it.time_seconds > throttled + 0.3]
    assert min(after) > throttled + 2.9


def test_a_vcenter_that_turns_requests_away_gets_no_bytes_before_it_answers_a_look(
    test_token_table, record, tmp_path
):
    thirsty = ("--hosts", 40, "--drain-bytes-per-second", 20_000, "--spread", 0.8)
    with (
        TwinProcess(*thirsty, "--record", record) as twin,
        BridgeProcess(configuration(test_token_table, twin), tmp_path) as bridge,
    ):
        wait_until(lambda: received(twin) > 2_000_000)
        rule = {"kind": "throttled", "operations": ["pool.get", "pool.add"]}
        twin.set_faults(rule | {"retry_after": None})
        wait_until(lambda: twin.faults()[0]["struck"])
        time.sleep(0.5)
        under_way = twin.faults()[0]["struck"]
        wait_until(lambda: twin.faults()[0]["struck"] >= under_way + 4)
        twin.set_faults()
        before = received(twin)
        wait_until(lambda: received(twin) > before + 500_000)
        assert bridge.stop() == 0
    refused = [entry for entry in Recording(record).entries if entry.status == 429]
    first = min(entry.time_seconds for entry in refused)
    after = [entry for entry in refused if entry.time_seconds > first + 0.5]
    assert {entry.operation for entry in after} == {"pool.get"}


@pytest.mark.nightly
def test_after_an_outage_all_hosts_want_something_and_vcenter_is_not_overrun(
    test_token_table, record, tmp_path, port
):
    hosts, most, latency = 120, 16, 0.1
    thirsty = ("--hosts", hosts, "--drain-bytes-per-second", 20_000, "--initial-level", 0.9)
    slow = {"kind": "delay", "delay_seconds": latency}
    with TwinProcess(*thirsty, "--record", record) as twin:
        twin.set_faults(slow)
        text = configuration(test_token_table, twin, port, max_in_flight=most)
        with BridgeProcess(text, tmp_path) as bridge:
            wait_until(lambda: received(twin) > 2_000_000)
            twin.set_faults({"kind": "reset_before_body"})
            wait_until(lambda: not bridge.status(port)["vcenters"][0]["is_connected"])
            time.sleep(5.0)
            logins = twin.state()["sessions"]["logins"]
            twin.set_faults(slow)
            back = time.time()
            wait_until(
                lambda: all(
                    it["lowest_bytes"] < it["level_bytes"] > 300_000 for it in twin.hosts().values()
                )
            )
            assert twin.state()["sessions"]["logins"] <= logins + 1
            assert bridge.stop() == 0
    entries = [it for it in Recording(record).entries if it.operation.startswith("pool.")]
    after = [entry for entry in entries if entry.time_seconds >= back]
    first = min(entry.time_seconds for entry in after)

    def one(entry):
        return 1

    # each lasts longer than the span that is counted over, so that they overlap
    assert most_in_any(0.9 * latency, after, one) <= most
    assert (
        most_in_any(0.9 * latency, [it for it in after if it.time_seconds < first + 1.0], one) <= 8
    )
    assert not [entry for entry in after if entry.status in (429, 503)]
    # and in the outage it is left alone, once that is known
    during = [it for it in entries if "reset_before_body" in it.faults]
    later = min(it.time_seconds for it in during) + 2.0
    assert len([1 for it in during if it.time_seconds > later]) <= 2 * most
