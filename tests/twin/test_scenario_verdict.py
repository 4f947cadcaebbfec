"""Each criterion, from both sides."""

from dataclasses import replace

import pytest

from bridge.twin.scenario import Criteria
from bridge.twin.scenario_report import HostStory
from bridge.twin.scenario_verdict import BridgeBooks, judge, wasted_bytes

GOOD = HostStory(
    host="host-1001",
    name="esx-1",
    cluster=None,
    state="running",
    excused=False,
    capacity_bytes=1000,
    low_watermark_bytes=200,
    level_bytes=900,
    lowest_bytes=300,
    lowest_late_bytes=300,
    dry_count=0,
    first_dry_seconds=None,
    source_lost_count=0,
    received_bytes=5000,
    accepted_bytes=5000,
)
BOOKS = BridgeBooks(
    delivered_bytes=10_000,
    refused_bytes=0,
    unknown_bytes=0,
    account_closes=True,
    looks_overdue_seconds=5.0,
)
ALL = Criteria(
    no_host_dry=True,
    no_host_low_after_seconds=60,
    no_source_lost=True,
    wasted_at_most=0.01,
    looks_overdue_at_most_seconds=5.0,
    account_closes=True,
)

BUT_SENT = "bytes, but the bridge sent 10,000 and calls 10,000 of them delivered"


def failed(books=BOOKS, **second):
    """Return what fails with one good host and one that differs."""
    hosts = [GOOD, GOOD.model_copy(update={"name": "esx-2"} | second)]
    return {it.criterion: it.text for it in judge(ALL, hosts, books) if not it.passed}


def test_all_is_well():
    assert failed() == {}
    assert len(judge(ALL, [GOOD, GOOD], BOOKS)) == 6
    assert [it.criterion for it in judge(Criteria(), [GOOD, GOOD], BOOKS)] == [
        "no_host_dry",
        "wasted_at_most",
        "account_closes",
    ]
    nothing = Criteria(no_host_dry=False, wasted_at_most=None, account_closes=False)
    assert judge(nothing, [GOOD], BOOKS) == []


@pytest.mark.parametrize(
    ("second", "criterion", "said"),
    [
        (
            {"dry_count": 1, "first_dry_seconds": 312.4, "lowest_bytes": 0},
            "no_host_dry",
            "1 of 2 hosts ran dry, esx-2 first, at 312 s",
        ),
        (
            {"lowest_late_bytes": 199},
            "no_host_low_after_seconds",
            "1 of 2 hosts were under their watermark after 60 s, esx-2 the most",
        ),
        (
            {"source_lost_count": 3},
            "no_source_lost",
            "1 of 2 hosts logged that their source is disconnected",
        ),
        (
            {"accepted_bytes": 4899},
            "wasted_at_most",
            "1.010% of 10,000 bytes sent ended in no pool (at most 1.000%)",
        ),
        (
            {"received_bytes": 5001, "accepted_bytes": 5001},
            "account_closes",
            f"hosts received 10,001 {BUT_SENT}",
        ),
        (
            {"received_bytes": 4999, "accepted_bytes": 4999},
            "account_closes",
            f"hosts received 9,999 {BUT_SENT}",
        ),
    ],
)
def test_what_becomes_of_a_host_fails_one_criterion(second, criterion, said):
    assert failed(**second) == {criterion: said}


@pytest.mark.parametrize(
    "second",
    [
        {"excused": True, "dry_count": 1, "first_dry_seconds": 3.0, "lowest_late_bytes": 0},
        {"excused": True, "source_lost_count": 1},
        {"lowest_late_bytes": 200},
        {"accepted_bytes": 4900},
    ],
)
def test_what_nobody_could_help_or_is_just_allowed_fails_none(second):
    assert failed(**second) == {}


def test_the_bridges_own_books_are_judged():
    late = replace(BOOKS, looks_overdue_seconds=5.1)
    assert failed(late) == {
        "looks_overdue_at_most_seconds": "the latest look was overdue by 5.1 s (at most 5 s)"
    }
    assert failed(replace(BOOKS, account_closes=False)) == {
        "account_closes": "the bridge's account does not close"
    }


def test_bytes_of_unknown_fate_may_have_arrived_and_count_as_wasted_if_not():
    arrived = replace(BOOKS, delivered_bytes=9000, unknown_bytes=1000)
    assert failed(arrived) == {}
    lost = replace(BOOKS, unknown_bytes=1000)
    assert set(failed(lost)) == {"wasted_at_most"}
    assert wasted_bytes([GOOD, GOOD], lost) == 1000


def test_nothing_sent_is_nothing_wasted():
    nothing = BridgeBooks(
        delivered_bytes=0,
        refused_bytes=0,
        unknown_bytes=0,
        account_closes=True,
        looks_overdue_seconds=0.0,
    )
    assert failed(nothing, received_bytes=-5000, accepted_bytes=-5000) == {}
