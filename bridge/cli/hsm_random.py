"""`entropy-bridge hsm random`: bytes that passed the output tests, each of them once."""

import argparse
import asyncio
import base64
import binascii
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from bridge.cli.errors import Code, CommandError, UsageError
from bridge.cli.hsm_choice import ChosenHsm, chosen_hsm
from bridge.cli.output import print_json
from bridge.cli.private_file import private_file
from bridge.source.errors import SourceError, SourceMisconfigured
from bridge.source.oneshot import draw, opened
from bridge.telemetry import log

_LINE_BYTES = 48  # 64 characters of Base64, 96 of hexadecimal


def draw_random(arguments: argparse.Namespace) -> int:
    """Draw and write; nothing appears in a file unless all of it does."""
    to_stdout = arguments.output == "-"
    encode = _hex if arguments.hex else _base64 if arguments.base64 else bytes
    if arguments.bytes < 1:
        raise UsageError("--bytes must be at least 1")
    if arguments.json and to_stdout:
        raise UsageError("--json needs --output FILE, for standard output takes the bytes")
    if arguments.force and to_stdout:
        raise UsageError("--force needs --output FILE")
    if to_stdout and encode is bytes and sys.stdout.isatty():
        raise UsageError("a terminal cannot show bytes; use --hex, --base64 or --output FILE")
    chosen = chosen_hsm(arguments)
    log.silence()
    target = (
        nullcontext(sys.stdout.buffer)
        if to_stdout
        else private_file(Path(arguments.output), force=arguments.force)
    )
    with target as file:
        try:
            asyncio.run(_draw(chosen, arguments.bytes, file, encode))
        except SourceMisconfigured as error:
            raise CommandError(chosen.said(error), Code.USAGE) from None
        except SourceError as error:
            raise CommandError(chosen.said(error)) from None
        file.flush()
    if arguments.json:
        print_json({"output": arguments.output, "bytes": arguments.bytes})
    return Code.OK


async def _draw(
    chosen: ChosenHsm, n_bytes: int, file: BinaryIO, encode: Callable[[bytes], bytes]
) -> None:
    rest = b""
    async with opened(chosen.config, state_dir=chosen.state_dir) as supply:
        async for raw in draw(supply, n_bytes):
            whole = len(rest) + len(raw)
            whole -= whole % _LINE_BYTES
            data = rest + raw
            rest = data[whole:]
            file.write(encode(data[:whole]))
    file.write(encode(rest))


def _hex(raw: bytes) -> bytes:
    return b"".join(
        binascii.hexlify(raw[start : start + _LINE_BYTES]) + b"\n"
        for start in range(0, len(raw), _LINE_BYTES)
    )


def _base64(raw: bytes) -> bytes:
    return b"".join(
        base64.b64encode(raw[start : start + _LINE_BYTES]) + b"\n"
        for start in range(0, len(raw), _LINE_BYTES)
    )
