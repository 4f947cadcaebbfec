"""`python -m bridge.twin.scenario_play`: a twin that plays a scenario, driven over its pipes.

| it reads | and then |
|---|---|
| a PlayOrder | listens, and writes how to reach it, as `twin serve --json` does |
| `begin` | lets time run, and writes a Progress twice a second; the last one says that it is over |
| `report` | writes a PlayReport |
| the end of its input | ends |
"""

import asyncio
import contextlib
import sys

import uvloop

from bridge.twin.clock import Clock
from bridge.twin.failure import TwinError
from bridge.twin.options import TwinOptions
from bridge.twin.scenario_report import PlayOrder
from bridge.twin.scenario_stage import Cue, Stage, twin_options
from bridge.twin.serve import first_lines
from bridge.twin.server import TwinServer

_PROGRESS_SECONDS = 0.5
_LINE_BYTES_MAX = 4 * 1024 * 1024


def main() -> int:
    """Play one scenario; the exit code."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_play())
    except TwinError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _play() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(_LINE_BYTES_MAX)
    pipe, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    try:
        line = await reader.readline()
        if line:
            await _serve(PlayOrder.model_validate_json(line), reader)
    finally:
        pipe.close()


async def _serve(order: PlayOrder, reader: asyncio.StreamReader) -> None:
    cue = Cue(order.scenario.duration_seconds / order.speed)
    clock = Clock(cue.seconds, speed=order.speed)
    server = TwinServer(twin_options(order), clock)
    address = await server.start()
    acts: asyncio.Task[None] | None = None
    try:
        stage = Stage(order, server.center, clock)
        _write(first_lines(TwinOptions(json=True), address).encode())
        while line := (await reader.readline()).strip():
            if line == b"begin" and acts is None:
                cue.begin()
                stage.begin()
                acts = asyncio.create_task(_run(stage, clock, cue, order.speed))
            elif line == b"report":
                _write(stage.report().line())
    finally:
        if acts is not None:
            acts.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await acts
        await server.stop()


async def _run(stage: Stage, clock: Clock, cue: Cue, speed: float) -> None:
    """Let things happen when they should, and tell how it goes."""
    tell_at = 0.0
    while True:
        stage.act()
        over, now = cue.over, clock.now()
        if over:
            stage.end()
        if over or now >= tell_at:
            _write(stage.progress(over=over).line())
            tell_at = now + _PROGRESS_SECONDS * speed
        if over:
            return
        moment = stage.next_seconds()
        until = tell_at if moment is None else min(tell_at, moment)
        await asyncio.sleep(min((until - now) / speed, cue.left_seconds))


def _write(line: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
