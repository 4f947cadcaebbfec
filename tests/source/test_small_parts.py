"""Backoff, latch, suspend watch, account and rate."""

import stat
from pathlib import Path

import pytest

from bridge.source.account import Account
from bridge.source.backoff import Backoff
from bridge.source.errors import SourceRefused
from bridge.source.latch import PinLatch
from bridge.source.logins import token_named
from bridge.source.status import Rate
from bridge.source.suspend import SuspendWatch


def test_backoff_doubles_up_to_its_most_and_begins_again():
    backoff = Backoff(0.5, 30, uniform=lambda: 0.0)
    assert [backoff.wait_seconds() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.wait_seconds() == 0.5


def test_backoff_shortens_by_up_to_a_quarter():
    backoff = Backoff(0.5, 30, uniform=lambda: 1.0)
    assert [backoff.wait_seconds() for _ in range(2)] == [0.375, 0.75]


def test_a_latch_without_a_state_directory_holds_in_memory():
    latch = PinLatch(None, "luna")
    latch.check()
    refused = latch.set("CKR_PIN_INCORRECT (0xA0) from C_Login")
    assert "hsm.luna: CKR_PIN_INCORRECT (0xA0) from C_Login; the PIN is not tried" in str(refused)
    with pytest.raises(SourceRefused, match="correct it before you start another"):
        latch.check()


def test_a_latch_with_a_state_directory_outlives_its_object(tmp_path):
    PinLatch(tmp_path / "state", "luna").set("refused")
    note = tmp_path / "state" / "pin-refused.luna"
    assert "Correct the PIN, then remove this file." in note.read_text()
    assert stat.S_IMODE(note.stat().st_mode) & 0o022 == 0
    with pytest.raises(SourceRefused, match=f"then remove {note}"):
        PinLatch(tmp_path / "state", "luna").check()
    PinLatch(tmp_path / "state", "other").check()
    note.unlink()
    PinLatch(tmp_path / "state", "luna").check()


def test_a_person_undoes_a_latch_by_removing_its_note(tmp_path):
    latch = PinLatch(tmp_path / "state", "luna")
    latch.set("refused")
    with pytest.raises(SourceRefused, match="refused; the PIN is not tried again"):
        latch.check()
    (tmp_path / "state" / "pin-refused.luna").unlink()
    latch.check()
    latch.set("refused again")
    with pytest.raises(SourceRefused, match="refused again"):
        latch.check()


def test_a_latch_that_cannot_be_written_holds_in_memory_and_says_so(tmp_path):
    (tmp_path / "state").write_text("not a directory")
    latch = PinLatch(tmp_path / "state", "luna")
    assert "could not be written" in str(latch.set("refused"))
    with pytest.raises(SourceRefused):
        latch.check()


def test_tokens_are_told_apart_also_where_a_module_gives_all_the_same_serial():
    told = {"manufacturer": "m", "model": "x", "serial": "1", "label": "one", "slot": 1}
    name = token_named(told, Path("/a.so"))
    assert token_named({**told, "slot": 2}, Path("/b.so")) == name
    assert token_named({**told, "label": "two"}, Path("/a.so")) != name
    told["serial"] = ""
    name = token_named(told, Path("/a.so"))
    assert token_named({**told, "slot": 2}, Path("/a.so")) != name
    assert token_named(told, Path("/b.so")) != name


def test_a_suspended_machine_is_noticed_once():
    clocks = {"boot": 100.0, "monotonic": 90.0}
    watch = SuspendWatch(lambda: clocks["boot"], lambda: clocks["monotonic"])
    clocks.update(boot=200.0, monotonic=190.0)
    assert not watch.slipped()
    clocks.update(boot=210.0, monotonic=195.0)
    assert watch.slipped()
    assert not watch.slipped()


def test_a_pause_between_the_two_clocks_is_no_suspension():
    clocks = {"boot": 100.0, "monotonic": 90.0}
    watch = SuspendWatch(lambda: clocks["boot"], lambda: clocks["monotonic"])
    clocks.update(boot=200.0, monotonic=195.0)  # stopped for 5 s after the boot clock was read
    assert not watch.slipped()
    clocks.update(boot=205.0, monotonic=195.0)
    assert not watch.slipped()


def test_the_real_clocks_have_not_slipped():
    assert not SuspendWatch().slipped()


def test_an_account_closes_only_when_both_sums_come_out():
    account = Account(generated=10, published=6, failed=1, lost=3, delivered=4, in_ring=2)
    assert account.closes
    assert not Account(generated=10, published=6, failed=1, lost=2, delivered=4, in_ring=2).closes
    assert not Account(generated=10, published=6, failed=1, lost=3, delivered=5, in_ring=2).closes
    assert (account + account).generated == 20
    assert (account + account).closes


def test_a_full_ring_does_not_lower_the_rate():
    rate = Rate()
    rate.sample(10_000, 10.0, full=False)
    rate.sample(0, 1.0, full=True)
    assert rate.bytes_per_second == 1000
    rate.sample(0, 10.0, full=False)
    assert 300 < rate.bytes_per_second < 400
    rate.sample(5000, 1.0, full=True)
    assert rate.bytes_per_second == 5000


def test_a_rate_is_known_within_a_few_samples_whatever_the_first_one_showed():
    rate = Rate()
    rate.sample(0, 0.25, full=False)  # before it runs
    rate.sample(10, 0.25, full=False)  # it began at the end of this
    rate.sample(100, 0.25, full=True)
    for _ in range(19):
        rate.sample(1000, 0.25, full=False)
    assert rate.bytes_per_second > 3700
