"""Passed or failed: a scenario's criteria against what became of the fleet and of the bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.twin.scenario import Criteria
from bridge.twin.scenario_report import HostStory


@dataclass(frozen=True, kw_only=True)
class BridgeBooks:
    """What the bridge itself says in the end; bytes are raw, seconds the hosts'."""

    delivered_bytes: int
    refused_bytes: int
    unknown_bytes: int
    account_closes: bool
    looks_overdue_seconds: float

    @property
    def sent_bytes(self) -> int:
        """All that went out, whatever became of it."""
        return self.delivered_bytes + self.refused_bytes + self.unknown_bytes


@dataclass(frozen=True)
class Finding:
    """One criterion: what was wanted, what was found, and whether that is good enough."""

    criterion: str
    passed: bool
    text: str


def judge(criteria: Criteria, hosts: Sequence[HostStory], books: BridgeBooks) -> list[Finding]:
    """Return a finding for every criterion that the scenario has."""
    judged = [it for it in hosts if not it.excused]
    return [
        *_levels(criteria, judged),
        *_waste(criteria, hosts, books),
        *_looks(criteria, judged, books),
        *_account(criteria, hosts, books),
    ]


def wasted_bytes(hosts: Sequence[HostStory], books: BridgeBooks) -> int:
    """Return what was sent and ended in no pool."""
    return books.sent_bytes - sum(it.accepted_bytes for it in hosts)


def _levels(criteria: Criteria, judged: Sequence[HostStory]) -> Iterator[Finding]:
    if criteria.no_host_dry:
        dry = sorted(
            (it for it in judged if it.dry_count), key=lambda it: it.first_dry_seconds or 0.0
        )
        text = "no host ran dry"
        if dry:
            first = dry[0].first_dry_seconds or 0.0
            text = (
                f"{len(dry)} of {len(judged)} hosts ran dry, {dry[0].name} first, at {first:.0f} s"
            )
        yield Finding("no_host_dry", not dry, text)
    after = criteria.no_host_low_after_seconds
    if after is not None:
        low = [it for it in judged if it.was_low_late]
        text = f"no host was under its watermark after {after:g} s"
        if low:
            worst = min(low, key=lambda it: it.lowest_late_bytes or 0)
            text = (
                f"{len(low)} of {len(judged)} hosts were under their watermark after {after:g} s, "
                f"{worst.name} the most"
            )
        yield Finding("no_host_low_after_seconds", not low, text)


def _waste(criteria: Criteria, hosts: Sequence[HostStory], books: BridgeBooks) -> Iterator[Finding]:
    if criteria.wasted_at_most is None:
        return
    wasted = wasted_bytes(hosts, books)
    part = wasted / books.sent_bytes if books.sent_bytes else 0.0
    yield Finding(
        "wasted_at_most",
        part <= criteria.wasted_at_most,
        f"{part:.3%} of {books.sent_bytes:,} bytes sent ended in no pool "
        f"(at most {criteria.wasted_at_most:.3%})",
    )


def _looks(
    criteria: Criteria, judged: Sequence[HostStory], books: BridgeBooks
) -> Iterator[Finding]:
    most = criteria.looks_overdue_at_most_seconds
    if most is not None:
        late = books.looks_overdue_seconds
        yield Finding(
            "looks_overdue_at_most_seconds",
            late <= most,
            f"the latest look was overdue by {late:.1f} s (at most {most:g} s)",
        )
    if criteria.no_source_lost:
        lost = [it for it in judged if it.source_lost_count]
        text = "no host lost touch with its source"
        if lost:
            text = f"{len(lost)} of {len(judged)} hosts logged that their source is disconnected"
        yield Finding("no_source_lost", not lost, text)


def _account(
    criteria: Criteria, hosts: Sequence[HostStory], books: BridgeBooks
) -> Iterator[Finding]:
    if not criteria.account_closes:
        return
    received = sum(it.received_bytes for it in hosts)
    agree = books.delivered_bytes <= received <= books.sent_bytes
    text = f"the account closes, and {received:,} bytes that hosts received are in it"
    if not books.account_closes:
        text = "the bridge's account does not close"
    elif not agree:
        text = (
            f"hosts received {received:,} bytes, but the bridge sent {books.sent_bytes:,} "
            f"and calls {books.delivered_bytes:,} of them delivered"
        )
    yield Finding("account_closes", books.account_closes and agree, text)
