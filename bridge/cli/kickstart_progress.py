"""How far a build is: what is done, and a progress bar on standard error."""

from contextlib import AbstractContextManager
from typing import Self

from rich import progress as bars
from rich.console import Console

from bridge.kickstart.manifest import Entry


class Progress(AbstractContextManager["Progress"]):
    """Hears of a build, and shows it if `show`."""

    def __init__(self, n_bytes: int, *, show: bool) -> None:
        self.entries: list[Entry] = []
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.DownloadColumn(binary_units=True),
            bars.TransferSpeedColumn(),
            bars.TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not show,
            transient=True,
        )
        self._task = self._bar.add_task("Starting the HSM", total=n_bytes)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def drawn(self, n_bytes: int) -> None:
        """Hear that bytes were drawn; with a negative number, that they were given up."""
        self._bar.update(self._task, advance=n_bytes, description="Drawing")

    def built(self, entry: Entry) -> None:
        """Hear that a host's files are there."""
        self.entries.append(entry)
