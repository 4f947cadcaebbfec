"""Runs a twin as a process of its own until it is told to end."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import uvloop

from bridge.twin.failure import TwinError
from bridge.twin.options import TwinOptions
from bridge.twin.runfile import RunningTwin, leave_word, take_back
from bridge.twin.server import TwinAddress, TwinServer


def run(options: TwinOptions) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(options))
    except TwinError as error:
        sys.stderr.write(f"entropy-bridge twin: {error}\n")
        return error.exit_code
    return 0


async def _serve(options: TwinOptions) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = TwinServer(options)
    address = await server.start()
    if options.fault_file is not None:
        loop.add_signal_handler(signal.SIGHUP, _read_faults_again, server)
    word = None
    try:
        word = _leave_word(address)
        sys.stdout.write(first_lines(options, address))
        sys.stdout.flush()
        if options.exit_with_stdin:
            loop.add_reader(sys.stdin.fileno(), _end_with_stdin, loop, ended)
        await ended.wait()
    finally:
        if options.exit_with_stdin:
            loop.remove_reader(sys.stdin.fileno())
        if word is not None:
            take_back(word)
        await server.stop()


def _read_faults_again(server: TwinServer) -> None:
    try:
        server.read_faults_again()
    except TwinError as error:
        sys.stderr.write(f"entropy-bridge twin: the faults stay as they are: {error}\n")


def _leave_word(address: TwinAddress) -> Path | None:
    twin = RunningTwin(
        pid=os.getpid(),
        port=address.port,
        url=address.url,
        ca_file=None if address.ca_file is None else str(address.ca_file),
        admin_token=address.admin_token,
    )
    try:
        return leave_word(twin)
    except TwinError as error:
        sys.stderr.write(f"entropy-bridge twin: `twin esxcli` will not find this twin: {error}\n")
        return None


def _end_with_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        if os.read(sys.stdin.fileno(), 4096):
            return
    loop.remove_reader(sys.stdin.fileno())
    ended.set()


def first_lines(options: TwinOptions, address: TwinAddress) -> str:
    """Return how to reach the twin, for a person or, in one line, for a program."""
    own = options.password_file is None
    shown = {
        "url": address.url,
        "ca_file": None if address.ca_file is None else str(address.ca_file),
        "username": address.username,
        "password_file": str(address.password_file),
        "password": address.password if own else None,
        "admin_token": address.admin_token,
    }
    if options.json:
        return json.dumps(shown) + "\n"
    names = {
        "url": "URL",
        "ca_file": "CA file",
        "username": "User",
        "password_file": "Password file",
        "password": "Password",
        "admin_token": "Admin token",
    }
    return "".join(f"{names[key]}: {value}\n" for key, value in shown.items() if value)
