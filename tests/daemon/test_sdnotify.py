"""What systemd is told."""

import os
import socket

import pytest

from bridge.daemon.sdnotify import Notifier
from tests.daemon.conftest import configuration
from tests.support.bridge import BridgeProcess, wait_until
from tests.support.testtoken import Mode


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A socket like systemd's; what arrived is in the list."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        told = []

        def read():
            while True:
                try:
                    told.extend(channel.recv(4096).decode().splitlines())
                except BlockingIOError:
                    return told

        yield read


def test_a_service_from_start_to_end(systemd, test_token_table, token, twin, tmp_path):
    token.behave(Mode.ABSENT)
    with BridgeProcess(configuration(test_token_table, twin), tmp_path) as bridge:
        # a token that is away must not time the start out
        wait_until(lambda: any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in systemd()))
        assert "READY=1" not in systemd()
        token.behave(Mode.NORMAL)
        wait_until(lambda: "READY=1" in systemd())
        wait_until(lambda: systemd().count("WATCHDOG=1") >= 2)
        wait_until(lambda: any(line.startswith("STATUS=feeding 20 hosts") for line in systemd()))
        assert "STOPPING=1" not in systemd()
        assert bridge.stop() == 0
        assert systemd()[-1] == "STOPPING=1"


def test_without_systemd_nothing_is_sent_and_nothing_breaks(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.ready()
    notifier.alive()
    notifier.stopping()


def test_a_socket_that_is_gone_does_not_stop_the_bridge(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notifier = Notifier()
    notifier.ready()
    notifier.alive()


def test_sources_are_not_told_of_the_socket(systemd):
    Notifier()
    assert "NOTIFY_SOCKET" not in os.environ
