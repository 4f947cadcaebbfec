"""What a reload has to do, told from two configurations."""

import pytest

from bridge.config import ConfigError, parse
from bridge.daemon.difference import compare, same_token
from tests.support.bridge import document

HSM = {"module": "/lib/a.so", "token_label": "entropy"}
VCENTER = {"url": "https://a.example.com", "username": "u", "password_file": "/p"}


def config(**tables):
    whole = {"hsm_one": HSM, "vcenter_one": VCENTER} | tables
    return parse(document(**{name: table for name, table in whole.items() if table}).encode())


def test_the_same_is_kept():
    change = compare(config(), config(feed={"refill_below": 0.5}, log={"level": "debug"}))
    for tables in (change.hsm, change.vcenter):
        assert tables.kept == ("one",)
        assert not any((tables.added, tables.replaced, tables.adjusted, tables.removed))


def test_what_comes_and_what_goes():
    new = config(hsm_one=None, hsm_two=HSM, vcenter_zwei=VCENTER, vcenter_drei=VCENTER)
    change = compare(config(), new)
    assert (change.hsm.added, change.hsm.removed, change.hsm.kept) == (("two",), ("one",), ())
    assert (change.vcenter.added, change.vcenter.kept) == (("zwei", "drei"), ("one",))


@pytest.mark.parametrize(
    "key_and_value",
    [
        {"max_in_flight": 7},
        {"max_add_bytes": 4096},
        {"max_bytes_per_second": 4096},
        {"hosts": {"clusters": ["a"]}},
        {"password_file": "/other"},
    ],
    ids=lambda it: next(iter(it)),
)
def test_a_session_outlives_these(key_and_value):
    change = compare(config(), config(vcenter_one=VCENTER | key_and_value)).vcenter
    assert (change.adjusted, change.replaced, change.kept) == (("one",), (), ())


def test_one_that_is_not_what_it_was_is_replaced_whatever_its_table_says():
    for settings in ({}, {"max_in_flight": 7}):
        change = compare(config(), config(vcenter_one=VCENTER | settings), ["one", "gone"]).vcenter
        assert (change.replaced, change.adjusted, change.kept) == (("one",), (), ())


@pytest.mark.parametrize(
    "key_and_value",
    [
        {"url": "https://b.example.com"},
        {"username": "v"},
        {"ca_file": "/ca"},
        {"request_timeout_seconds": 5.0},
        {"fast_path": False},
    ],
    ids=lambda it: next(iter(it)),
)
def test_a_session_does_not_outlive_these_and_whatever_else_changes_with_them(key_and_value):
    changed = VCENTER | key_and_value | {"max_in_flight": 7}
    change = compare(config(), config(vcenter_one=changed)).vcenter
    assert (change.adjusted, change.replaced, change.kept) == ((), ("one",), ())


def test_a_changed_hsm_is_replaced():
    change = compare(config(), config(hsm_one=HSM | {"sessions": 3})).hsm
    assert (change.adjusted, change.replaced, change.kept) == ((), ("one",), ())


def test_the_same_token_or_another():
    before = config().hsm["one"]
    assert same_token(before, config(hsm_one=HSM | {"reserve": "4MiB"}).hsm["one"])
    other = HSM | {"token_label": "another"}
    assert not same_token(before, config(hsm_one=other).hsm["one"])


def test_what_takes_a_restart_says_so():
    new = parse(f'state_dir = "/new"\n{document(hsm_one=HSM, vcenter_one=VCENTER)}'.encode())
    with pytest.raises(ConfigError, match="state_dir: cannot change while running; restart"):
        compare(config(), new)
