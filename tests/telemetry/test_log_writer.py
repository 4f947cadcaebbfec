"""The log's own thread, writing into a pipe that nobody reads for a while."""

import fcntl
import logging
import os
from contextlib import contextmanager

import pytest
import structlog

from bridge.config import LogConfig
from bridge.telemetry import log
from bridge.telemetry.log_writer import LogWriter

PIPE_BYTES = 4096


@contextmanager
def pipe():
    """A small one: the reading end, and a stream at the writing end."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with open(write, "w") as stream, open(read, closefd=True) as reader:  # noqa: PTH123
        yield reader, stream


@pytest.fixture
def own_log():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_every_line_comes_in_order():
    with pipe() as (reader, stream), LogWriter(stream) as writer:
        for n in range(2000):
            writer.write(f"line {n}\n")
        assert [reader.readline() for _ in range(2000)] == [f"line {n}\n" for n in range(2000)]


@pytest.mark.usefixtures("own_log")
def test_what_nobody_reads_is_dropped_and_counted():
    with pipe() as (reader, stream), LogWriter(stream, lines_max=100) as writer:
        log.set_up(LogConfig(), writer)
        logger = structlog.stdlib.get_logger()
        for n in range(2000):
            logger.info("fed", n=n)
        lines = []
        while not lines or "dropped" not in lines[-1]:
            lines.append(reader.readline())
    *fed, dropped = lines
    numbers = [int(line.rpartition("=")[2]) for line in fed]
    assert numbers[:100] == list(range(100))
    assert numbers == sorted(set(numbers))
    assert len(fed) < 2000
    assert dropped.endswith(f"lines of the log were dropped lines={2000 - len(fed)}\n")


def test_the_last_lines_are_written_at_the_end():
    with pipe() as (reader, stream):
        with LogWriter(stream) as writer:
            writer.write("the end\n")
        assert reader.readline() == "the end\n"


def test_a_reader_that_never_comes_does_not_hold_up_the_end():
    with pipe() as (_, stream), LogWriter(stream) as writer:
        for _ in range(PIPE_BYTES):
            writer.write("a line\n")


def test_a_reader_that_left_is_no_matter():
    with pipe() as (reader, stream), LogWriter(stream) as writer:
        reader.close()
        for _ in range(10):
            writer.write("a line\n")


def test_a_descriptor_that_does_not_block_is_waited_for():
    with pipe() as (reader, stream), LogWriter(stream) as writer:
        os.set_blocking(stream.fileno(), False)
        for n in range(2000):
            writer.write(f"line {n}\n")
        assert [reader.readline() for _ in range(2000)] == [f"line {n}\n" for n in range(2000)]
