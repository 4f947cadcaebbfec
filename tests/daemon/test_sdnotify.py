"""What systemd is told."""

import os
import socket
import time

import pytest

from bridge.daemon.sdnotify import Notifier
from tests.daemon.conftest import configuration
from tests.support.bridge import BridgeProcess, wait_until
from tests.support.testtoken import Mode

KINDS = ["RELOADING", "MONOTONIC_USEC", "READY"]


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


def test_a_reload_is_announced_with_its_time_and_ended(systemd, test_token_table, twin, tmp_path):
    text = configuration(test_token_table, twin)
    with BridgeProcess(text, tmp_path) as bridge:
        wait_until(lambda: "READY=1" in systemd())
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        for configuration_text, n_ready in ((text, 2), ("no toml", 3)):
            bridge.reload(configuration_text)
            wait_until(lambda n=n_ready: systemd().count("READY=1") == n)
        told = [line for line in systemd() if line.partition("=")[0] in KINDS]
        assert [line.partition("=")[0] for line in told] == ["READY", *(KINDS * 2)]
        times = [int(line.partition("=")[2]) for line in told if line.startswith("MONOTONIC")]
        wait_until(lambda: any("last reload was refused" in line for line in systemd()))
        assert before < times[0] < times[1] < before + 60_000_000
        assert bridge.stop() == 0


def test_a_reload_before_it_is_ready_does_not_say_that_it_is(systemd):
    notifier = Notifier()
    notifier.reloading()
    notifier.reloaded()
    assert systemd() == []
