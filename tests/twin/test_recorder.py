"""The record: every request and every byte, readable while the twin runs."""

import base64
import json

import pytest

from bridge.twin.options import TwinError
from bridge.twin.recorder import Entry, Recorder, Recording


async def test_shows_what_arrived_and_what_became_of_it(start_twin, record):
    twin = await start_twin(record=record, initial_level=0.5, drain_bytes_per_second=1000)
    first, second, third = b"first" * 50, b"second" * 60, bytes(300_000)
    twin.clock.jump(2)
    await twin.add("host-1001", first)
    await twin.add("host-1002", second)
    await twin.pool("host-1001")
    await twin.add("host-1001", third)
    recording = Recording(record)
    assert [it.operation for it in recording.entries] == [
        "session.create",
        "pool.add",
        "pool.add",
        "pool.get",
        "pool.add",
    ]
    assert [it.number for it in recording.entries] == list(range(5))
    one, two, three = recording.additions()
    assert [recording.raw(it) for it in (one, two, three)] == [first, second, third]
    assert recording.received() == first + second + third
    assert recording.hosts() == ["host-1001", "host-1002"]
    assert [recording.raw(it) for it in recording.additions("host-1001")] == [first, third]
    before = 262_144 - 2000 + 250
    assert (three.capacity_bytes, three.available_before_bytes) == (524_288, before)
    assert (three.room_bytes, three.accepted_bytes) == (524_288 - before, 524_288 - before)
    assert (three.status, three.decoded, three.partial) == (200, True, False)
    assert three.body_bytes == len(base64.b64encode(third)) + 11
    assert three.time_seconds == 1_700_000_002.0


async def test_keeps_the_bytes_of_refused_requests(start_twin, record):
    twin = await start_twin(record=record, disabled_hosts=1)
    await twin.add("host-9", b"nobody")
    await twin.add("host-1004", b"disabled")
    await twin.add("host-1001", b"action", query="?action=steal")
    await twin.post_body("host-1001", b'{"data":"QUJD","more":1}')
    await twin.post_body("host-1001", b'{"data":"QUJD*"}')
    await twin.faults({"kind": "forbidden"})
    await twin.add("host-1001", b"forbidden")
    twin.token = None
    await twin.faults()
    await twin.add("host-1001", b"stranger")
    recording = Recording(record)
    told = [(it.status, it.decoded, recording.raw(it)) for it in recording.additions()]
    assert told == [
        (404, True, b"nobody"),
        (500, True, b"disabled"),
        (404, True, b"action"),
        (400, False, b"ABC"),
        (400, False, b"ABC"),
        (403, True, b"forbidden"),
        (401, True, b"stranger"),
    ]
    assert [it.accepted_bytes for it in recording.additions()] == [0] * 7
    assert recording.additions()[5].faults == ("forbidden",)


def test_wants_a_directory_for_itself(record):
    recorder = Recorder(record)
    recorder.write(Entry("pool.get", "host-1001", 1.0), b"")
    recorder.close()
    with pytest.raises(TwinError, match="not empty"):
        Recorder(record)
    with pytest.raises(TwinError, match="cannot write"):
        Recorder(record / "index.jsonl")


def test_a_line_that_is_not_whole_is_left_out(record):
    recorder = Recorder(record)
    recorder.write(Entry("pool.add", "host-1001", 1.0), b"abc")
    recorder.write(Entry("pool.add", "host-1001", 2.0), b"def")
    recorder.close()
    index = record / "index.jsonl"
    index.write_bytes(index.read_bytes()[:-5])
    recording = Recording(record)
    assert [recording.raw(it) for it in recording.entries] == [b"abc"]
    assert json.loads(index.read_text().splitlines()[0])["raw_bytes"] == 3
