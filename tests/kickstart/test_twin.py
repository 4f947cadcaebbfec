"""From the HSM to a host that runs: built, installed by the twin, booted, fed."""

import subprocess
import sys
import urllib.request

import pytest

from bridge.kickstart.errors import KickstartError
from bridge.kickstart.parse import parse_kickstart
from bridge.twin.errors import ApiError
from bridge.twin.installer import read_kickstart
from bridge.twin.readings import PayloadUnits
from tests.support.twin import TwinProcess

HOST = "host-1001"
SIZE = 2**20
BOOT_SECONDS = 30


def install(twin, content):
    request = urllib.request.Request(
        f"{twin.url}/twin/hosts/{HOST}/install",
        method="POST",
        data=content,
        headers={"Authorization": f"Bearer {twin._admin_token}", "Content-Type": "text/plain"},
    )
    with urllib.request.urlopen(request, context=twin._tls, timeout=20):
        pass


def test_a_host_is_installed_boots_and_is_fed(command, hsm, output, tmp_path):
    template = tmp_path / "ks.cfg"
    template.write_text("vmaccepteula\nrootpw x\ninstall --firstdisk\nnetwork --bootproto=dhcp\n")
    words = ["--hosts", "esx-0001.example.test", "--template", template, "--output", output]
    assert command("build", *hsm, *words).code == 0
    content = (output / "esx-0001.example.test.cfg").read_bytes()
    arguments = ["--hosts", 1, "--boot-seconds", BOOT_SECONDS, "--drain-bytes-per-second", 0]
    with TwinProcess(*arguments, exhaustion="unresponsive") as twin:
        install(twin, content)
        host = twin.hosts()[HOST]
        assert (host["sources"], host["storage_bytes"]) == (8, SIZE)
        assert host["connection_state"] == "NOT_RESPONDING"
        twin.jump(BOOT_SECONDS + 1)
        host = twin.hosts()[HOST]
        assert host["connection_state"] == "CONNECTED"
        assert host["status"] == "ENABLED"
        assert 0 < host["storage_bytes"] < SIZE  # it booted on the rest
        config = tmp_path / "bridge.toml"
        name, _, value = hsm[-1].partition("=")
        config.write_text(
            f'[hsm.test]\nmodule = "{hsm[1]}"\nenv = {{ {name} = "{value}" }}\n'
            f'[vcenter.twin]\nurl = "{twin.url}"\nusername = "{twin.username}"\n'
            f'password_file = "{twin.password_file}"\nca_file = "{twin.ca_file}"\n'
        )
        fill(config)
        host = twin.hosts()[HOST]
        assert host["capacity_bytes"] - host["level_bytes"] < 3  # Base64 goes by threes


def fill(config):
    words = [sys.executable, "-m", "bridge.cli", "fill", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_twin_refuses_what_check_refuses(text):
    command = b"entropy --sources=8 --data="
    for content in (
        command + text[:-4],  # too short
        command + text[:100] + b" " + text[100:],
        command + b'"' + text + b'"',
        b"entropy --sources=16 --data=" + text,
        b"entropy --sources=8",
        b"entropy --sources=8 --dat=" + text,
        b"entropy --sources=08 --data=" + text,
        b"upgrade\n" + command + text,
        command + text + b"\n" + command + text,
    ):
        with pytest.raises(KickstartError):
            parse_kickstart(content)
        with pytest.raises(ApiError):
            read_kickstart(content, PayloadUnits.BINARY)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\xef\xbb\xbf", b""),
        (b"vmaccepteula\n%firstboot --interpreter=busybox\n", b""),
        (b"# \x85", b""),
        ("# \u2028".encode(), b""),
        (b"", b"\xc2\xa0"),
        (b"\x0c", b""),
    ],
)
def test_what_the_twin_takes_for_no_entropy_command_is_no_good_file(text, before, after):
    content = before + b"entropy" + after + b" --sources=8 --data=" + text + b"\n"
    assert read_kickstart(content, PayloadUnits.BINARY).sources == 0
    with pytest.raises(KickstartError):
        parse_kickstart(content)


@pytest.mark.parametrize("units", PayloadUnits)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"# gr\xfc\xdfe\r\n", b"\r\n%firstboot\nentropy --frob\n"),
        (b"%include /tmp/disks\n\t ", b"\t\n"),
    ],
)
def test_both_read_the_same(kickstart, units, before, after):
    kickstart = before + kickstart + after
    ours, theirs = parse_kickstart(kickstart), read_kickstart(kickstart, units)
    assert (ours.sources, ours.data) == (theirs.sources, theirs.raw)
