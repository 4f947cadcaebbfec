"""What holds for every test."""

import signal
import socket

import pytest

# A shell starts what it puts in the background with SIGINT ignored, and that is inherited: the
# commands under test, which people end with Ctrl-C, would not hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def port():
    """A port that is free now, for the status page."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
