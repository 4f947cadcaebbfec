"""`kickstart shred`: what was there is not there any more, and what it says about that."""

import json
import os

import pytest

from bridge.cli.main import main
from bridge.kickstart.shred import _remains


@pytest.fixture
def shred(capsys):
    def run(*words):
        code = main(["kickstart", "shred", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_content_is_overwritten_in_place(shred, kickstart, tmp_path):
    path = tmp_path / "a.cfg"
    path.write_bytes(kickstart)
    with path.open("rb") as file:  # still sees what is on the disk
        code, out, err = shred(path)
        left = file.read()
    assert (code, err) == (0, "")
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []
    assert len(left) == len(kickstart)
    assert not any(left[at : at + 16] in kickstart for at in range(0, len(left), 1000))
    assert out.startswith(f"{path}: overwritten and removed; ")
    assert "copies elsewhere are untouched" in out
    assert len(out.splitlines()) == 2


def test_raw_and_text_and_json(shred, raw, text, tmp_path):
    (tmp_path / "a.dat").write_bytes(raw)
    (tmp_path / "a.b64").write_bytes(text)
    code, out, _ = shred("--json", tmp_path / "a.dat", tmp_path / "a.b64")
    assert code == 0
    assert [entry["bytes"] for entry in json.loads(out)] == [len(raw), len(text)]
    assert all(entry["file_system"] and entry["remains"] for entry in json.loads(out))


def test_only_payloads_without_force(shred, tmp_path):
    path = tmp_path / "ks.cfg"
    path.write_text("install\n%post\nentropy --data=x\n")
    code, _, err = shred(path)
    assert code == 1
    assert err == f"entropy-bridge: {path} holds no payload; --force destroys it all the same\n"
    assert path.exists()
    assert shred("--force", path)[0] == 0
    assert not path.exists()


def test_one_that_fails_does_not_save_the_others(shred, raw, tmp_path):
    paths = [tmp_path / name for name in ("a.dat", "none.dat", "b.dat", "ks.cfg")]
    for path in (paths[0], paths[2]):
        path.write_bytes(raw)
    paths[3].write_text("install\n")
    code, out, err = shred(*paths)
    assert code == 1
    assert [line.split(": ")[0] for line in out.splitlines()[:-1]] == [str(paths[0]), str(paths[2])]
    assert err.splitlines() == [
        f"entropy-bridge: cannot destroy {paths[1]}: No such file or directory",
        f"entropy-bridge: {paths[3]} holds no payload; --force destroys it all the same",
    ]
    assert list(tmp_path.iterdir()) == [paths[3]]
    paths[0].write_bytes(raw)
    code, out, err = shred("--json", *paths[:2])
    assert (code, err.count("\n")) == (1, 1)
    assert [(entry["bytes"], entry["error"] is None) for entry in json.loads(out)] == [
        (len(raw), True),
        (None, False),
    ]


def test_nothing_is_said_of_copies_when_nothing_was_destroyed(shred, tmp_path):
    code, out, _ = shred(tmp_path / "none.dat")
    assert (code, out) == (1, "")


def test_links_and_devices_stay(shred, raw, tmp_path):
    (tmp_path / "real.dat").write_bytes(raw)
    link = tmp_path / "link.dat"
    link.symlink_to(tmp_path / "real.dat")
    code, _, err = shred("--force", link)
    assert code == 1
    assert err == f"entropy-bridge: cannot destroy {link}: it is a link; name the file itself\n"
    assert (tmp_path / "real.dat").read_bytes() == raw
    for path in ("/dev/null", tmp_path, tmp_path / "none.dat"):
        code, _, err = shred("--force", path)
        assert code == 1
        assert err.count("\n") == 1
    os.mkfifo(tmp_path / "pipe.dat")
    code, _, err = shred(tmp_path / "pipe.dat")
    assert (code, err.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("file_system", "words"),
    [
        ("btrfs", "writes elsewhere instead of over the old content, which is still there"),
        ("nfs4", "up to the server behind nfs4"),
        ("fuse.sshfs", "up to the server behind fuse.sshfs"),
        ("tmpfs", "unless it was swapped out"),
        ("overlay", "an image layer below"),
    ],
)
def test_what_it_can_promise_depends_on_the_storage(file_system, words):
    assert words in _remains(file_system, 0)
