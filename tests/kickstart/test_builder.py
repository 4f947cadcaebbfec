"""What the builder does with bytes that are handed to it: wipes them, and refuses bad ones."""

import random

import pytest

from bridge.kickstart import build
from bridge.kickstart.build import Builder
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.files import FileGroup, Folder
from bridge.kickstart.plan import Plan
from bridge.kickstart.template import Template

SIZE = 524_288


class Watcher:
    def __init__(self):
        self.entries = []

    def drawn(self, n_bytes):
        pass

    def built(self, entry):
        self.entries.append(entry)


@pytest.fixture
def buffers(monkeypatch):
    """Every buffer that holds entropy: the payload, and what is written."""
    seen = []
    add = FileGroup.add

    def remember(self, name, content):
        if name != "manifest.json":
            seen.append(content)
        add(self, name, content)

    monkeypatch.setattr(FileGroup, "add", remember)
    return seen


@pytest.fixture
def drawn(monkeypatch, buffers):
    """Makes the builder draw these payloads."""

    def use(*payloads):
        left = list(payloads)

        async def draw_payload(_supply, n_bytes, _drawn):
            payload = bytearray(left.pop(0))
            assert len(payload) == n_bytes
            buffers.append(payload)
            return payload

        monkeypatch.setattr(build, "draw_payload", draw_payload)

    return use


def good(seed):
    return random.Random(seed).randbytes(SIZE)


def names(path):
    return sorted(each.name for each in path.iterdir())


async def run(path, *hosts, template=None, watcher=None):
    with Folder(path) as folder:
        builder = Builder(Plan(SIZE, 8, hosts, template), folder, replace=False)
        await builder.build(None, {"label": "x"}, watcher or Watcher())


@pytest.mark.parametrize("template", [None, Template.of(b"install\n")])
async def test_every_buffer_is_wiped(drawn, buffers, tmp_path, template):
    drawn(good(1), good(2))
    await run(tmp_path, "a", "b", template=template)
    assert len(buffers) == (4 if template else 6)
    assert not any(map(any, buffers))
    assert all(len(buffer) >= SIZE for buffer in buffers)
    name = "a.cfg" if template else "a.dat"
    assert any((tmp_path / name).read_bytes())


async def test_they_are_wiped_after_an_error(drawn, buffers, tmp_path, monkeypatch):
    def fails(_self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileGroup, "appear", fails)
    drawn(good(1))
    with pytest.raises(OSError, match="No space left"):
        await run(tmp_path, "a")
    assert len(buffers) == 3
    assert not any(map(any, buffers))
    assert names(tmp_path) == []


async def test_bytes_that_fail_the_tests_are_not_written(drawn, buffers, tmp_path):
    watcher = Watcher()
    drawn(good(1), good(2)[: SIZE // 2] * 2)
    with pytest.raises(KickstartError, match=r"^the payload of b was not written: pieces of 16"):
        await run(tmp_path, "a", "b", watcher=watcher)
    assert names(tmp_path) == ["a.b64", "a.dat", "manifest.json"]
    assert [entry["host"] for entry in watcher.entries] == ["a"]
    assert not any(map(any, buffers))


async def test_two_hosts_never_get_the_same(drawn, tmp_path):
    drawn(good(1), good(1))
    with pytest.raises(KickstartError, match="the HSM gave bytes that it gave before"):
        await run(tmp_path, "a", "b")
    assert names(tmp_path) == ["a.b64", "a.dat", "manifest.json"]


async def test_a_manifest_that_cannot_be_written_takes_the_files_back(drawn, tmp_path, monkeypatch):
    (tmp_path / "manifest.json").mkdir()
    drawn(good(1))
    with pytest.raises(KickstartError, match=r"manifest\.json is not a plain file"):
        await run(tmp_path, "a")
    (tmp_path / "manifest.json").rmdir()
    add = FileGroup.add

    def full(self, name, content):
        if name == "manifest.json":
            raise KickstartError("cannot write it")
        add(self, name, content)

    monkeypatch.setattr(FileGroup, "add", full)
    with pytest.raises(KickstartError, match="cannot write it"):
        await run(tmp_path, "a")
    assert names(tmp_path) == []


def test_a_disk_without_room_is_noticed_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(Folder, "free_bytes", 1_000_000)
    with (
        Folder(tmp_path) as folder,
        pytest.raises(KickstartError, match=r"has 1,000,000 bytes left of 2,271,\d+ needed"),
    ):
        Builder(Plan(SIZE, 8, ("a",)), folder, replace=False)
