"""Where the process begins. Until the command is loaded, Ctrl-C ends it at once, without a word.

Python would raise KeyboardInterrupt in the middle of an import: that is a traceback or, in a
callback of the import machinery, nothing at all, and the Ctrl-C is lost. So nothing that takes
time may be imported here before `main`.
"""

import signal


def main() -> int:
    """Load the command line and run it; return the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bridge.cli.main import main as run  # noqa: PLC0415 (what takes time)

    return run()
