# SPDX-License-Identifier: Apache-2.0
"""What a module has to offer, asked in a process of its own.

`python -I -m bridge.source.inspect` takes {"module", "init_args", "parent_pid"} as a line of JSON
on stdin and answers {"info"} or {"error"} on stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.hsm.records import ModuleInfo
from bridge.hsm.selection import HsmError
from bridge.native.process import harden_process
from bridge.source.ending import died
from bridge.source.exits import line_for
from bridge.source.loaded import loaded
from bridge.source.process import child_command
from bridge.source.stdio import Stdio

if TYPE_CHECKING:
    from collections.abc import Mapping


def inspect_module(
    path: Path, init_args: str | None, env: Mapping[str, str], timeout_seconds: float
) -> ModuleInfo:
    """Ask the module at `path`; HsmError in one line. Blocks; Ctrl-C ends both processes."""
    order = {"module": str(path), "init_args": init_args, "parent_pid": os.getpid()}
    try:
        ended = subprocess.run(  # noqa: S603
            child_command("bridge.source.inspect"),
            input=json.dumps(order).encode() + b"\n",
            capture_output=True,
            env=dict(env),
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HsmError(f"{path}: no answer within {timeout_seconds:g} s") from None
    try:
        answer = json.loads(ended.stdout)
    except ValueError:
        answer = {"error": f"{path}: the process that loaded it {died(ended.returncode)}"}
    if "info" not in answer:
        raise HsmError(str(answer.get("error")))
    return ModuleInfo.from_json(answer["info"])


def _info(module: Path, init_args: str | None) -> ModuleInfo:
    with loaded(module, init_args):
        from bridge.hsm.control import Control  # noqa: PLC0415  # once it is known to load

        return Control(module).info()


def main() -> None:
    """Run the process; does not return."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stdio = Stdio()
    try:
        order = json.loads(stdio.read_line())
        harden_process(order["parent_pid"])
        stdio.answer(info=_info(Path(order["module"]), order["init_args"]).as_json())
    except Exception as error:  # noqa: BLE001  # nobody above to tell
        stdio.answer(error=line_for(error))
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
