"""`entropy-bridge hsm probe`: what a token's random numbers cost, and what to configure."""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bridge.cli.errors import Code, CommandError, UsageError
from bridge.cli.hsm_choice import chosen_hsm
from bridge.cli.hsm_probe_view import probe_shown
from bridge.cli.output import console, print_json
from bridge.source.errors import SourceError, SourceMisconfigured
from bridge.source.probe import probe_token


def probe(arguments: argparse.Namespace) -> int:
    """Measure and show."""
    plot: Path | None = arguments.plot
    if plot is not None:
        _check_plot(plot)
    chosen = chosen_hsm(arguments)
    try:
        with _Bar() as show:
            report = probe_token(
                chosen.config, seconds=arguments.seconds, progress=show, state_dir=chosen.state_dir
            )
    except SourceMisconfigured as error:
        raise CommandError(chosen.said(error), Code.USAGE) from None
    except SourceError as error:
        raise CommandError(chosen.said(error)) from None
    if arguments.json:
        print_json(report.as_document())
    else:
        console().print(probe_shown(report))
    if plot is not None:
        from bridge.cli.hsm_plot import draw_plot  # noqa: PLC0415 (brings matplotlib)

        draw_plot(report, plot)
    return Code.OK


def _check_plot(path: Path) -> None:
    """See to it that nothing is measured for a picture that cannot be."""
    if path.suffix != ".png":
        raise UsageError(f"--plot wants a name that ends in .png, not {str(path)!r}")
    if not path.parent.is_dir():
        raise UsageError(f"--plot: there is no directory {path.parent}")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(
            "--plot needs matplotlib: python -m pip install matplotlib, or entropy-bridge[plot]"
        )


class _Bar(AbstractContextManager[Callable[[int, int, str], None]]):
    """Progress on standard error: a bar, on a terminal only."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not self._on_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("loading the module", total=None)

    def __enter__(self) -> Callable[[int, int, str], None]:
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, done: int, total: int, text: str) -> None:
        self._progress.update(
            self._task, completed=done, total=total or None, description=f"probing: {text}"
        )
