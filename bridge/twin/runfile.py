"""Where a running twin leaves word of itself, so that commands of the same user find it."""

import contextlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bridge.twin.failure import NoTwin, TwinError


@dataclass(frozen=True)
class RunningTwin:
    """What a command must know of a twin to reach its admin endpoints."""

    pid: int
    port: int
    url: str
    ca_file: str | None
    admin_token: str = field(repr=False)


def leave_word(twin: RunningTwin) -> Path:
    """Write the file of that twin; only this user can read it."""
    directory = _directory()
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _check_private(directory)
        path = directory / f"twin-{twin.port}.json"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(json.dumps(asdict(twin)))
    except OSError as error:
        raise NoTwin(f"cannot write to {directory}: {error.strerror}") from error
    return path


def take_back(path: Path) -> None:
    """Remove the file, and the directory with the last one."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def find(port: int | None = None) -> RunningTwin:
    """Return the running twin on that port, or the only one that runs."""
    running = {it.port: it for it in _running()}
    if port is not None:
        if port not in running:
            raise NoTwin(
                f"no twin of this user runs on port {port}; "
                f"start one with: twin serve --port {port}"
            )
        return running[port]
    if not running:
        raise NoTwin("no twin of this user is running; start one with: twin serve")
    if len(running) > 1:
        ports = ", ".join(str(it) for it in sorted(running))
        raise TwinError(f"several twins are running; choose one with --port: {ports}")
    return next(iter(running.values()))


def _directory() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "entropy-bridge-twins"
    return Path(tempfile.gettempdir()) / f"entropy-bridge-twins-{os.getuid()}"


def _check_private(directory: Path) -> None:
    status = directory.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or directory.is_symlink():
        raise NoTwin(f"{directory} is not private to this user; remove it")


def _running() -> list[RunningTwin]:
    directory = _directory()
    if not directory.exists():
        return []
    _check_private(directory)
    twins = []
    for path in directory.glob("twin-*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            twin = RunningTwin(**json.loads(path.read_text()))
            if _is_alive(twin.pid):
                twins.append(twin)
    return twins


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
