"""One client in a process of its own: a count on each line of stdin, its cost on each of stdout."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from pathlib import Path

import psutil
import uvloop

from benchmarks.push.clients import CLIENTS, Wanted


def cpu_seconds() -> float:
    """All threads of this process and of its source, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    threads = [
        thread
        for child in psutil.Process().children()
        for thread in Path(f"/proc/{child.pid}/task").iterdir()
    ]
    in_source = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
    return used.ru_utime + used.ru_stime + in_source / 1e9


async def work(name: str, wanted: Wanted) -> None:
    turn = asyncio.current_task()
    assert turn is not None
    # what fails in a callback leaves a turn without an end
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: turn.cancel(str(context.get("exception") or context["message"]))
    )
    client = CLIENTS[name](wanted)
    await client.open()
    try:
        for line in sys.stdin:  # between two turns nothing else is to run
            wall, cpu = time.monotonic(), cpu_seconds()
            await client.push(int(line))
            cost = {"cpu_seconds": cpu_seconds() - cpu, "wall_seconds": time.monotonic() - wall}
            print(json.dumps(cost), flush=True)
    finally:
        await client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("url")
    parser.add_argument("ca_file", type=Path)
    parser.add_argument("password_file", type=Path)
    parser.add_argument("text_bytes", type=int)
    parser.add_argument("--token-module", type=Path)
    wanted = vars(parser.parse_args())
    name = wanted.pop("client")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(name, Wanted(**wanted)))


if __name__ == "__main__":
    main()
