"""`kickstart build` as a user runs it: whose bytes, in which files, and what is left on trouble."""

import base64
import contextlib
import hashlib
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time

import pytest

from bridge.kickstart.parse import parse_kickstart
from tests.support.counting import Ledger
from tests.support.softhsm import PIN, SoftHsm
from tests.support.testtoken import SERIAL, Mode

SIZE = 524_288


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())["payloads"]


def test_every_host_has_its_own_bytes(command, hsm, token, output):
    """Proved to the byte: the token's stream, unaltered, no place of it twice."""
    run = command(
        "build", *hsm, "--size", 600_001, "--hosts", "a, b.example.test,c-3", "--output", output
    )
    said = (
        f"{output}: 3 payloads (.dat and .b64) with 600,001 bytes for each host, and manifest.json"
    )
    assert (run.code, run.out) == (0, f"{said}\n")
    hosts = ["a", "b.example.test", "c-3"]
    files = [f"{host}.{suffix}" for host in hosts for suffix in ("b64", "dat")]
    assert names(output) == sorted([*files, "manifest.json"])
    ledger = Ledger()
    for host in hosts:
        raw = (output / f"{host}.dat").read_bytes()
        assert (output / f"{host}.b64").read_bytes() == base64.b64encode(raw)
        ledger.add(host, raw)
    proof = ledger.verify()
    assert set(proof.bytes_by_host.values()) == {600_001}
    assert proof.n_bytes <= token.bytes_handed_out


def test_a_second_run_draws_other_bytes(command, hsm, output):
    ledger = Ledger()
    for run in ("first", "second"):
        words = ["--force"] if run == "second" else []
        assert command("build", *hsm, "--size", SIZE, "--output", output, *words).code == 0
        ledger.add(run, (output / "entropy_data.dat").read_bytes())
    assert ledger.verify().n_bytes == 2 * SIZE
    assert len(manifest_of(output)) == 1


