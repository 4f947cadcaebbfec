import io
import json
import logging

import pytest
import structlog
from pydantic import SecretStr

from bridge.config import LogConfig
from bridge.telemetry import log


@pytest.fixture
def written():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()

    def set_up(**settings):
        log.set_up(LogConfig(**settings), stream)
        return stream

    yield set_up
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_an_event_is_one_line_of_text(written):
    stream = written()
    structlog.get_logger().info("source started", hsm="luna", pid=12, why="a b", rate=0.123456789)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.endswith(' info source started hsm=luna pid=12 why="a b" rate=0.123457\n')


def test_an_event_is_one_object_of_json(written):
    stream = written(format="json")
    structlog.get_logger().warning("a\nb", host="ü", n=1)
    assert stream.getvalue().count("\n") == 1
    event = json.loads(stream.getvalue())
    assert list(event)[:3] == ["time", "level", "event"]
    assert {k: event[k] for k in ("event", "host", "n", "level")} == {
        "event": "a\nb",
        "host": "ü",
        "n": 1,
        "level": "warning",
    }


def test_the_standard_library_ends_in_the_same_place(written):
    stream = written()
    logging.getLogger("x").warning("disk %s", "full")
    logging.getLogger("aiohttp.access").info("noise")
    assert stream.getvalue().endswith(" warning disk full\n")
    assert "noise" not in stream.getvalue()


def test_set_up_anew_it_goes_where_it_went(written):
    stream = written()
    log.set_up(LogConfig(format="json"))
    structlog.get_logger().warning("still here")
    assert json.loads(stream.getvalue())["event"] == "still here"


def test_the_level_holds_back(written):
    stream = written(level="error")
    structlog.get_logger().warning("not this")
    structlog.get_logger().error("this")
    assert "not this" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_silence_is_silent(written, capsys):
    stream = written()
    log.silence()
    structlog.get_logger().critical("x")
    logging.getLogger("asyncio").critical("y")
    assert stream.getvalue() == ""
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_breaks_the_line(written, form):
    stream = written(format=form)
    structlog.get_logger().info("a\r\nb\x1b[31m", host="c\nd\x00", nested={"e\n": ["f\n"]})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text[:-1].isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_do_not_show(written, form):
    stream = written(format=form)
    structlog.get_logger().info(
        "x",
        password="hunter2",
        PIN="hunter2",
        vmware_api_session_id="hunter2",
        whatever=SecretStr("hunter2"),
        headers={"Authorization": "hunter2", "deep": [{"cookie": "hunter2"}]},
        piece=memoryview(b"hunter2"),
        pin_file="/etc/pin",
        sessions=2,
    )
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "(7 bytes)" in text
    assert "/etc/pin" in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_becomes_what_and_where(written, form):
    stream = written(format=form)
    try:
        int("of\nall things")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("y").exception("failed too")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "ValueError: invalid literal" in line
        assert "test_log.py:" in line
        assert "Traceback" not in line


def test_the_journal_gets_levels_and_no_time(written, monkeypatch, tmp_path):
    with (tmp_path / "journal").open("w+") as journal:
        info = (tmp_path / "journal").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{info.st_dev}:{info.st_ino}")
        written()
        log.set_up(LogConfig(), journal)
        structlog.get_logger().error("no token", hsm="luna")
        journal.seek(0)
        assert journal.read() == "<3>no token hsm=luna\n"


def test_a_log_that_nobody_reads_stops_nothing(written, capsys):
    stream = written()
    stream.close()
    structlog.get_logger().error("lost")
    assert capsys.readouterr().err == ""
