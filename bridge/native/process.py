"""What a process that holds secrets does to itself first."""

from bridge.native._native import lib
from bridge.native.fault import check, new_fault


def harden_process(parent_pid: int = 0) -> None:
    """Forbid core dumps and tracing; with a parent, die with the thread that started this process.

    Raises NativeError with Err.ERR_STOPPED when `parent_pid` is not the parent any more.
    """
    fault = new_fault()
    check(lib.bn_process_harden(parent_pid, fault), fault)