def test_only_the_owner_may_read(command, hsm, output):
    run = command("build", *hsm, "--size", SIZE, "--output", output, preexec_fn=lambda: os.umask(0))
    assert run.code == 0
    assert stat.S_IMODE(output.stat().st_mode) == 0o700
    for each in output.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_the_manifest_tells_all_but_the_bytes(command, hsm, output):
    before = time.time() - 1
    run = command(
        "build",
        *hsm,
        "--size",
        SIZE,
        "--sources",
        "rdseed+entropyd",
        "--hosts",
        "a",
        "--output",
        output,
        "--json",
    )
    shown = json.loads(run.out)
    (entry,) = manifest_of(output)
    assert shown["payloads"] == [entry]
    assert shown["manifest"] == str(output / "manifest.json")
    assert ["12 (rdseed+entropyd)" in text for text in shown["warnings"]] == [True]
    raw, text = ((output / f"a.{suffix}").read_bytes() for suffix in ("dat", "b64"))
    assert entry["host"] == "a"
    assert entry["hsm"]["serial"] == SERIAL
    assert entry["hsm"]["label"] == "testtoken"
    assert (entry["sources"], entry["source_names"]) == (12, "rdseed+entropyd")
    assert entry["payload_bytes"] == SIZE
    assert entry["payload_sha256"] == hashlib.sha256(raw).hexdigest()
    assert entry["files"] == [
        {"name": "a.dat", "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()},
        {"name": "a.b64", "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()},
    ]
    built = time.mktime(time.strptime(entry["built"], "%Y-%m-%dT%H:%M:%S+00:00")) - time.timezone
    assert before <= built <= time.time()
    content = (output / "manifest.json").read_text()
    for at in range(0, SIZE - 8, 1000):
        assert raw[at : at + 8].hex() not in content
    for at in range(0, len(text) - 12, 1000):
        assert text[at : at + 12].decode() not in content


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_template_is_filled(command, hsm, output, tmp_path, newline):
    template = tmp_path / "ks.in"
    before = b"# Gr\xfc\xdfe\nvmaccepteula\n".replace(b"\n", newline)
    after = b"install --firstdisk\n%firstboot\nentropy --sources=1".replace(b"\n", newline)
    template.write_bytes(before + after)
    run = command(
        "build",
        *hsm,
        "--size",
        SIZE,
        "--sources",
        9,
        "--hosts",
        "a,b",
        "--output",
        output,
        "--template",
        template,
    )
    assert run.code == 0, run.err
    assert names(output) == ["a.cfg", "b.cfg", "manifest.json"]
    ledger = Ledger()
    for host in "ab":
        whole = (output / f"{host}.cfg").read_bytes()
        installation = parse_kickstart(whole)
        assert installation.sources == 9
        assert len(installation.data) == SIZE
        text = base64.b64encode(installation.data)
        assert whole == before + b"entropy --sources=9 --data=" + text + newline + after
        ledger.add(host, installation.data)
    ledger.verify()
    again = command(
        "build", *hsm, "--size", SIZE, "--output", output, "--template", output / "a.cfg"
    )
    assert again.code == 0
    assert (output / "ks.cfg").read_bytes().startswith(before + b"entropy --sources=8 --data=")


def test_a_file_of_our_own(command, hsm, output, tmp_path):
    root_hash = tmp_path / "hash"
    root_hash.write_text("$6$salt$abcdefghijkl\n")
    assert command("build", *hsm, "--output", output, "--root-hash-file", root_hash).code == 0
    checked = command("check", output / "ks.cfg")
    assert checked.code == 0
    assert "1,048,576 bytes, sources = 8 (entropyd)" in checked.out


def test_hosts_from_a_file(command, hsm, output, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_bytes(b"# rack 1\r\nesx-1.example.test # first\r\n\r\n  esx-2\n")
    run = command("build", *hsm, "--size", SIZE, "--hosts-file", hosts, "--output", output)
    assert run.code == 0
    assert [entry["host"] for entry in manifest_of(output)] == ["esx-1.example.test", "esx-2"]


def test_a_terminal_sees_how_far_it_is(hsm, output):
    main, terminal = os.openpty()
    words = ["build", *hsm, "--size", SIZE, "--output", output]
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "kickstart", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(terminal)
    shown = b""
    with process, contextlib.suppress(OSError):  # the terminal's other end is gone
        while piece := os.read(main, 65536):
            shown += piece
    os.close(main)
    assert process.returncode == 0
    assert b"Drawing" in shown


def test_softhsm(command, output, tmp_path):
    softhsm = SoftHsm(tmp_path / "softhsm")
    softhsm.add_token("entropy")
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o600)
    config = tmp_path / "bridge.toml"
    config.write_text(
        f'[hsm.soft]\nmodule = "{softhsm.module}"\ntoken_label = "entropy"\npin_file = "{pin}"\n'
        f'env = {{ SOFTHSM2_CONF = "{softhsm.environment["SOFTHSM2_CONF"]}" }}\n'
    )
    run = command("build", "--config", config, "--size", SIZE, "--output", output)
    assert run.code == 0, run.err
    (entry,) = manifest_of(output)
    assert entry["hsm"]["label"] == "entropy"
    assert re.fullmatch("[0-9a-f]{16}", entry["hsm"]["serial"])
    assert command("check", output / "entropy_data.dat", output / "entropy_data.b64").code == 0


# ---- what stays ---------------------------------------------------------------------------------


@pytest.mark.parametrize("there", ["a.dat", "a.b64"])
def test_nothing_is_overwritten(command, hsm, token, output, there):
    output.mkdir()
    (output / there).write_text("old")
    run = command("build", *hsm, "--size", SIZE, "--hosts", "b,a", "--output", output)
    assert run.code == 1
    assert (
        run.error == f"{output / there} exists; choose another --output, or replace it with --force"
    )
    assert names(output) == [there]
    assert (output / there).read_text() == "old"
    assert token.calls == 0


def test_force_replaces_plain_files_only(command, hsm, output, tmp_path):
    output.mkdir()
    (output / "a.dat").write_text("old")
    words = ["build", *hsm, "--size", SIZE, "--hosts", "a", "--output", output, "--force"]
    assert command(*words).code == 0
    assert (output / "a.dat").stat().st_size == SIZE
    (output / "a.b64").unlink()
    (output / "a.b64").symlink_to(tmp_path / "elsewhere")
    run = command(*words)
    assert run.error == f"{output / 'a.b64'} is not a plain file; remove it"
    assert not (tmp_path / "elsewhere").exists()


def test_missing_builds_the_rest(command, hsm, output):
    words = ["build", *hsm, "--size", SIZE, "--output", output]
    assert command(*words, "--hosts", "a").code == 0
    first = (output / "a.dat").read_bytes()
    assert command(*words, "--hosts", "a,b", "--missing").code == 0
    assert (output / "a.dat").read_bytes() == first
    assert [entry["host"] for entry in manifest_of(output)] == ["a", "b"]
    run = command(*words, "--hosts", "a,b", "--missing")
    assert (run.code, run.out) == (0, f"{output}: no host is missing\n")


def test_a_manifest_of_somebody_else_stays(command, hsm, output):
    output.mkdir()
    (output / "manifest.json").write_text('{"name": "app"}')
    run = command("build", *hsm, "--size", SIZE, "--output", output, "--force")
    assert "manifest.json is not one of ours; move it away" in run.error
    assert names(output) == ["manifest.json"]


@pytest.fixture
def one_reader(token, tmp_path):
    """Options that choose the test token with one session and a small ring, which is a file too."""
    config = tmp_path / "bridge.toml"
    ((name, value),) = token.environment.items()
    config.write_text(
        f'[hsm.test]\nmodule = "{token.module}"\nenv = {{ {name} = "{value}" }}\n'
        'sessions = 1\nreserve = "128KiB"\n'
    )
    return ["--config", config]


@pytest.mark.parametrize(("limit", "name"), [(400_000, "dat"), (600_000, "b64")])
def test_a_full_disk_leaves_nothing(command, one_reader, output, limit, name):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    output.mkdir()
    run = command("build", *one_reader, "--size", SIZE, "--output", output, preexec_fn=limited)
    assert run.error == f"cannot write {output / 'entropy_data'}.{name}: File too large"
    assert run.code == 1
    assert names(output) == []


def test_a_source_that_fails_on_the_way_leaves_what_is_complete(command, hsm, token, output):
    token.picoseconds_per_byte = 1_000_000  # 1 MB/s
    words = ["build", *hsm, "--size", SIZE, "--hosts", "a,b,c,d,e,f", "--output", output]
    with running(*words) as process:
        wait_for((output / "manifest.json").exists, process)
        token.behave(Mode.ALL_EQUAL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    last = err.splitlines()[-1]
    done = [entry["host"] for entry in manifest_of(output)]
    assert f"({len(done)} of 6 hosts are done; --missing builds for the others)" in last
    assert names(output) == sorted(
        [f"{h}.{s}" for h in done for s in ("dat", "b64")] + ["manifest.json"]
    )
    token.behave(Mode.NORMAL)
    token.picoseconds_per_byte = 0
    assert command(*words, "--missing").code == 0
    ledger = Ledger()
    for host in "abcdef":
        ledger.add(host, (output / f"{host}.dat").read_bytes())
    assert ledger.verify().n_bytes == 6 * SIZE


@contextlib.contextmanager
def running(*words):
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "kickstart", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt_leaves_nothing(hsm, token, output, number):
    token.picoseconds_per_byte = 10_000_000  # 100 kB/s
    with running("build", *hsm, "--size", "10MB", "--output", output) as process:
        wait_for(lambda: token.bytes_handed_out > 200_000, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert all("warning" in line for line in err.splitlines())
    if number == signal.SIGKILL:
        assert names(output) == []
    else:
        assert not output.exists()


def test_two_builds_do_not_share_a_folder(command, hsm, token, output):
    token.picoseconds_per_byte = 10_000_000
    with running("build", *hsm, "--size", "10MB", "--output", output) as process:
        wait_for(lambda: token.calls and output.exists(), process)
        run = command("build", *hsm, "--hosts", "b", "--output", output)
    assert (run.code, run.error) == (1, f"another build writes to {output}; wait for it")


def test_a_token_that_repeats_itself_is_noticed(command, one_reader, token, output):
    words = ["build", *one_reader, "--size", SIZE, "--output", output]
    assert command(*words, "--hosts", "a").code == 0
    token.next_block = 0  # as in a snapshot of a virtual HSM
    run = command(*words, "--hosts", "b")
    assert run.error == ("the payload of b was not written: the HSM gave bytes that it gave before")
    assert names(output) == ["a.b64", "a.dat", "manifest.json"]


# ---- what is wrong is one line ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--size", "512KB"], "--size: 512,000 bytes is not between 524,288 and 10,000,000"),
        (["--size", "10MiB"], "--size: 10,485,760 bytes is not between"),
        (["--size", "some"], "'some' is not a size"),
        (["--sources", "16"], "sources go from 0 to 15, not 16"),
        (
            ["--sources", "hwrng"],
            "'hwrng' names no sources: write a number from 0 to 15, or interr",
        ),
        (["--hosts", "../a"], "'../a' is not a host name; use letters, digits, dots and hyphens"),
        (["--hosts", "/etc/passwd"], "'/etc/passwd' is not a host name"),
        (["--hosts", "a,,b"], "'' is not a host name"),
        (["--hosts", ".."], "'..' is not a host name"),
        (["--hosts", "a\nb"], r"'a\nb' is not a host name"),
        (["--hosts", "ä"], "'ä' is not a host name"),
        (["--hosts", "x" * 300], "is not a host name"),
        (["--hosts", "a,b,A"], "A is named twice"),
        (["--hosts", "a", "--hosts-file", "x"], "not allowed with argument"),
        (["--hosts-file", "/none"], "cannot read /none: No such file or directory"),
        (["--hosts-file", "/dev/null"], "/dev/null names no host; write one in each line"),
        (["--template", "/none"], "cannot read /none"),
        (["--template", "/dev/null"], "/dev/null: holds no command; it is no kickstart file"),
        (
            ["--root-hash-file", "/dev/null"],
            'holds no password hash; make one with "openssl passwd',
        ),
        (["--force", "--missing"], "use one of them"),
        (["--output", ""], "--output: names no directory"),
        (["--module", "/none.so"], "--module /none.so does not exist"),
    ],
)
def test_bad_usage(called, tmp_path, words, text):
    hsm = [] if "--module" in words else ["--soft-token"]
    run = called("build", *hsm, "--output", tmp_path / "out", *words)
    assert text in run.error
    assert (run.code, run.out) == (2, "")
    assert not (tmp_path / "out").exists()


def test_a_line_of_a_hosts_file(called, tmp_path):
    words = ["build", "--soft-token", "--output", tmp_path / "out"]
    hosts = tmp_path / "hosts"
    hosts.write_text("a\nb c\n")
    run = called(*words, "--hosts-file", hosts)
    assert run.error.startswith(f"{hosts}:2: 'b c' is not a host name; use letters, digits")
    hosts.write_bytes(b"\xef\xbb\xbfa\r\nb\r\n../c\r\n")  # as Windows saves it
    run = called(*words, "--hosts-file", hosts)
    assert run.error.startswith(f"{hosts}:3: '../c' is not a host name")
    hosts.write_bytes(b"\xff\n")
    run = called(*words, "--hosts-file", hosts)
    assert "use plain ASCII" in run.error
    assert run.code == 2


def test_an_output_that_cannot_be(command, tmp_path):
    for path in (tmp_path / "none" / "out", tmp_path / "file" / "x"):
        (tmp_path / "file").touch()
        run = command("build", "--soft-token", "--output", path)
        assert run.code == 1
        assert run.error.startswith(f"cannot write to {path}: ")


def test_a_token_that_is_not_there(command, hsm, token, output):
    token.behave(Mode.ABSENT)
    run = command("build", *hsm, "--output", output)
    assert run.code == 1
    assert "no token" in run.error
    assert not output.exists()
