"""What a rehearsal shows: a bar while it runs, then the worst hosts and a verdict."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.progress_bar import ProgressBar
from rich.text import Text

from bridge.cli.table import plain_table
from bridge.source.account import Account
from bridge.telemetry.words import bytes_text, duration_text
from bridge.twin.scenario import Scenario
from bridge.twin.scenario_report import HostStory
from bridge.twin.scenario_report import Progress as Moment
from bridge.twin.scenario_verdict import BridgeBooks, Finding, wasted_bytes

_BAR_WIDTH = 20


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """A rehearsal that came to its end."""

    scenario: Scenario
    speed: float
    soft: bool
    seconds: float
    hosts: tuple[HostStory, ...]
    n_requests: int
    books: BridgeBooks
    account: Account
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every criterion holds."""
        return all(it.passed for it in self.findings)

    def document(self) -> dict[str, object]:
        """Return everything as JSON values."""
        return {
            "scenario": self.scenario.title,
            "passed": self.passed,
            "criteria": [asdict(it) for it in self.findings],
            "soft_token": self.soft,
            "speed": self.speed,
            "speed_means": speed_text(self),
            "duration_seconds": self.scenario.duration_seconds,
            "real_seconds": self.seconds,
            "seed": self.scenario.fleet.seed,
            "n_requests": self.n_requests,
            "sent_bytes": self.books.sent_bytes,
            "wasted_bytes": wasted_bytes(self.hosts, self.books),
            "looks_overdue_seconds": self.books.looks_overdue_seconds,
            "account": asdict(self.account) | {"closes": self.account.closes},
            "hosts": [
                it.model_dump() | {"lowest_level": round(it.lowest_level, 4)} for it in self.hosts
            ],
        }


class Watch:
    """Follows the progress on standard error, if that is a terminal."""

    def __init__(self, scenario: Scenario, *, mute: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            console=Console(stderr=True),
            disable=mute or not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task(
            scenario.title, total=scenario.duration_seconds, said="starting"
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, line: bytes) -> bool:
        """Take a line of progress; tell whether it is the last one."""
        moment = Moment.model_validate_json(line)
        self._progress.update(
            self._task,
            completed=moment.at_seconds,
            said=(
                f"{duration_text(moment.at_seconds)}; lowest pool {moment.lowest_level:.0%}, "
                f"{moment.n_low} under their watermark, {moment.n_dry} ran dry"
            ),
        )
        return moment.over


def shown(result: Rehearsed, n_worst: int) -> RenderableType:
    """Return the verdict for a person to read."""
    scenario = result.scenario
    failed = sum(not it.passed for it in result.findings)
    n_hosts = len(result.hosts)
    ending = f"FAILED: {failed} of {len(result.findings)} criteria" if failed else "PASSED"
    return Group(
        Text(f"{scenario.title}: {scenario.description}", style="bold"),
        Text(
            f"{n_hosts} hosts, {duration_text(scenario.duration_seconds)} of their time in "
            f"{duration_text(result.seconds)}, {result.n_requests:,} requests, "
            f"{bytes_text(result.books.sent_bytes)} sent; seed {scenario.fleet.seed}"
        ),
        Text(source_text(result)),
        Text(speed_text(result)),
        Text(),
        _worst(result.hosts, n_worst),
        Text(),
        _findings(result.findings),
        Text(),
        Text(ending, style="bold red" if failed else "bold green"),
    )


def source_text(result: Rehearsed) -> str:
    """Say where the bytes came from."""
    limited = "; the scenario limits what it gives" if result.scenario.hsm else ""
    if result.soft:
        return f"From the soft token, which is not an HSM{limited}."
    return f"From the configured HSM{limited}."


def speed_text(result: Rehearsed) -> str:
    """Say what was sped up, and what that means."""
    if result.speed == 1:
        return "In real time."
    text = (
        f"{result.speed:g} times faster than real: what hosts use and the limits of HSM and "
        "vCenter are as much higher; faults, the hosts' timeouts and request_timeout_seconds are "
        "as much shorter. The bridge's own pauses and what a request takes are not sped up: this "
        "is harder than real time."
    )
    if not result.soft:
        text += f" The HSM is no faster: it counts as {result.speed:g} times slower than it is."
    return text


def _worst(hosts: Sequence[HostStory], n_worst: int) -> RenderableType:
    table = plain_table("Host", "Lowest pool", ">", ">", ">In the end", "")
    worst = sorted(hosts, key=lambda it: (it.excused, it.lowest_level, it.name))[:n_worst]
    for it in worst:
        bad = it.dry_count or it.was_low_late
        style = "red" if bad else "green"
        bar = ProgressBar(
            total=it.capacity_bytes,
            completed=it.lowest_bytes,
            width=_BAR_WIDTH,
            complete_style=style,
            finished_style=style,
        )
        table.add_row(
            it.name,
            bar,
            f"{it.lowest_level:.0%}",
            bytes_text(it.lowest_bytes),
            f"{it.level_bytes / it.capacity_bytes:.0%}",
            Text(", ".join(_remarks(it)), style="red" if bad else ""),
        )
    if len(hosts) > len(worst):
        table.add_row(f"and {len(hosts) - len(worst)} more")
    return table


def _remarks(host: HostStory) -> list[str]:
    remarks = []
    if host.excused:
        remarks.append("taken away by the scenario")
    if host.first_dry_seconds is not None:
        remarks.append(f"ran dry at {host.first_dry_seconds:.0f} s")
    if host.was_low_late:
        remarks.append("was under its watermark")
    if host.source_lost_count:
        remarks.append("lost touch with its source")
    if host.state != "running":
        remarks.append(host.state)
    return remarks


def _findings(findings: Sequence[Finding]) -> RenderableType:
    table = plain_table("", "")
    table.show_header = False
    for it in findings:
        word = Text("passed", style="green") if it.passed else Text("FAILED", style="bold red")
        table.add_row(word, it.text)
    return table
