"""`kickstart check` as a user runs it."""

import base64
import json
import random

import pytest

from bridge.cli.main import main


@pytest.fixture
def check(capsys, tmp_path):
    """Writes files and checks them in this process."""

    def run(*words, **files):
        paths = []
        for name, content in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_bytes(content)
            path.chmod(0o600)
            paths.append(path)
        code = main(["kickstart", "check", *map(str, [*paths, *words])])
        captured = capsys.readouterr()
        assert captured.err == ""
        return code, captured.out.replace(f"{tmp_path}/", "")

    return run


def test_good_files(check, kickstart, raw, text):
    code, out = check(ks_cfg=kickstart, x_dat=raw, y_b64=text + b"\n", z_B64=text)
    lines = out.splitlines()
    assert code == 1  # the last two have the same bytes
    assert lines[0].startswith(
        "ks.cfg:3:19: warning: sources = 8 (entropyd): the host has no other"
    )
    good = (
        "good: 524,288 bytes, sources = 8 (entropyd), 0 of 210 blocks fail the output tests, "
        "a false alarm in one of 1,500,000 good payloads"
    )
    assert lines[1] == f"ks.cfg: {good}"
    assert lines[2] == f"x.dat: {good.replace('sources = 8 (entropyd), ', '')}"
    assert lines[3].startswith("y.b64: good: 524,288 bytes")
    assert lines[4] == "z.B64: holds the same payload as y.b64; each host needs its own"
    assert len(lines) == 5


def test_the_manifest_beside_the_payloads(check, raw):
    good = b'{"format": "entropy-bridge kickstart payloads, 1", "payloads": []}'
    code, out = check(x_dat=raw, manifest_json=good)
    assert code == 0
    assert out.endswith("\nmanifest.json: good: the manifest, which holds no entropy\n")
    code, out = check(manifest_json=b"{}")
    assert (code, out) == (1, "manifest.json: is not one of ours\n")


def test_two_hosts_with_the_same_payload(check, kickstart):
    code, out = check(a_cfg=kickstart, b_cfg=kickstart)
    assert code == 1
    assert "b.cfg: holds the same payload as a.cfg; each host needs its own\n" in out


def test_every_problem_is_a_line(check, text):
    content = b"upgrade\nEntropy\nentropy --sources=16 --x --data=" + text[:100] + b"*"
    code, out = check(ks_cfg=content)
    assert code == 1
    assert [line.split(": ")[0] for line in out.splitlines()] == [
        "ks.cfg:1:1",
        "ks.cfg:2:1",
        "ks.cfg:3:19",
        "ks.cfg:3:22",
        "ks.cfg:3:133",
    ]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.dat", bytes(5), "a.dat: 5 bytes is not between 524,288 and 10,000,000"),
        ("a.b64", b"AAAA\r\nAAAA\n", "a.b64:1:5: not Base64: white space inside the Base64 text"),
        ("a.b64", b"AAAA\n\n", "a.b64:1:5: not Base64: white space"),
        ("a.b64", b"\nAAAA*", "a.b64:1:1: not Base64: white space"),
        ("a.b64", b"", "a.b64: 0 bytes is not between"),
        ("a.cfg", b"", "a.cfg: there is no entropy command before the first % section"),
    ],
)
def test_bad_files(check, name, content, line):
    code, out = check(**{name.replace(".", "_"): content})
    assert code == 1
    assert out.startswith(line)


@pytest.mark.parametrize(
    "payload",
    [
        bytes(600_000),
        b"\xa5" * 600_000,
        (b"all work and no play makes jack a dull boy. " * 20_000)[:600_000],
        base64.b64encode(random.Random(1).randbytes(450_000)),
        random.Random(2).randbytes(300_000) * 2,
        random.Random(3).randbytes(590_000) + bytes(10_000),
    ],
    ids=["zeros", "constant", "text", "base64 twice", "twice", "zeros at the end"],
)
def test_bytes_that_are_not_random(check, payload):
    code, out = check(a_dat=payload)
    assert code == 1
    (line,) = out.splitlines()
    assert line.startswith("a.dat: ")
    assert line.endswith("do not use them")


def test_json(check, kickstart, text):
    code, out = check("--json", ks_cfg=kickstart)
    shown = json.loads(out)
    (file,) = shown["files"]
    assert (code, shown["good"], file["good"]) == (0, True, True)
    assert (file["sources"], file["source_names"], file["payload_bytes"]) == (
        8,
        "entropyd",
        524_288,
    )
    assert file["problems"] == []
    assert [(it["line"], it["column"]) for it in file["warnings"]] == [(3, 19)]
    assert file["tests"]["failed"] == 0
    assert file["tests"]["false_alarm_rate"] == pytest.approx(6.64e-7, rel=0.01)
    assert text[:16].decode() not in out
    code, out = check("--json", ks_cfg=b"")
    (file,) = json.loads(out)["files"]
    assert (code, file["good"], file["sources"], file["tests"]) == (1, False, None, None)
    assert file["problems"][0]["line"] is None


def test_a_file_that_others_may_read(check, raw, tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes(raw)
    path.chmod(0o640)
    code, out = check(path)
    assert code == 0
    assert "a.dat: warning: others may read this file; chmod 600\n" in out


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none", "cannot be read: No such file or directory"),
        ("/dev/null", "is not a plain file"),
        ("/tmp", "cannot be read: Is a directory"),
    ],
)
def test_files_that_cannot_be_read_are_told_beside_the_others(check, raw, tmp_path, path, words):
    (tmp_path / "a.dat").write_bytes(raw)
    (tmp_path / "a.dat").chmod(0o600)
    code, out = check(path, tmp_path / "a.dat")
    assert code == 1
    assert out.startswith(f"{path}: {words}\na.dat: good: ")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "the following arguments are required: build|check|shred"),
        (["check"], "the following arguments are required: FILE"),
        (["check", "--jason", "x"], "does not know '--jason'; did you mean --json?"),
        (["shred"], "the following arguments are required: FILE"),
        (["build", "--soft-token"], "the following arguments are required: --output"),
    ],
)
def test_wrong_words(capsys, words, text):
    assert main(["kickstart", *words]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
